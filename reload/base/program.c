#include "reload/base/program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static char *absolute(const char *path)
{
    char *result = NULL;
    if (path[0] == '/')
        return strdup(path);
    char *directory = getcwd(NULL, 0);
    if (directory && asprintf(&result, "%s/%s", directory, path) < 0)
        result = NULL;
    free(directory);
    return result;
}

static char *search(const char *name)
{
    const char *path = getenv("PATH");
    for (const char *at = path ? path : "/usr/bin:/bin"; *at;) {
        size_t length = strcspn(at, ":");
        char candidate[PATH_MAX];
        int written = snprintf(candidate, sizeof candidate, "%.*s%s%s", (int)length, at,
                               length ? "/" : "", name);
        if (written > 0 && (size_t)written < sizeof candidate && access(candidate, X_OK) == 0)
            return absolute(candidate);
        at += length;
        at += *at == ':';
    }
    errno = ENOENT;
    return NULL;
}

int program_find(struct program *program, char **argv)
{
    program->argv = argv;
    program->path = strchr(argv[0], '/') ? absolute(argv[0]) : search(argv[0]);
    return program->path ? 0 : errno;
}

static int spawn(const struct program *program, int channel, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    /* The same number twice: glibc clears close-on-exec. */
    posix_spawn_file_actions_adddup2(&actions, channel, channel);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

    char number[16];
    snprintf(number, sizeof number, "%d", channel);
    int error = setenv(HANDOVER_VARIABLE, number, 1) ? errno : 0;
    if (!error)
        error = posix_spawn(pid, program->path, &actions, &attributes, program->argv, environ);
    unsetenv(HANDOVER_VARIABLE);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

int program_launch(const struct program *program, struct child *child)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return errno;
    int error = spawn(program, pair[1], &child->pid);
    close(pair[1]);
    if (error) {
        close(pair[0]);
        return error;
    }
    child->channel = pair[0];
    return 0;
}

void child_kill(const struct child *child)
{
    if (child->pid > 0)
        (void)kill(child->pid, SIGKILL);
}

bool child_reap(const struct child *child, int *outcome)
{
    return child->pid > 0 && waitpid(child->pid, outcome, WNOHANG) == child->pid;
}

void children_add(struct children *children, pid_t pid)
{
    pid_t *list = realloc(children->list, (children->count + 1) * sizeof *list);
    if (!list)
        return;
    children->list = list;
    list[children->count++] = pid;
}

static bool bury(struct children *children, size_t index, int *outcome)
{
    if (waitpid(children->list[index], outcome, WNOHANG) == 0)
        return false;
    children->list[index] = children->list[--children->count];
    return true;
}

pid_t children_reap(struct children *children, int *outcome)
{
    *outcome = 0;
    for (size_t i = 0; i < children->count; i++) {
        pid_t pid = children->list[i];
        if (bury(children, i, outcome))
            return pid;
    }
    return 0;
}

int children_outcome(struct children *children, pid_t pid)
{
    int outcome = 0;
    for (size_t i = 0; i < children->count; i++)
        if (children->list[i] == pid && bury(children, i, &outcome))
            break;
    return outcome;
}

void children_free(struct children *children)
{
    free(children->list);
    *children = (struct children){0};
}

int program_inherited_channel(void)
{
    const char *text = getenv(HANDOVER_VARIABLE);
    if (!text) {
        errno = ENOENT;
        return -1;
    }
    char *end;
    long number = strtol(text, &end, 10);
    bool sound = *text && !*end && number > 2 && number <= INT_MAX;
    unsetenv(HANDOVER_VARIABLE);
    if (!sound) {
        errno = EINVAL;
        return -1;
    }
    int fd = (int)number, type = 0;
    socklen_t length = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length))
        return -1;
    if (type != SOCK_SEQPACKET) {
        errno = ENOTSOCK;
        return -1;
    }
    return fcntl(fd, F_SETFD, FD_CLOEXEC) ? -1 : fd;
}
