/* Sockets for the tests' clients and servers: blocking, each call bounded by PATIENCE_MS; an error
 * fails the test. For the main thread. */
#ifndef TESTS_SYSTEM_NET_H
#define TESTS_SYSTEM_NET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct endpoint {
    socklen_t length;
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    };
};

struct endpoint endpoint_loopback(uint16_t port); /* 127.0.0.1 */
struct endpoint endpoint_unix(const char *path);

/* A listening socket on 127.0.0.1 and a port from port_reserve(), which no other program gets when
 * the socket is closed. */
int listen_loopback(uint16_t *port);
int listen_unix(const char *path);

/* The port of a listener that never answers, since its backlog is full. */
uint16_t listen_full(void);

int connect_to(const struct endpoint *where);

/* connect() that may fail: returns the socket, or -1 with errno. */
int try_connect(const struct endpoint *where);

int accept_from(int listener);

void send_all(int socket, const void *bytes, size_t length);
void receive_exactly(int socket, void *bytes, size_t length);

void expect_eof(int socket);
void expect_reset(int socket);

/* Connects as a client that is reset, at once or after its bytes; they are sent where it has not
 * been reset before. The kernel tells of a reset once, by the first call that comes after it: where
 * this process is slow, that is connect(2) or send(2). */
void expect_reset_after(const struct endpoint *where, const void *bytes, size_t length);

/* The same, for a client that sends nothing. */
void expect_reset_at(const struct endpoint *where);

/* True if something (bytes, an end, an error) can be read within the time. */
bool readable_within(int socket, int ms);

void send_reset(int socket); /* closes the socket so that the peer sees a reset */

#endif
