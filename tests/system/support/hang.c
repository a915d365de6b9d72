#include "tests/system/support/hang.h"

#include "tests/system/support/harness.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* The youngest thread: workers are started last. The kernel lists threads in the order in which
 * they were started; their numbers do not tell it where they have begun again from the lowest. */
pid_t worker_of(pid_t pid)
{
    char path[64];
    int worker = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *threads = opendir(path);
    for (const struct dirent *entry; threads && (entry = readdir(threads));) {
        if (entry->d_name[0] != '.') {
            worker = atoi(entry->d_name);
        }
    }
    if (threads) {
        closedir(threads);
    }
    ck_assert_int_gt(worker, 0);
    ck_assert_int_ne(worker, pid);
    return worker;
}

char state_of(pid_t thread)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)thread);
    const char *name_end = read_file(path, text, sizeof text) > 0 ? strrchr(text, ')') : NULL;
    return name_end && name_end[1] == ' ' ? name_end[2] : '\0';
}

static bool is_traced(void *argument)
{
    const pid_t *thread = argument;
    return state_of(*thread) == 't';
}

pid_t hang_thread(pid_t thread)
{
    pid_t debugger = fork();
    ck_assert_int_ge(debugger, 0);
    if (debugger > 0) {
        wait_until(is_traced, &thread, "the thread is stopped");
        return debugger;
    }
    int outcome;
    if (ptrace(PTRACE_SEIZE, thread, NULL, NULL) == 0 &&
        ptrace(PTRACE_INTERRUPT, thread, NULL, NULL) == 0) {
        while (waitpid(thread, &outcome, __WALL) == thread && WIFSTOPPED(outcome)) {
        }
    }
    _exit(0);
}
