/* A supervisor (--supervise, --watch-files) with its generations. */
#ifndef TESTS_SYSTEM_SUPERVISOR_H
#define TESTS_SYSTEM_SUPERVISOR_H

#include "tests/system/support/proxy.h"

#include <signal.h>

enum { KILLED = 128 + SIGKILL };

/* Starts proxy->program with that option, and waits until it serves. Returns the pid of the
 * supervisor; proxy->pid is that of the first generation. */
pid_t supervisor_start(struct proxy *proxy, const char *option);

/* For wait_until(), of a struct proxy: another generation serves, which it names from then on. */
bool has_reloaded(void *proxy);

/* A reload by a signal to the supervisor. */
void reload_through(struct proxy *proxy, pid_t supervisor, int signal);

/* Waits for its end, with that exit status. */
void expect_end(pid_t supervisor, int status);

/* By SIGTERM; nothing is left, and the log is clean. */
void stop_through(const struct proxy *proxy, pid_t supervisor);

#endif
