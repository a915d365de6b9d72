/* One end of a TLS connection, in the test: blocking, over a socket of net.h. Certificates come
 * from tls_certificate(). An error fails the test, but where a function says otherwise. */
#ifndef TESTS_SYSTEM_TLS_PEER_H
#define TESTS_SYSTEM_TLS_PEER_H

#include <stdbool.h>
#include <stddef.h>

struct tls_peer {
    int fd;
    void *ssl, *context; /* OpenSSL's */
};

/* Makes NAME.pem, a certificate for these names ("DNS:a.test,IP:127.0.0.1") that signs itself, and
 * NAME.pem.key. */
void tls_certificate(const char *name, const char *names);

/* A client on a connected socket. sni: NULL: none; version: 2 or 3, of TLS 1. */
void tls_client(struct tls_peer *peer, int fd, const char *sni, int version);

/* A server that has NAME.pem. */
void tls_server(struct tls_peer *peer, int fd, const char *name);

/* The handshake, of either side. False: it has failed; tls_wrong() says why. */
bool tls_try(struct tls_peer *peer);
void tls_shake(struct tls_peer *peer);
const char *tls_wrong(void);

/* The handshake of a client whose first bytes, which it sends itself, are the caller's to send:
 * returns their number. The rest of the handshake is tls_shake()'s. */
size_t tls_hello(struct tls_peer *peer, unsigned char *bytes, size_t room);

/* Whether the certificate that the other side has shown is for that name. */
bool tls_shows(const struct tls_peer *peer, const char *name);

void tls_send(struct tls_peer *peer, const void *bytes, size_t length);
void tls_receive_exactly(struct tls_peer *peer, void *bytes, size_t length);

/* The client says something to the server behind the proxy, a plain connection, which answers. */
void tls_exchange(struct tls_peer *client, int server);

/* Says that nothing more will come; the socket stays open. */
void tls_say_end(struct tls_peer *peer);

/* The other side says that nothing more will come, and has ended it so. */
void tls_expect_end(struct tls_peer *peer);

/* The connection ends, or is reset, without that. */
void tls_expect_cut(struct tls_peer *peer);

/* Frees all, and closes the socket, without a word. */
void tls_close(struct tls_peer *peer);

#endif
