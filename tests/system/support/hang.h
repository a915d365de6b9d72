/* A thread of another process that hangs. */
#ifndef TESTS_SYSTEM_HANG_H
#define TESTS_SYSTEM_HANG_H

#include <sys/types.h>

/* Its state as in /proc/PID/stat; NUL: there is no such thread. Does not abort the test. */
char state_of(pid_t thread);

/* A worker thread of the process. */
pid_t worker_of(pid_t pid);

/* Stops the thread, as a debugger does, and returns when it is stopped: the pid of the debugger.
 * The thread continues when the debugger or the test ends. The debugger also reaps the thread. */
pid_t hang_thread(pid_t thread);

#endif
