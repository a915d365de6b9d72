/* Other proxies, real ones, before and behind the proxy, and clients with an address of their own
 * whose name the logs of all of them have. */
#ifndef TESTS_SYSTEM_PEERS_H
#define TESTS_SYSTEM_PEERS_H

#include "tests/system/support/net.h"
#include "tests/system/support/proxy.h"

/* No program of a test has this address, so that it cannot be taken for the client's. */
#define CLIENT_HOST "127.0.0.77"

struct client {
    int socket;
    char name[64]; /* its address, as the log of the proxy has it */
};

/* A client from CLIENT_HOST to 127.0.0.1. */
struct client client_to(uint16_t port);

/* From and to ::1; false: there is no IPv6. */
bool client6_to(uint16_t port, struct client *client);

/* Receives to the end of the stream, at most size - 1 bytes, and adds a NUL. Returns the length. */
size_t receive_all(int socket, char *text, size_t size);

/* The programs; NULL: there is none. nginx may lack the module, which is a file. */
const char *nginx_program(void);
const char *haproxy_program(void);
extern const char nginx_stream_module[];

/* Starts nginx with these sections, and returns when it listens: it writes its pid file after that.
 */
void nginx_start(const char *sections);

/* Starts HAProxy with these frontends and backends; its log is "haproxy.log". The port is that of a
 * frontend which passes on no connection without a header, for the function looks whether HAProxy
 * listens. */
void haproxy_start(uint16_t port, const char *sections);

#endif
