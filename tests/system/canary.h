/* Canary reloads, as a test sees them from outside. */
#ifndef TESTS_SYSTEM_CANARY_H
#define TESTS_SYSTEM_CANARY_H

#include "churn.h"
#include "net.h"
#include "origin.h"
#include "proxy.h"

enum { IN_FLIGHT = 50, CONNECTIONS = 300, LINES_MAX = 200 };

/* A proxy in front of a server that is this test. */
struct stage {
    struct proxy proxy;
    struct endpoint front;
    int listener;
    uint16_t port, server_port;
};

/* Chooses ports, and listens as the server. */
void stage_open(struct stage *stage);

/* global: further keys of [global]; binds: further lines of the one section. */
void configure(const struct stage *stage, const char *global, const char *binds,
               uint16_t server_port);

/* Opens, configures without further lines, and starts the proxy. */
void stage_start(struct stage *stage, const char *global);

/* Another server than the test, and clients. */
void start_under_load(struct stage *stage, struct origin *origin, struct churn **churn);

/* A session, both ends of it. */
struct line {
    int client, server;
};

/* With that client. */
struct line line_of(const struct stage *stage, int client);
struct line line_open(const struct stage *stage);
void line_works(const struct line *line);
void line_close(const struct line *line);

/* Lines are opened until each side has some. Returns how many. */
unsigned lines_on_both_sides(const struct stage *stage, struct line lines[static LINES_MAX]);
void lines_work(const struct line *lines, unsigned count);
void lines_close(const struct line *lines, unsigned count);

/* A reload that waits, in the background. */
struct reload {
    pid_t pid;
    char out[PATH_MAX], err[PATH_MAX];
};

/* `rpproxy reload --canary PLAN`, which tells its steps. */
struct reload reload_start(const struct proxy *proxy, const char *plan);

/* Waits for it, and checks its exit status. */
void reload_ends(const struct reload *reload, int code);

/* Fails the test unless the file has that text. */
void file_says(const char *path, const char *what);

/* What the status tells of the canary. */
struct canary {
    const struct proxy *proxy;
    pid_t pid;
    unsigned sessions, predecessors; /* accepted since it began */
    double percent;
    int by_source;
};

/* Looks again at canary->proxy's. False: there is none. */
bool canary_look(struct canary *canary);

/* Waits until there is one, and has its share. */
struct canary canary_wait(const struct proxy *proxy);

/* --- for wait_until() --- */

/* The process, a pid_t, is gone, and no zombie is left of it. */
bool buried(void *argument);

/* The proxy's first process serves, and no other is left. */
bool is_active_again(void *argument);

/* Until that stands in the file. */
void wait_for_line(const char *path, const char *line);

/* proxy_reload() after a canary, whose number is not given out again. */
void next_reload(struct proxy *proxy);

/* Takes whoever serves for the proxy's process. */
void follow(struct proxy *proxy);

#endif
