/* A proxy between a client and a server that are both the test: the test has both ends of each
 * session. */
#ifndef TESTS_SYSTEM_SCENE_H
#define TESTS_SYSTEM_SCENE_H

#include "tests/system/support/net.h"
#include "tests/system/support/proxy.h"

#include <stdint.h>

struct scene {
    struct proxy proxy;
    struct endpoint front; /* the address of the proxy's bind */
    uint16_t port;         /* of front */
    int listener;          /* the server's, on 127.0.0.1 */
    uint16_t server_port;
};

/* Chooses the ports and the paths, and listens as the server. Writes no file and starts nothing. */
void scene_init(struct scene *scene);

/* Writes the file: keys of [global], with two workers unless `global` has the option, [listen main]
 * with one bind and the server `a`, and `rest` at the end of that section. */
void scene_configure(const struct scene *scene, const char *global, const char *rest);

/* scene_init(), scene_configure(), and starts the proxy. */
void scene_start(struct scene *scene, const char *global, const char *rest);

/* The same in front of another server of the machine. The test's own listener gets no connection.
 */
void scene_start_before(struct scene *scene, uint16_t server_port, const char *global,
                        const char *rest);

struct session {
    int client, server;
};

struct session session_open(const struct scene *scene);

/* The same through another bind. */
struct session session_through(const struct endpoint *front, int listener);

/* Sends a word in each direction. */
void session_works(const struct session *session);

/* The client closes, and the server sees the end of the stream. */
void session_close(const struct session *session);

/* Waits until the proxy has cut the session: both sides see a reset, since a stream that was cut
 * must not look complete. */
void session_is_cut(const struct session *session);

#endif
