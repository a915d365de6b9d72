/* A proxy with one bind, in front of servers that are listeners of the test, a backend each. */
#ifndef TESTS_SYSTEM_STAND_H
#define TESTS_SYSTEM_STAND_H

#include "tests/system/support/scene.h"

#include <stddef.h>
#include <stdint.h>

enum { SERVERS = 3 };

struct stand {
    struct proxy proxy;
    struct endpoint front;
    uint16_t port, server_ports[SERVERS];
    int servers[SERVERS];
};

/* The backends: "one", "two", "three". */
extern const char *const server_names[SERVERS];

/* Chooses ports and paths. Writes no file and starts nothing. */
void stand_init(struct stand *stand);

/* Writes the file; routes: options of the frontend. */
void stand_configure(const struct stand *stand, const char *routes);

/* All of that, and starts the proxy. */
void stand_start(struct stand *stand, const char *routes);

/* The server gets exactly what the client has said, and the session works on, and ends. At most
 * 8192 bytes. */
void arrives(const struct stand *stand, int server, int client, const void *bytes, size_t length);

#endif
