/* Sessions of TLS that a server has given, for the next connections to it. Any thread; a lock is
 * held for the look at a short list.
 *
 * A session is handed out once, so that no two connections have it, and so that a ticket of TLS 1.3
 * is used once (RFC 8446, C.4). A resumption does not verify the server's certificate again.
 * So the cache keeps only sessions of servers whose certificate was accepted. It hands out none
 * after the certificate has expired, and none whose last full verification, before all resumptions,
 * is older than SESSION_CACHE_LIFE. */
#ifndef RPPROXY_CONFIG_TLS_SESSION_CACHE_H
#define RPPROXY_CONFIG_TLS_SESSION_CACHE_H

#include "config/base/address.h"

#include <openssl/types.h>
#include <stdbool.h>
#include <time.h>

/* Of one address, the newest; and addresses, those that were connected last. */
#define SESSION_CACHE_SESSIONS  16
#define SESSION_CACHE_ADDRESSES 64

#define SESSION_CACHE_LIFE (12 * 3600)

struct session_cache;

/* For all connections of the context, which has one certificate to verify. NULL: out of memory. */
struct session_cache *session_cache_new(SSL_CTX *context) __attribute__((warn_unused_result));

/* Before the handshake of a connection to that address: it tries to resume a session, if there is
 * one, and what the server gives will be kept. `now` is time(2). Without memory it does neither. */
void session_cache_join(struct session_cache *cache, SSL *ssl, const struct address *address,
                        time_t now);

/* The handshake is complete. Returns whether the session was resumed. */
bool session_cache_opened(SSL *ssl);

/* The handshake has failed. If it was to resume a session, all sessions of the address are
 * forgotten: the next attempt is a full handshake. */
void session_cache_failed(SSL *ssl);

/* No connection is left. NULL is fine. */
void session_cache_free(struct session_cache *cache);

#endif
