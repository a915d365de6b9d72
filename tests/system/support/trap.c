#include "tests/system/support/trap.h"

#include "tests/system/support/harness.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TRACE_LINE_MAX = 2048 };

bool trap_works(void)
{
    if (!program_exists("strace")) {
        return false;
    }
    struct outcome outcome;
    run(&outcome, "strace", "-qq", "-o", "/dev/null", "true", NULL);
    return outcome.code == 0;
}

static void choose_path(char path[static PATH_MAX], const char *name, const char *suffix)
{
    char file[NAME_MAX];
    snprintf(file, sizeof file, "%s.%s", name, suffix);
    test_path(path, file);
}

void trap_init(struct trap *trap, const char *name, const char *call, unsigned step,
               const char *signal)
{
    *trap = (struct trap){.call = call, .step = step, .signal = signal};
    choose_path(trap->trace, name, "trace");
    choose_path(trap->pid_file, name, "successor");
    choose_path(trap->log, name, "strace.log");
}

static void describe(const struct trap *trap, char text[static 80])
{
    if (trap->step == 0) {
        snprintf(text, 80, "signal=none");
    } else {
        snprintf(text, 80, "inject=%s:signal=%s:when=%u%s", trap->call, trap->signal, trap->step,
                 trap->each ? "+" : "");
    }
}

/* The new process runs under strace, with the pid that the old process launched. */
void trap_successor(const struct trap *trap, const struct proxy *proxy)
{
    char inject[80];
    if (!trap->call) {
        /* A tracer that has just begun would outlive a process that is killed, with a copy of its
         * channel, and so with the listening sockets in messages that nobody has read. */
        write_file(proxy->program, 0755, "#!/bin/sh\necho $$ > %s\nexec %s \"$@\"\n",
                   trap->pid_file, proxy_binary());
        return;
    }
    describe(trap, inject);
    write_file(proxy->program, 0755,
               "#!/bin/sh\n"
               "echo $$ > %s\n"
               "export ASAN_OPTIONS=detect_leaks=0:$ASAN_OPTIONS\n"
               "exec strace -D -qq -o %s -e trace=sendmsg,recvmsg -e %s %s \"$@\"\n",
               trap->pid_file, trap->trace, inject, proxy_binary());
}

pid_t trap_caught(const struct trap *trap)
{
    char text[32];
    int pid;
    ck_assert_uint_gt(read_file(trap->pid_file, text, sizeof text), 0);
    ck_assert_int_eq(sscanf(text, "%d", &pid), 1);
    return pid;
}

bool trap_halts(struct trap *trap, pid_t pid, const char *message, unsigned count)
{
    if (file_mentions(trap->trace, "stopped by SIGSTOP") <= trap->halts) {
        return false;
    }
    if (trap_carried(trap, message) >= count) {
        return true;
    }
    trap->halts++;
    ck_assert_int_eq(kill(pid, SIGCONT), 0);
    return false;
}

void trap_release(pid_t pid)
{
    pid_t tracer = (pid_t)process_status(pid, "TracerPid:", 10);
    ck_assert_int_gt(tracer, 0);
    ck_assert_int_eq(kill(tracer, SIGKILL), 0);
    wait_gone(tracer);
    ck_assert_int_eq(kill(pid, SIGCONT), 0);
}

static pid_t attach(const struct trap *trap, pid_t pid, const char *calls, const char *inject,
                    bool all_threads)
{
    char number[16];
    snprintf(number, sizeof number, "%d", (int)pid);
    const char *argv[] = {"strace", "-p",  number, "-o",   trap->trace,
                          "-e",     calls, "-e",   inject, all_threads ? "-f" : NULL,
                          NULL};
    pid_t strace =
        program_start(&(struct program){.argv = argv, .out = trap->log, .err = trap->log});
    wait_mentioned(trap->log, "attached");
    return strace;
}

pid_t trap_process(const struct trap *trap, pid_t pid)
{
    char inject[80];
    describe(trap, inject);
    return attach(trap, pid, "trace=sendmsg,recvmsg", inject, false);
}

pid_t trap_failure(const struct trap *trap, pid_t pid)
{
    return attach(trap, pid, "trace=/^epoll_p?wait", "inject=/^epoll_p?wait:error=EBADF", false);
}

pid_t trap_delay(const struct trap *trap, pid_t pid, const char *call)
{
    char calls[40], inject[80];
    snprintf(calls, sizeof calls, "trace=%s", call);
    snprintf(inject, sizeof inject, "inject=%s:delay_enter=600s", call);
    return attach(trap, pid, calls, inject, true);
}

/* Reads the trace up to the next call of the trap's kind. */
static bool next_call(const struct trap *trap, FILE *trace, char line[static TRACE_LINE_MAX])
{
    while (fgets(line, TRACE_LINE_MAX, trace) != NULL) {
        if (strncmp(line, trap->call, strlen(trap->call)) == 0) {
            return true;
        }
    }
    return false;
}

static bool carried(const char *line, const char *message)
{
    return strstr(line, "= ?") == NULL && strstr(line, message) != NULL;
}

unsigned trap_calls(const struct trap *trap)
{
    char line[TRACE_LINE_MAX];
    unsigned calls = 0;
    FILE *trace = fopen(trap->trace, "re");
    while (trace != NULL && next_call(trap, trace, line)) {
        calls++;
    }
    if (trace != NULL) {
        fclose(trace);
    }
    return calls;
}

unsigned trap_first(const struct trap *trap, const char *message, const char *other)
{
    char line[TRACE_LINE_MAX];
    unsigned calls = 0;
    bool found = false;
    FILE *trace = fopen(trap->trace, "re");
    while (trace != NULL && !found && next_call(trap, trace, line)) {
        calls++;
        found = carried(line, message) || carried(line, other);
    }
    if (trace != NULL) {
        fclose(trace);
    }
    return found ? calls : 0;
}

unsigned trap_carried(const struct trap *trap, const char *message)
{
    char line[TRACE_LINE_MAX];
    unsigned calls = 0;
    FILE *trace = fopen(trap->trace, "re");
    while (trace != NULL && next_call(trap, trace, line)) {
        calls += carried(line, message);
    }
    if (trace != NULL) {
        fclose(trace);
    }
    return calls;
}
