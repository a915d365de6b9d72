/* TLS of the load generator's sessions. OpenSSL reads and writes the descriptor; the certificate of
 * the proxy is not verified, its signature is. */
#ifndef SCRIPTS_BENCH_SECURE_H
#define SCRIPTS_BENCH_SECURE_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct session;

enum secure {
    SECURE_NO,
    SECURE_FULL,   /* each session shakes hands in full */
    SECURE_RESUMED /* each takes up the last session that has ended well, as soon as there is one */
};

/* TLS 1.3 with one cipher suite and one curve, so that all candidates do the same. False: OpenSSL
 * has failed. */
bool secure_init(enum secure secure);

/* For a new connection. NULL: out of memory. */
SSL *secure_new(int fd);

/* 1: done; 0: it waits for the peer; -1: the handshake failed, or was to be a resumption and is
 * none. */
int secure_handshake(SSL *tls);

/* Like send(2) and recv(2) without blocking: errno tells why -1 is returned, and is EAGAIN where
 * the peer is waited for. */
ssize_t secure_send(SSL *tls, const void *bytes, size_t size);
ssize_t secure_receive(SSL *tls, void *bytes, size_t size);

/* Bytes were received that secure_receive() has not returned: no event will tell of them. */
bool secure_pending(const SSL *tls);

/* Frees it. `well`: says goodbye, and the next session may take it up. */
void secure_free(SSL *tls, bool well);

#endif
