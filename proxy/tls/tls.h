/* TLS of one connection, by OpenSSL, without a socket: what was received goes in, and what is to be
 * sent comes out. So the engine keeps all that touches the kernel, reads and writes of any size are
 * one system call each, regardless of the records in them, and an idle connection holds no buffer
 * but OpenSSL's own for a record that has come in part.
 *
 * All functions of one connection are called by one thread. */
#ifndef RPPROXY_PROXY_TLS_TLS_H
#define RPPROXY_PROXY_TLS_TLS_H

#include "proxy/tls/tls_failure.h"

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>

struct tls;

/* What the last call for any connection of the worker has given; the next call overwrites it. */
struct tls_output {
    unsigned char *plain; /* what the other side has said */
    size_t plain_length, plain_room;
    unsigned char *sealed; /* what the other side is to be sent */
    size_t sealed_length, sealed_room;
};

enum tls_result {
    TLS_GOES_ON,
    TLS_HAS_ENDED,  /* the other side will say nothing more (close_notify), or only now has said so
                     */
    TLS_HAS_FAILED, /* tls_error() says why; output->sealed is the alert, if there is one */
};

/* Takes the SSL object, whose state says which side it is. output: outlives it. NULL: out of
 * memory; ssl is freed then, and may be NULL. */
struct tls *tls_new(SSL *ssl, struct tls_output *output) __attribute__((warn_unused_result));

/* NULL is fine. */
void tls_free(struct tls *tls);

/* The handshake is complete. */
bool tls_is_open(const struct tls *tls);

/* The other side has ended its stream. */
bool tls_has_ended(const struct tls *tls);

SSL *tls_ssl(const struct tls *tls);

/* Takes all of what was received, and gives what it means, and what it is to be answered with. With
 * no bytes: begins the handshake, where this side does. */
enum tls_result tls_receive(struct tls *tls, const unsigned char *bytes, size_t length)
    __attribute__((warn_unused_result));

/* Gives the records with these bytes, all of them, or holds the bytes: tls_holds(). False: it has
 * failed. */
bool tls_seal(struct tls *tls, const unsigned char *bytes, size_t length)
    __attribute__((warn_unused_result));

/* Gives the record that says that nothing more will come from this side, or holds it; nothing at
 * all when it was given before. */
void tls_end(struct tls *tls);

/* Something that tls_seal() or tls_end() was to give is held: the other side is in the middle of a
 * message of TLS itself (TLS 1.3: a change of keys, a ticket), and OpenSSL seals nothing until that
 * is complete. tls_receive() gives it then. The caller should say no more meanwhile: all of it is
 * kept. */
bool tls_holds(const struct tls *tls);

/* After a failure: one line, as OpenSSL has it. Valid as long as tls. */
const char *tls_error(const struct tls *tls);

/* ... and in which class it belongs; TLS_FAILED_ENDED where nothing has failed. */
enum tls_failure tls_failure(const struct tls *tls);

void tls_output_free(struct tls_output *output);

#endif
