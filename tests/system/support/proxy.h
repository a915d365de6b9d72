/* The program under test, from outside: its file, its processes, its commands. */
#ifndef TESTS_SYSTEM_PROXY_H
#define TESTS_SYSTEM_PROXY_H

#include "tests/system/support/harness.h"

struct proxy {
    char program[PATH_MAX]; /* what is launched; the real binary unless the test replaces it */
    char file[PATH_MAX], control[PATH_MAX], pidfile[PATH_MAX], log[PATH_MAX];
    const char *user;            /* started as this user; NULL: as ours */
    const char *const *env;      /* added to its environment */
    const struct passed *passed; /* sockets that it gets at the start; NULL: none */
    pid_t pid;                   /* the active generation that the test knows of */
    unsigned generation;
};

/* The real binary: $RPPROXY, else `rpproxy` beside the test program. */
const char *proxy_binary(void);

/* Whether the binary has AddressSanitizer or ThreadSanitizer, which need more memory and time. */
bool sanitized(void);

/* Chooses the paths, all in the test's directory under `name`. Starts nothing. */
void proxy_init(struct proxy *proxy, const char *name);

/* Puts a copy of the real binary into the test's directory, which is launched from then on, so that
 * the test may replace it. */
void proxy_own_binary(struct proxy *proxy);

/* Writes the file: [global] with control, pidfile and `probation = 0s`, unless `text` has a
 * probation (every test would wait for it); then `text`, which begins with further keys of [global]
 * and continues with sections. */
void proxy_configure(const struct proxy *proxy, const char *text, ...)
    __attribute__((format(printf, 2, 3)));

/* Starts the proxy without waiting; its stderr goes to the log file. */
void proxy_launch(struct proxy *proxy);

/* Waits until the proxy answers on its control socket. Fails the test if the proxy ends instead. */
void proxy_wait_serving(struct proxy *proxy);

/* proxy_launch() and proxy_wait_serving(). */
void proxy_start(struct proxy *proxy);

/* Runs `rpproxy COMMAND -f FILE ARGUMENTS` with the real binary; arguments NULL-ended. Returns the
 * exit code. */
int proxy_command(const struct proxy *proxy, struct outcome *outcome, const char *command, ...)
    __attribute__((sentinel));

/* Starts the same command and does not wait for it. Its output goes to the file `out`; NULL:
 * /dev/null. */
pid_t proxy_command_start(const struct proxy *proxy, const char *out, const char *command, ...)
    __attribute__((sentinel));

/* A connection to the control socket, on which a question was answered. The process closes the
 * connection of a command when it sees that the command has ended: all that ended before are closed
 * by now, and this one stays open until the test closes it. */
int proxy_after_commands(const struct proxy *proxy);

/* `rpproxy events --json`, in the background, into the test's file `name`, whose path is stored. It
 * follows now: it has printed an event of the past. */
pid_t proxy_follow_events(const struct proxy *proxy, char file[static PATH_MAX], const char *name);

/* A reload that must succeed: checks exit code, output and pids, and makes the new process
 * proxy->pid. */
void proxy_reload(struct proxy *proxy);

/* The same, of which the test sees to the processes meanwhile. One at a time. */
pid_t proxy_reload_start(const struct proxy *proxy);
void proxy_reload_end(struct proxy *proxy, pid_t reload);

/* The same by a signal (SIGUSR2, SIGHUP): waits until another generation is active. */
void proxy_reload_by_signal(struct proxy *proxy, int signal);

/* Sets pid and generation to the active process, whichever it is. */
void proxy_follow(struct proxy *proxy);

/* Waits until the active process is the only generation left. */
void proxy_wait_drained(struct proxy *proxy);

/* Stops the proxy gracefully and checks that every generation exited with 0 and that the log is
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
        pid_t pid; /* 0: no crash is known */
    } last_crash;
    /* Sums over all generations since the first. */
    struct {
        uint64_t sessions, connect_errors, failed, cut, client_bytes, server_bytes;
    } total;
};

/* Runs `rpproxy status --json`. False if no process answers. */
bool proxy_status(const struct proxy *proxy, struct status *status);

/* The number in the pidfile, or -1. */
pid_t proxy_pidfile(const struct proxy *proxy);

#endif
