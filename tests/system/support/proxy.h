/* The program under test, from outside: its file, its processes, its commands. */
#ifndef TESTS_SYSTEM_PROXY_H
#define TESTS_SYSTEM_PROXY_H

#include "tests/system/support/harness.h"

struct proxy {
    char program[PATH_MAX]; /* what is launched; the real binary unless the test puts another there
                             */
    char file[PATH_MAX], control[PATH_MAX], pidfile[PATH_MAX], log[PATH_MAX];
    const char *user;            /* started as this user; NULL: as we are */
    const char *const *env;      /* added to its environment */
    const struct passed *passed; /* sockets it is started with; NULL: none */
    pid_t pid;                   /* the active generation, as far as the test has seen */
    unsigned generation;
};

/* The real binary: $RPPROXY, else `rpproxy` beside the test program. */
const char *proxy_binary(void);

/* It was built with AddressSanitizer or ThreadSanitizer, which need memory and time of their own.
 */
bool sanitized(void);

/* Chooses the paths, all in the test's directory under `name`. Starts nothing. */
void proxy_init(struct proxy *proxy, const char *name);

/* Puts a copy of the real binary into the test's directory and makes it the one that is launched,
 * so that the test may replace it. */
void proxy_own_binary(struct proxy *proxy);

/* Writes the file: [global] with control, pidfile, and no probation unless `text` has one, which
 * every test would wait for; then `text`, which therefore begins with further keys of [global] and
 * goes on with sections. */
void proxy_configure(const struct proxy *proxy, const char *text, ...)
    __attribute__((format(printf, 2, 3)));

/* Starts it without waiting; the log file gets its stderr. */
void proxy_launch(struct proxy *proxy);

/* Waits until it answers on its control socket; fails the test, showing the log, if it ends
 * instead. */
void proxy_wait_serving(struct proxy *proxy);

/* proxy_launch() and proxy_wait_serving(). */
void proxy_start(struct proxy *proxy);

/* Runs `rpproxy COMMAND -f FILE ARGUMENTS` by the real binary. NULL-ended. Returns the exit code.
 */
int proxy_command(const struct proxy *proxy, struct outcome *outcome, const char *command, ...)
    __attribute__((sentinel));

/* Starts the same, and does not wait for it. What it says goes to the file `out`; NULL: nowhere. */
pid_t proxy_command_start(const struct proxy *proxy, const char *out, const char *command, ...)
    __attribute__((sentinel));

/* A reload that must succeed: checks exit code, line and pids, and follows to the successor. */
void proxy_reload(struct proxy *proxy);

/* The same by a signal (SIGUSR2, SIGHUP): waits until another generation is active. */
void proxy_reload_by_signal(struct proxy *proxy, int signal);

/* Follows to whichever generation is active. */
void proxy_follow(struct proxy *proxy);

/* Waits until the active process is the only generation left. */
void proxy_wait_drained(struct proxy *proxy);

/* Stops it gracefully and checks how it lived: every generation exited with 0, and the log is
 * clean. */
void proxy_stop(struct proxy *proxy);

enum { GENERATIONS_MAX = 80 };

struct status {
    struct {
        unsigned generation;
        pid_t pid;
        char state[16]; /* "active", "lingering", "draining" */
        unsigned sessions;
        uint64_t sessions_total, age_ms;
    } generations[GENERATIONS_MAX];
    unsigned count;
    pid_t pid;
    unsigned generation, sessions;
    struct {
        unsigned generation, signal, status;
        uint64_t at, sessions;
        pid_t pid; /* 0: no crash is known of */
    } last_crash;
    /* Of all generations that ever were. */
    struct {
        uint64_t sessions, connect_errors, failed, cut, client_bytes, server_bytes;
    } total;
};

/* Asks `rpproxy status --json`. False if nobody answers. */
bool proxy_status(const struct proxy *proxy, struct status *status);

/* The number in the pidfile, or -1. */
pid_t proxy_pidfile(const struct proxy *proxy);

#endif
