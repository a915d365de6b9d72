/* Processes that are stopped or killed at one of their messages.
 *
 * Generations send each other messages by sendmsg() and recvmsg(), and their main threads use these
 * for nothing else. So strace, which injects a signal at the entry to the N-th call, catches a
 * process before its N-th message is sent or received. */
#ifndef TESTS_SYSTEM_TRAP_H
#define TESTS_SYSTEM_TRAP_H

#include "tests/system/support/proxy.h"

/* The head of a message as strace prints it: magic, version 2.0, and its type. */
#define TRAP_CLOSED  "xppr\\2\\0\\0\\0\\n\\0"
#define TRAP_READY   "xppr\\2\\0\\0\\0\\6\\0"
#define TRAP_HANDOFF "xppr\\2\\0\\0\\0\\17\\0"
#define TRAP_TAKEN   "xppr\\2\\0\\0\\0\\20\\0"
#define TRAP_BACK    "xppr\\2\\0\\0\\0\\26\\0"

struct trap {
    const char *call;   /* "sendmsg" or "recvmsg"; NULL: the process is not watched at all */
    unsigned step;      /* which call, from 1 on; 0: none, the process is only watched */
    const char *signal; /* "SIGKILL" or "SIGSTOP" */
    bool each;          /* the calls after it as well; for trap_halts() */
    unsigned halts;     /* of trap_halts(): those that were too early */
    char trace[PATH_MAX], pid_file[PATH_MAX], log[PATH_MAX];
};

/* False: strace is not installed, or may not trace. */
bool trap_works(void);

/* Chooses the file names, in the test's directory, from `name`. */
void trap_init(struct trap *trap, const char *name, const char *call, unsigned step,
               const char *signal);

/* For the next new process, of a proxy with a binary of its own; and the pid of that process, once
 * it runs. */
void trap_successor(const struct trap *trap, const struct proxy *proxy);
pid_t trap_caught(const struct trap *trap);

/* For a trap that stops the process at each call: whether it is stopped and the calls have carried
 * `count` messages of a kind by now. A process that is stopped too early goes on. The number of the
 * call is no way to find a message: the processes also ask each other whether they live, as often
 * as there is time for. */
bool trap_halts(struct trap *trap, pid_t pid, const char *message, unsigned count);

/* Lets the stopped process go on without strace. */
void trap_release(pid_t pid);

/* For a running process. Returns strace's pid when the process is watched. */
pid_t trap_process(const struct trap *trap, pid_t pid);

/* The same, but the next wait of the main loop fails, so that the process exits by itself, with
 * status 1. The test's own process must set ASAN_OPTIONS=detect_leaks=0 before it starts the proxy.
 */
pid_t trap_failure(const struct trap *trap, pid_t pid);

/* The same, but each thread that makes this call is held up at it for ten minutes. */
pid_t trap_delay(const struct trap *trap, pid_t pid, const char *call);

/* Of the calls of the trap's kind: how many the trace has; which is the first that carried one of
 * two messages and was completed (0: none); and how many carried a message. */
unsigned trap_calls(const struct trap *trap);
unsigned trap_first(const struct trap *trap, const char *message, const char *other);
unsigned trap_carried(const struct trap *trap, const char *message);

#endif
