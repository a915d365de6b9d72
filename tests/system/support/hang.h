/* A thread of another process that hangs. */
#ifndef TESTS_SYSTEM_HANG_H
#define TESTS_SYSTEM_HANG_H

#include <sys/types.h>

/* Stops a worker thread of the process, as a debugger does, until the test ends. */
void hang_worker_of(pid_t pid);

#endif
