#include "trap.h"

#include "harness.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
        snprintf(text, 80, "inject=%s:signal=%s:when=%u", trap->call, trap->signal, trap->step);
    }
}

/* It runs under strace, under the pid that its predecessor launched. */
void trap_successor(const struct trap *trap, const struct proxy *proxy)
{
    char inject[80];
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

pid_t trap_process(const struct trap *trap, pid_t pid)
{
    char number[16], inject[80];
    snprintf(number, sizeof number, "%d", (int)pid);
    describe(trap, inject);
    const char *argv[] = {
        "strace", "-p",   number, "-o", trap->trace, "-e", "trace=sendmsg,recvmsg",
        "-e",     inject, NULL};
    pid_t strace =
        program_start(&(struct program){.argv = argv, .out = trap->log, .err = trap->log});
    wait_mentioned(trap->log, "attached");
    return strace;
}

/* Counts the calls until one of the messages comes; NULL: all. */
static unsigned count(const struct trap *trap, const char *message, const char *other)
{
    char line[2048];
    unsigned calls = 0;
    bool found = false;
    FILE *trace = fopen(trap->trace, "re");
    while (trace != NULL && !found && fgets(line, sizeof line, trace) != NULL) {
        bool is_call = strncmp(line, trap->call, strlen(trap->call)) == 0;
        calls += is_call;
        found = is_call && message != NULL && strstr(line, "= ?") == NULL &&
                (strstr(line, message) != NULL || strstr(line, other) != NULL);
    }
    if (trace != NULL) {
        fclose(trace);
    }
    return message == NULL || found ? calls : 0;
}

unsigned trap_calls(const struct trap *trap)
{
    return count(trap, NULL, NULL);
}

unsigned trap_first(const struct trap *trap, const char *message, const char *other)
{
    return count(trap, message, other);
}
