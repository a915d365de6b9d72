/* What every scenario needs: a process and a directory of its own for each test, programs that are
 * started and awaited, and ports that no other program takes.
 *
 * A scenario file exports `Suite *NAME_suite(void)`, named in scenarios.h. Each test is a Check
 * case of its own (scenario_add), so `CK_RUN_CASE=name` runs one. Threads of a test never assert:
 * they leave a result that the test's own thread checks.
 *
 * Failures abort the test by Check's own means. Everything here is for the test's main thread
 * unless its comment says otherwise. */
#ifndef TESTS_SYSTEM_HARNESS_H
#define TESTS_SYSTEM_HARNESS_H

#include <check.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The upper bound for any single wait. It is reached only when something hangs. */
#define PATIENCE_MS 120000

/* Adds a test as a case of its own, with a directory. A case that runs longer than `seconds` is
 * killed with everything it started, and fails; CK_TIMEOUT_MULTIPLIER extends this. At the end
 * everything that the test started is killed and reaped. The directory is removed when the test
 * passes; otherwise it is kept, and the ends of its logs are printed. */
void scenario_add(Suite *suite, const TTest *test, unsigned seconds);

/* Ends the test as skipped, not as passed, for a reason that the runner prints. A macro, because
 * Check has no such result and the test function itself must return. */
#define skip_test(...)                                                                             \
    do {                                                                                           \
        skip_report(__VA_ARGS__);                                                                  \
        return;                                                                                    \
    } while (0)

void skip_report(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A count of the full test, times RPPROXY_TEST_SCALE (default 1), but never below `least`. */
unsigned scaled(unsigned count, unsigned least);

/* The test's directory: absolute, mode 0755, short enough for the path of a Unix socket in it. */
const char *test_directory(void);

/* Sets path to `name` in the test's directory, and returns it. */
const char *test_path(char path[static PATH_MAX], const char *name);

/* Writes the whole file and replaces what was there. */
void write_file(const char *path, mode_t mode, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Reads at most size - 1 bytes and adds a NUL; returns the length, 0 also for a missing file. */
size_t read_file(const char *path, char *text, size_t size);

void copy_file(const char *from, const char *to, mode_t mode);

/* Number of lines that contain `text`. */
unsigned file_mentions(const char *path, const char *text);

/* Fails if a sanitizer, an assertion or a memory checker has reported an error in the file. Every
 * *.log of the test's directory is checked when the test has passed. */
void expect_clean_log(const char *path);

int64_t now_ms(void); /* monotonic */

/* For states that have no event: polls until is_so() is true; fails the test, naming `what`, after
 * PATIENCE_MS. */
void wait_until(bool (*is_so)(void *argument), void *argument, const char *what);

/* Waits until the file exists. */
void wait_file(const char *path);

/* Wait until `text` is in the file; until it is in at least, or in exactly, `count` lines. A
 * process writes its log a moment after it has reported the same elsewhere. */
void wait_mentioned(const char *path, const char *text);
void wait_mentions_least(const char *path, const char *text, unsigned count);
void wait_mentions(const char *path, const char *text, unsigned count);

/* --- programs --- */

/* Descriptors that a program gets as from a service manager (sd_listen_fds(3)). */
struct passed {
    const int *fds;
    unsigned count;
    const char *names; /* LISTEN_FDNAMES; NULL: not set */
};

struct program {
    const char *const *argv; /* argv[0] is searched in PATH unless it has a slash */
    const char *const *env;  /* "NAME=value" strings added to ours, NULL-ended; may be NULL */
    const char *user;        /* become this user first (root only); NULL: ours */
    const char *in;          /* its standard input; NULL: /dev/null */
    /* files for its output; NULL: /dev/null; the same path: one file */
    const char *out, *err;
    const char *directory;       /* working directory; NULL: ours */
    const struct passed *passed; /* NULL: none */
    bool family; /* it ends when it and all that it has started have ended; killed if it does not */
};

/* True if `name` is found in PATH (or is executable, if it has a slash). */
bool program_exists(const char *name);

/* Starts the program. The child is killed when the test's process ends. */
pid_t program_start(const struct program *program);

/* The same, with all output in a file of that name in the test's directory; log gets its path. */
pid_t program_start_logged(const char *const *argv, char log[static PATH_MAX], const char *name);

/* Waits, by pidfd, until the process (a child or not) is gone; fails the test after PATIENCE_MS.
 * Returns the wait status of a child, or -1 if it was reaped before; -1 for other processes. */
int wait_gone(pid_t pid);

bool process_alive(pid_t pid); /* false for a zombie */

/* The number of entries in its /proc/PID/fd, for comparisons; a field of its /proc/PID/status, by
 * "Name:". */
unsigned process_descriptors(pid_t pid);
unsigned long long process_status(pid_t pid, const char *key, int base);

/* Sends SIGSTOP. Returns when each thread of the process has stopped. */
void process_stop(pid_t pid);

struct outcome {
    int code; /* exit status, or 128 + signal */
    char out[131072], err[32768];
};

/* Runs a program to its end. A program that does not end within `patience_ms` is killed, and the
 * test fails. program->out and err are ignored. */
void program_run(const struct program *program, int patience_ms, struct outcome *outcome);

/* program_run() with an argument list, NULL-ended. */
void run(struct outcome *outcome, const char *argv0, ...) __attribute__((sentinel));

/* The number of processes that were started by the test or became its children, exited with another
 * status than 0 so far, and were not reaped by wait_gone(). Reaps dead children. */
unsigned orphans_failed(void);

/* Reaps dead children, for a program that waits until nothing is left of a process. */
void orphans_reap(void);

/* --- network --- */

/* A TCP port that the kernel gives to no other program while the test runs: a socket of `owner` is
 * bound to it, on [::], and never listens. Because of its SO_REUSEADDR a program that sets this too
 * may bind the port as well, because of its SO_REUSEPORT one of the same user. It does not listen,
 * so it is no member of their reuseport group. */
uint16_t port_reserve(uid_t owner);

/* Enters a new network namespace, with loopback up. Must be called before anything is started.
 * False: not permitted. */
bool network_own(void);

#endif
