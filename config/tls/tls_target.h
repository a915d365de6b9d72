/* TLS with a server: what it is asked for, and how its certificate is verified. Never changes once
 * it is made, but for the sessions that are kept for the next connections: any thread. */
#ifndef RPPROXY_CONFIG_TLS_TLS_TARGET_H
#define RPPROXY_CONFIG_TLS_TLS_TARGET_H

#include "config/base/address.h"
#include "config/model/tls.h"

#include <openssl/types.h>
#include <stdbool.h>

struct session_cache; /* config/tls/session_cache.h */
struct tls_target;

/* Makes it of the attributes of a server line (conf->on) and of the server's address: host is its
 * name, or NULL, and address counts then.
 * Returns NULL, and *made is the caller's; or what is wrong, in a text as certificate_read() has
 * it. The name that is verified: verify-name; or else sni; or else host, which is also the server
 * name that the server is asked for; or else the numeric address. */
const char *tls_target_new(const struct tls_target_conf *conf, const char *host,
                           const struct address *address, struct tls_target **made)
    __attribute__((warn_unused_result));

/* NULL is fine. */
void tls_target_free(struct tls_target *target);

/* A connection in connect state, without BIOs, with server name, ALPN and the verification set; the
 * caller frees it by SSL_free(). NULL: there is no memory. Where the certificate is not accepted
 * the handshake fails, and SSL_get_verify_result() says why. */
SSL *tls_target_ssl(const struct tls_target *target) __attribute__((warn_unused_result));

/* For further callbacks, which are set before the first tls_target_ssl(). */
SSL_CTX *tls_target_context(struct tls_target *target);

/* Before the handshake of a connection to that address of the server: a session of an earlier
 * connection is resumed if possible. */
void tls_target_resume(const struct tls_target *target, SSL *ssl, const struct address *address);

/* After the handshake of such a connection: whether it was resumed. */
bool tls_target_opened(SSL *ssl);

/* It has failed. */
void tls_target_failed(SSL *ssl);

/* The sessions that are kept. */
struct session_cache *tls_target_sessions(const struct tls_target *target);

/* "imap.internal" or "10.0.0.1": what the certificate must name; NULL: nothing is verified. */
const char *tls_target_verified(const struct tls_target *target);

#endif
