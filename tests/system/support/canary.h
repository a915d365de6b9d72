/* Canary reloads, as a test sees them from outside. */
#ifndef TESTS_SYSTEM_CANARY_H
#define TESTS_SYSTEM_CANARY_H

#include "tests/system/support/churn.h"
#include "tests/system/support/origin.h"
#include "tests/system/support/scene.h"

enum { IN_FLIGHT = 50, CONNECTIONS = 300, SESSIONS_MAX = 200 };

/* Starts the scene with another server than the test, and clients. */
void start_under_load(struct scene *scene, struct origin *origin, struct churn **churn);

/* Sessions are opened until each side has some. Returns how many. */
unsigned sessions_on_both_sides(const struct scene *scene,
                                struct session sessions[static SESSIONS_MAX]);
void sessions_work(const struct session *sessions, unsigned count);
void sessions_close(const struct session *sessions, unsigned count);

/* Those that have not ended work; all are closed. Returns how many these were. */
unsigned sessions_alive(const struct session *sessions, unsigned count);

/* A reload that waits, in the background. */
struct reload {
    pid_t pid;
    char out[PATH_MAX], err[PATH_MAX];
};

/* `rpproxy reload --canary PLAN`, which tells its steps. */
struct reload reload_start(const struct proxy *proxy, const char *plan);

/* `rpproxy reload --abort` or `--promote`, likewise. */
struct reload decision_start(const struct proxy *proxy, const char *option);

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

/* Starts the scene, and in it a canary that gets half of the new connections, and sessions on both
 * sides. Returns how many. */
unsigned start_with_canary(struct scene *scene, const char *global, struct reload *reload,
                           struct canary *canary, struct session sessions[static SESSIONS_MAX]);

/* --- for wait_until() --- */

/* The process, a pid_t, is gone, and no zombie is left of it. */
bool buried(void *argument);

/* The proxy's first process serves, and no other is left. */
bool is_active_again(void *argument);

/* proxy_reload() after a canary, whose number is not given out again. */
void next_reload(struct proxy *proxy);

#endif
