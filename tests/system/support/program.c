/* Programs: start, wait, kill, reap. */
#include "tests/system/support/harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 64, DEAD_MAX = 4096, ENVIRONMENT_MAX = 512, PASSED_MAX = 8 };

/* Statuses of children that were reaped during another wait. */
static struct {
    pid_t pid;
    int status;
} dead[DEAD_MAX];
static unsigned dead_count;

static bool find_program(const char *name, char path[static PATH_MAX])
{
    if (strchr(name, '/') != NULL) {
        snprintf(path, PATH_MAX, "%s", name);
        return access(path, X_OK) == 0;
    }
    const char *search = getenv("PATH");
    while (search != NULL && *search != '\0') {
        size_t length = strcspn(search, ":");
        snprintf(path, PATH_MAX, "%.*s/%s", (int)length, search, name);
        if (access(path, X_OK) == 0) {
            return true;
        }
        search += length + (search[length] == ':');
    }
    return false;
}

bool program_exists(const char *name)
{
    char path[PATH_MAX];
    return find_program(name, path);
}

/* What the child does between fork and exec. The test may have threads, so only async-signal-safe
 * calls are allowed. */
struct launch {
    const struct program *program;
    const char *path;
    char *const *argv, *const *env;
    const struct passwd *user;
    pid_t parent;
    char
        *listen_pid; /* "LISTEN_PID=" and room for a number, part of env; NULL: nothing is passed */
};

/* Source and target numbers may overlap, so the descriptors are first copied above all targets. */
static void pass(const struct passed *passed, char *listen_pid)
{
    int copies[PASSED_MAX];
    for (unsigned i = 0; i < passed->count; i++) {
        copies[i] = fcntl(passed->fds[i], F_DUPFD, 3 + PASSED_MAX);
    }
    for (unsigned i = 0; i < passed->count; i++) {
        if (copies[i] < 0 || dup2(copies[i], 3 + (int)i) < 0) {
            _exit(126);
        }
        close(copies[i]);
    }
    char digits[16];
    size_t count = 0;
    for (pid_t pid = getpid(); pid > 0; pid /= 10) {
        digits[count++] = (char)('0' + pid % 10);
    }
    for (char *at = strchr(listen_pid, '=') + 1; count > 0; at++) {
        *at = digits[--count];
    }
}

static void redirect(const char *path, int flags, int target)
{
    int file = open(path != NULL ? path : "/dev/null", flags, 0666);
    if (file < 0 || dup2(file, target) < 0) {
        _exit(126);
    }
}

/* The calling process becomes the parent of all that the program starts and leaves behind. Returns
 * in a child of it; the caller ends as the child, after the last of them. A browser's processes,
 * for one, hold their connections for a moment after the browser has ended. */
static void found_family(void)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    pid_t child = fork();
    if (child == 0) {
        return;
    }
    int status, last = 126 << 8;
    for (pid_t gone; (gone = waitpid(-1, &status, 0)) > 0;) {
        last = gone == child ? status : last;
    }
    _exit(WIFSIGNALED(last) ? 128 + WTERMSIG(last) : WEXITSTATUS(last));
}

static _Noreturn void launch(const struct launch *launch)
{
    const struct program *program = launch->program;
    pid_t parent = launch->parent;
    redirect(program->in, O_RDONLY, STDIN_FILENO);
    redirect(program->out, O_WRONLY | O_CREAT | O_APPEND, STDOUT_FILENO);
    redirect(program->err, O_WRONLY | O_CREAT | O_APPEND, STDERR_FILENO);
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    if (program->passed != NULL) {
        pass(program->passed, launch->listen_pid);
    }
    if (program->directory != NULL && chdir(program->directory) != 0) {
        _exit(126);
    }
    if (launch->user != NULL) {
        /* The raw system calls: those of the library would wait for the other threads, which a fork
         * does not have. */
        gid_t gid = launch->user->pw_gid;
        uid_t uid = launch->user->pw_uid;
        if (syscall(SYS_setgroups, 1, &gid) != 0 || syscall(SYS_setresgid, gid, gid, gid) != 0 ||
            syscall(SYS_setresuid, uid, uid, uid) != 0) {
            _exit(126);
        }
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (program->family && getppid() == parent) {
        parent = getpid();
        found_family();
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    }
    if (getppid() == parent) {
        execve(launch->path, launch->argv, launch->env);
    }
    _exit(127);
}

pid_t program_start(const struct program *program)
{
    char path[PATH_MAX];
    /* A path relative to the program's own directory cannot be checked here. */
    ck_assert_msg(find_program(program->argv[0], path) || program->directory != NULL,
                  "%s: no such program", program->argv[0]);
    char *argv[ARGUMENTS_MAX + 1] = {NULL};
    for (size_t i = 0; program->argv[i] != NULL; i++) {
        ck_assert_uint_lt(i, ARGUMENTS_MAX);
        argv[i] = strdup(program->argv[i]);
    }
    char *env[ENVIRONMENT_MAX + 1] = {NULL};
    size_t variables = 0;
    for (size_t i = 0; program->env != NULL && program->env[i] != NULL; i++) {
        env[variables++] = strdup(program->env[i]);
    }
    for (char **old = environ; *old != NULL && variables < ENVIRONMENT_MAX; old++) {
        env[variables++] = strdup(*old);
    }
    char *listen_pid = NULL;
    if (program->passed != NULL) {
        ck_assert_uint_le(program->passed->count, PASSED_MAX);
        ck_assert_uint_lt(variables + 3, ENVIRONMENT_MAX);
        listen_pid = calloc(1, 32);
        strcpy(listen_pid, "LISTEN_PID=");
        env[variables++] = listen_pid;
        ck_assert_int_gt(asprintf(&env[variables++], "LISTEN_FDS=%u", program->passed->count), 0);
        if (program->passed->names != NULL) {
            ck_assert_int_gt(
                asprintf(&env[variables++], "LISTEN_FDNAMES=%s", program->passed->names), 0);
        }
    }
    const struct passwd *user = NULL;
    if (program->user != NULL) {
        user = getpwnam(program->user);
        ck_assert_msg(user != NULL, "no user %s", program->user);
    }
    struct launch what = {program, path, argv, env, user, getpid(), listen_pid};
    pid_t child = fork();
    if (child == 0) {
        launch(&what);
    }
    ck_assert_msg(child > 0, "fork: %s", strerror(errno));
    for (char **text = argv; *text != NULL; text++) {
        free(*text);
    }
    for (char **text = env; *text != NULL; text++) {
        free(*text);
    }
    return child;
}

pid_t program_start_logged(const char *const *argv, char log[static PATH_MAX], const char *name)
{
    test_path(log, name);
    return program_start(&(struct program){.argv = argv, .out = log, .err = log});
}

static void reap(pid_t pid, int status)
{
    ck_assert_uint_lt(dead_count, DEAD_MAX);
    dead[dead_count].pid = pid;
    dead[dead_count].status = status;
    dead_count++;
}

/* A program of a check, which leads a process group of its own, is killed with its process: that is
 * its end, and no failure. */
static int ending_of(int status, bool leads_a_group)
{
    bool is_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    return is_killed && leads_a_group ? 0 : status;
}

void orphans_reap(void)
{
    int status;
    siginfo_t dead_child = {0};
    while (waitid(P_ALL, 0, &dead_child, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           dead_child.si_pid > 0) {
        pid_t pid = dead_child.si_pid;
        bool leads_a_group = getpgid(pid) == pid;
        if (waitpid(pid, &status, WNOHANG) == pid) {
            reap(pid, ending_of(status, leads_a_group));
        }
        dead_child.si_pid = 0;
    }
}

unsigned orphans_failed(void)
{
    orphans_reap();
    unsigned failed = 0;
    for (unsigned i = 0; i < dead_count; i++) {
        if (dead[i].status != 0) {
            fprintf(stderr, "process %d ended with %s %d\n", dead[i].pid,
                    WIFSIGNALED(dead[i].status) ? "signal" : "status",
                    WIFSIGNALED(dead[i].status) ? WTERMSIG(dead[i].status)
                                                : WEXITSTATUS(dead[i].status));
            failed++;
        }
    }
    return failed;
}

/* The wait status of a child that is gone, reaped before or now; -1 if it was no child. */
static int take_status(pid_t pid)
{
    for (unsigned i = 0; i < dead_count; i++) {
        if (dead[i].pid == pid) {
            int status = dead[i].status;
            dead[i] = dead[--dead_count];
            return status;
        }
    }
    int status;
    return waitpid(pid, &status, WNOHANG) == pid ? status : -1;
}

static bool gone_within(pid_t pid, int patience_ms)
{
    int process = pidfd_open(pid, 0);
    if (process < 0) {
        return true;
    }
    struct pollfd end = {.fd = process, .events = POLLIN};
    int64_t deadline = now_ms() + patience_ms;
    int ready;
    do {
        int64_t left = deadline - now_ms();
        ready = poll(&end, 1, left > 0 ? (int)left : 0);
    } while (ready < 0 && errno == EINTR);
    close(process);
    return ready > 0;
}

int wait_gone(pid_t pid)
{
    ck_assert_int_gt(pid, 0);
    ck_assert_msg(gone_within(pid, PATIENCE_MS), "process %d does not end", pid);
    return take_status(pid);
}

bool process_alive(pid_t pid)
{
    return pid > 0 && !gone_within(pid, 0);
}

unsigned process_descriptors(pid_t pid)
{
    char path[64];
    unsigned count = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    DIR *directory = opendir(path);
    ck_assert_ptr_nonnull(directory);
    while (readdir(directory) != NULL) {
        count++;
    }
    closedir(directory);
    return count;
}

unsigned long long process_status(pid_t pid, const char *key, int base)
{
    char path[64], text[8192];
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    read_file(path, text, sizeof text);
    const char *line = strstr(text, key);
    ck_assert_msg(line != NULL, "no %s of %d", key, pid);
    return strtoull(line + strlen(key), NULL, base);
}

static bool has_stopped(void *argument)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "/proc/%d/task", *(pid_t *)argument);
    DIR *tasks = opendir(path);
    ck_assert_ptr_nonnull(tasks);
    const struct dirent *task;
    bool stopped = true;
    while (stopped && (task = readdir(tasks)) != NULL) {
        char text[512];
        const char *state;
        snprintf(path, sizeof path, "/proc/%d/task/%s/stat", *(pid_t *)argument, task->d_name);
        stopped = task->d_name[0] == '.' ||
                  (read_file(path, text, sizeof text) > 0 && (state = strrchr(text, ')')) != NULL &&
                   strncmp(state, ") T", 3) == 0);
    }
    closedir(tasks);
    return stopped;
}

void process_stop(pid_t pid)
{
    ck_assert_int_eq(kill(pid, SIGSTOP), 0);
    wait_until(has_stopped, &pid, "all its threads have stopped");
}

void program_run(const struct program *program, int patience_ms, struct outcome *outcome)
{
    char out[PATH_MAX], err[PATH_MAX];
    struct program redirected = *program;
    redirected.out = test_path(out, "command.out");
    redirected.err = test_path(err, "command.err");
    unlink(out);
    unlink(err);
    pid_t pid = program_start(&redirected);
    bool ended = gone_within(pid, patience_ms);
    if (!ended) {
        kill(pid, SIGKILL);
        gone_within(pid, PATIENCE_MS);
    }
    int status = take_status(pid);
    outcome->code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    read_file(out, outcome->out, sizeof outcome->out);
    read_file(err, outcome->err, sizeof outcome->err);
    ck_assert_msg(ended, "%s %s does not end; it said: %s%s", program->argv[0],
                  program->argv[1] != NULL ? program->argv[1] : "", outcome->out, outcome->err);
}

void run(struct outcome *outcome, const char *argv0, ...)
{
    const char *argv[ARGUMENTS_MAX + 1] = {argv0};
    va_list arguments;
    va_start(arguments, argv0);
    for (size_t i = 1; i <= ARGUMENTS_MAX; i++) {
        argv[i] = va_arg(arguments, const char *);
        if (argv[i] == NULL) {
            break;
        }
    }
    va_end(arguments);
    program_run(&(struct program){.argv = argv}, PATIENCE_MS, outcome);
}
