/* Canary reloads, observed from outside. */
#ifndef TESTS_SYSTEM_CANARY_H
#define TESTS_SYSTEM_CANARY_H

#include "tests/system/support/churn.h"
#include "tests/system/support/origin.h"
#include "tests/system/support/scene.h"

enum { IN_FLIGHT = 50, CONNECTIONS = 300, SESSIONS_MAX = 200 };

/* Starts the scene with an origin as the server, and clients. */
void start_under_load(struct scene *scene, struct origin *origin, struct churn **churn);

/* Opens sessions until both processes have some. Returns how many. */
unsigned sessions_on_both_sides(const struct scene *scene,
                                struct session sessions[static SESSIONS_MAX]);
void sessions_work(const struct session *sessions, unsigned count);
void sessions_close(const struct session *sessions, unsigned count);

/* Checks the sessions that have not ended, and closes all. Returns how many had not ended. */
unsigned sessions_alive(const struct session *sessions, unsigned count);

/* A reload command that runs in the background. */
struct reload {
    pid_t pid;
    char out[PATH_MAX], err[PATH_MAX];
};

/* `rpproxy reload --canary PLAN`, which prints its steps. */
struct reload reload_start(const struct proxy *proxy, const char *plan);

/* `rpproxy reload --abort` or `--promote`, in the background as well. */
struct reload decision_start(const struct proxy *proxy, const char *option);

/* Waits for the command, and checks its exit status. */
void reload_ends(const struct reload *reload, int code);

/* Fails the test unless the file has this text. */
void expect_in_file(const char *path, const char *what);

/* The canary as the status reports it. */
struct canary {
    const struct proxy *proxy;
    pid_t pid;
    unsigned sessions, predecessors; /* accepted since it began */
    double percent;
    int by_source;
};

/* Asks the status again, of canary->proxy. False: there is no canary. */
bool canary_look(struct canary *canary);

/* Waits until there is a canary and it has its share. */
struct canary canary_wait(const struct proxy *proxy);

/* Starts the scene, a canary that gets half of the new connections, and sessions in both processes.
 * Returns how many sessions. */
unsigned start_with_canary(struct scene *scene, const char *global, struct reload *reload,
                           struct canary *canary, struct session sessions[static SESSIONS_MAX]);

/* --- for wait_until() --- */

/* The process, a pid_t, is gone, and no zombie is left of it. */
bool is_reaped(void *argument);

/* The proxy's first process serves, and no other is left. */
bool is_active_again(void *argument);

/* proxy_reload() after a canary: the canary's number is not used again. */
void next_reload(struct proxy *proxy);

#endif
