#include "reload/base/program.h"

#include "reload/base/inherited.h"
#include "reload/base/signals.h"
#include "reload/base/supervisor.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
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

#define VARIABLE_MAX (PATH_MAX + 32)

/* What a successor inherits: a variable with a number, which may be that of a descriptor. */
struct inherited {
    bool is_set;
    int fd; /* -1: none */
    char variable[VARIABLE_MAX];
};

/* Ours, with the variables added: setenv(3) would change what other threads read. NULL: out of
 * memory. */
static char **environment_with(struct inherited *list, size_t length)
{
    size_t count = 0;
    while (environ[count])
        count++;
    char **environment = calloc(count + length + 1, sizeof *environment);
    if (!environment)
        return NULL;
    memcpy(environment, environ, count * sizeof *environment);
    for (size_t i = 0; i < length; i++)
        if (list[i].is_set)
            environment[count++] = list[i].variable;
    return environment;
}

static struct inherited inherit_number(const char *name, int number)
{
    struct inherited inherited = {.is_set = true, .fd = -1};
    snprintf(inherited.variable, sizeof inherited.variable, "%s=%d", name, number);
    return inherited;
}

/* fd: -1: there is none. */
static struct inherited inherit(const char *name, int fd)
{
    struct inherited inherited = inherit_number(name, fd);
    inherited.is_set = fd >= 0;
    inherited.fd = fd;
    return inherited;
}

static struct inherited inherit_text(const char *name, const char *text)
{
    struct inherited inherited = {.is_set = text != NULL, .fd = -1};
    snprintf(inherited.variable, sizeof inherited.variable, "%s=%s", name, text ? text : "");
    return inherited;
}

static int spawn(const struct program *program, int channel, unsigned generation,
                 const char *stored, pid_t *pid)
{
    struct inherited list[] = {inherit(HANDOVER_VARIABLE, channel),
                               inherit(SUPERVISOR_VARIABLE, supervisor_descriptor()),
                               inherit_number(GENERATION_VARIABLE, (int)generation),
                               inherit_text(STORED_VARIABLE, stored)};
    const size_t length = sizeof list / sizeof *list;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t orders, all;
    int error = 0;
    char **environment = environment_with(list, length);
    if (!environment)
        return ENOMEM;
    signals_orders(&orders);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    /* The same number twice: glibc clears close-on-exec. */
    for (size_t i = 0; i < length && !error; i++)
        if (list[i].fd >= 0)
            error = posix_spawn_file_actions_adddup2(&actions, list[i].fd, list[i].fd);
    posix_spawnattr_setsigmask(&attributes, &orders);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (!error)
        error = posix_spawn(pid, program->path, &actions, &attributes, program->argv, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    free(environment);
    return error;
}

int program_connect(struct child *child, int *end)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return errno;
    *child = (struct child){.channel = pair[0]};
    *end = pair[1];
    return 0;
}

int program_launch(const struct program *program, unsigned generation, const char *stored,
                   struct children *children, struct child *child, int end)
{
    int error = children_reserve(children);
    if (!error)
        error = spawn(program, end, generation, stored, &child->pid);
    if (!error)
        children_add(children, child->pid);
    return error;
}

unsigned program_inherited_generation(void)
{
    const char *text = getenv(GENERATION_VARIABLE);
    unsigned long number = text && isdigit((unsigned char)*text) ? strtoul(text, NULL, 10) : 0;
    unsetenv(GENERATION_VARIABLE);
    return number <= UINT_MAX ? (unsigned)number : 0;
}

char *program_inherited_stored(void)
{
    const char *text = getenv(STORED_VARIABLE);
    char *stored = text ? strdup(text) : NULL;
    unsetenv(STORED_VARIABLE);
    return stored;
}

int program_inherited_channel(void)
{
    return inherited_socket(HANDOVER_VARIABLE);
}
