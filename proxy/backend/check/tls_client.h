/* TLS of a check's connection, by OpenSSL.
 *
 * A check asks whether a server lives. So where nothing is verified, old versions, short keys and
 * weak ciphers pass as well; where the certificate is verified, OpenSSL's defaults hold. */
#ifndef RPPROXY_PROXY_BACKEND_CHECK_TLS_CLIENT_H
#define RPPROXY_PROXY_BACKEND_CHECK_TLS_CLIENT_H

#include "config/base/address.h"
#include "config/model/check.h"

#include <stddef.h>

struct tls_client_context;
struct tls_client;

/* Returns what all connections of these checks have in common, or NULL: out of memory. conf
 * outlives it. Any thread. */
struct tls_client_context *tls_client_context_new(const struct check_conf *conf)
    __attribute__((warn_unused_result));
void tls_client_context_free(struct tls_client_context *context);

struct tls_target;

/* A TLS connection over the non-blocking socket fd, which stays the caller's. name: what the client
 * asks for (SNI) and what the certificate must be for, where it is verified; NULL: the certificate
 * must be for the address, and no name is sent. NULL: out of memory. */
struct tls_client *tls_client_new(const struct tls_client_context *context, int fd,
                                  const char *name, const struct address *address)
    __attribute__((warn_unused_result));
void tls_client_free(struct tls_client *client);

/* The same, which asks for what sessions of the server ask for, and verifies what they verify. It
 * shows and offers what they do, where the options of the check say nothing else. */
struct tls_client *tls_client_as_sessions(const struct tls_client_context *context, int fd,
                                          const struct tls_target *target)
    __attribute__((warn_unused_result));

enum tls_progress {
    TLS_DONE,
    TLS_WAITS,  /* until the socket is readable or writable */
    TLS_ENDED,  /* the server has ended its stream */
    TLS_FAILED, /* tls_client_error() says why */
};

/* Goes on with the handshake. */
enum tls_progress tls_client_handshake(struct tls_client *client);

/* True: the handshake has failed after the server had shown its certificate, which was accepted,
 * and had asked for one of the client. Such a server lives. */
bool tls_client_was_asked(const struct tls_client *client);

/* TLS_DONE: *length bytes (1 or more) were read or written. */
enum tls_progress tls_client_read(struct tls_client *client, void *bytes, size_t size,
                                  size_t *length);
enum tls_progress tls_client_write(struct tls_client *client, const void *bytes, size_t size,
                                   size_t *length);

/* Tells the server that nothing more will come (close_notify), as far as the socket takes it. */
void tls_client_end(struct tls_client *client);

/* After TLS_FAILED: one line, printable ASCII. Valid until the next call. */
const char *tls_client_error(struct tls_client *client);

#endif
