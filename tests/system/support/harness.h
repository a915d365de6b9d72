/* The ground every scenario stands on: a process and a directory of its own for each test,
 * programs started and awaited, ports nobody else takes.
 *
 * A scenario file exports `Suite *NAME_suite(void)`, named in scenarios.h. Each test is a Check
 * case of its own (scenario_add), so `CK_RUN_CASE=name` runs one. Threads live inside a test only;
 * they never assert: they leave a result for the test's own thread to judge.
 *
 * Failures abort the test by Check's own means. Everything here is for the test's main thread
 * unless it says otherwise. */
#ifndef TESTS_SYSTEM_HARNESS_H
#define TESTS_SYSTEM_HARNESS_H

#include <check.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The upper bound for any single thing that is waited for: reached only when something hangs. */
#define PATIENCE_MS 120000

/* Adds a test as a case of its own, with its directory and its cleaning-up. A case that runs
 * longer than `seconds` is killed with all it started, and fails; CK_TIMEOUT_MULTIPLIER stretches
 * it. What the test started is killed and reaped at its end in any case; its directory is removed
 * when it passes, and kept, with the ends of its logs printed, when it does not. */
void scenario_add(Suite *suite, const TTest *test, unsigned seconds);

/* Ends the test as skipped, not as passed, for a reason the runner prints. A macro, since Check has
 * no such verdict and the test function itself must return. */
#define skip_test(...)                                                                             \
    do {                                                                                           \
        skip_report(__VA_ARGS__);                                                                  \
        return;                                                                                    \
    } while (0)

void skip_report(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A count of the full test, times RPPROXY_TEST_SCALE (default 1), but never below `least`. */
unsigned scaled(unsigned count, unsigned least);

/* The test's directory: absolute, mode 0755, short enough for a Unix socket's path in it. */
const char *test_directory(void);

/* The path of `name` in the test's directory. Returns path. */
const char *test_path(char path[static PATH_MAX], const char *name);

/* Writes a file whole, replacing what was there. */
void write_file(const char *path, mode_t mode, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Reads at most size - 1 bytes and a NUL; returns the length, 0 also for a file that is not there.
 */
size_t read_file(const char *path, char *text, size_t size);

void copy_file(const char *from, const char *to, mode_t mode);

/* How often `text` stands in the file. */
unsigned file_mentions(const char *path, const char *text);

/* No sanitizer, assertion or memory checker spoke up in it. Every *.log of a test's directory is
 * looked at when the test has passed. */
void expect_clean_log(const char *path);

int64_t now_ms(void); /* monotonic */

/* For states that have no event: asks until it is so, or fails the test saying `what`. */
void wait_until(bool (*is_so)(void *argument), void *argument, const char *what);

/* Until there is such a file. */
void wait_file(const char *path);

/* Until `text` stands in the file; until it stands there so often, and not more often. A process
 * writes its log a moment after what it tells there. */
void wait_mentioned(const char *path, const char *text);
void wait_mentions(const char *path, const char *text, unsigned count);

/* --- programs --- */

/* Descriptors that a program gets as a service manager passes them (sd_listen_fds(3)). */
struct passed {
    const int *fds;
    unsigned count;
    const char *names; /* LISTEN_FDNAMES; NULL: without */
};

struct program {
    const char *const *argv;     /* argv[0] is searched in PATH unless it has a slash */
    const char *const *env;      /* "NAME=value" strings added to ours, NULL-ended; may be NULL */
    const char *user;            /* become this user first (root only); NULL: stay */
    const char *in;              /* its standard input; NULL: /dev/null */
    const char *out, *err;       /* files they go to; NULL: /dev/null; the same path: one file */
    const char *directory;       /* working directory; NULL: ours */
    const struct passed *passed; /* NULL: none */
};

/* True if `name` is found in PATH (or is executable, if it has a slash). */
bool program_exists(const char *name);

/* Starts it. The child is killed when the test's process ends. */
pid_t program_start(const struct program *program);

/* Waits, by pidfd, until the process (a child or not) is gone, and fails the test when it does not
 * go. For a child returns what waitpid() said, or -1 if it was reaped before; for others -1. */
int wait_gone(pid_t pid);

bool process_alive(pid_t pid); /* a zombie is not */

/* Its descriptors in /proc, for comparisons; a field of its status there, by its "Name:". */
unsigned process_descriptors(pid_t pid);
unsigned long long process_status(pid_t pid, const char *key, int base);

/* By SIGSTOP. Returns when each of its threads has stopped. */
void process_stop(pid_t pid);

struct outcome {
    int code; /* exit status, or 128 + signal */
    char out[32768], err[32768];
};

/* Runs a program to its end. One that does not end within `patience_ms` is killed and fails the
 * test. program->out and err are ignored. */
void program_run(const struct program *program, int patience_ms, struct outcome *outcome);

/* program_run() with an argument list, NULL-ended. */
void run(struct outcome *outcome, const char *argv0, ...) __attribute__((sentinel));

/* Processes that this test started, or that their end has left to it, and that exited with
 * something other than 0 so far and were not reaped by wait_gone(). Reaps what is dead. */
unsigned orphans_failed(void);

/* --- network --- */

/* A TCP port on which the kernel will put no other program while the test runs: held by a socket of
 * `owner`, bound to [::] and never listening. Its SO_REUSEADDR lets a program bind beside it that
 * sets it too, its SO_REUSEPORT one of the same user's; and since it does not listen, it is no
 * member of their reuseport group. */
uint16_t port_reserve(uid_t owner);

/* A network namespace of the test's own, with loopback up. To be called before anything is started.
 * False if we may not. */
bool network_own(void);

#endif
