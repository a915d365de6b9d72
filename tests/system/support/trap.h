/* Processes caught at one of their messages.
 *
 * Generations speak to each other by sendmsg() and recvmsg(), and their main threads use these for
 * nothing else; so strace, told to inject a signal at the entry to the N-th of them, catches a
 * process before its N-th message goes out, or before it is taken in. */
#ifndef TESTS_SYSTEM_TRAP_H
#define TESTS_SYSTEM_TRAP_H

#include "tests/system/support/proxy.h"

/* As strace shows the head of a message: magic, version 1.7, and its type. */
#define TRAP_CLOSED  "xppr\\2\\0\\0\\0\\n\\0"
#define TRAP_READY   "xppr\\2\\0\\0\\0\\6\\0"
#define TRAP_HANDOFF "xppr\\2\\0\\0\\0\\17\\0"
#define TRAP_TAKEN   "xppr\\2\\0\\0\\0\\20\\0"
#define TRAP_BACK    "xppr\\2\\0\\0\\0\\26\\0"

struct trap {
    const char *call;   /* "sendmsg" or "recvmsg" */
    unsigned step;      /* which of them, from 1 on; 0: none, it is only watched */
    const char *signal; /* "SIGKILL" or "SIGSTOP" */
    char trace[PATH_MAX], pid_file[PATH_MAX], log[PATH_MAX];
};

/* False: strace is not there, or may not trace. */
bool trap_works(void);

/* Chooses its files, in the test's directory, by name. */
void trap_init(struct trap *trap, const char *name, const char *call, unsigned step,
               const char *signal);

/* The successor that comes next, of a proxy with a binary of its own; and its pid, once it has. */
void trap_successor(const struct trap *trap, const struct proxy *proxy);
pid_t trap_caught(const struct trap *trap);

/* A process that runs. Returns when it is watched, with strace's pid. */
pid_t trap_process(const struct trap *trap, pid_t pid);

/* The same, but its main loop fails at its next wait, so that it exits by itself, with status 1:
 * the test's own process is to have ASAN_OPTIONS=detect_leaks=0 before it is started. */
pid_t trap_failure(const struct trap *trap, pid_t pid);

/* Of the calls of its kind: how many stand in the trace; which is the first that carried one of two
 * messages, and was not cut short (0: none); and how many carried that message. */
unsigned trap_calls(const struct trap *trap);
unsigned trap_first(const struct trap *trap, const char *message, const char *other);
unsigned trap_carried(const struct trap *trap, const char *message);

#endif
