#include "reload/listeners/unix_bind.h"

#include "config/base/log.h"
#include "proxy/engine/socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *path_of(const struct bound *bound)
{
    return bound->conf->address.un.sun_path;
}

int unix_bind_probe(const struct address *address)
{
    struct stat status;
    if (stat(address->un.sun_path, &status))
        return errno == ENOENT ? 0 : errno;
    if (!S_ISSOCK(status.st_mode))
        return EEXIST;
    int error;
    int fd = socket_connect(address, &error);
    if (fd >= 0)
        close(fd);
    return fd >= 0 || error == EAGAIN ? EADDRINUSE : 0;
}

int unix_bind_open(struct bound *bound)
{
    const char *path = bound->conf->address.un.sun_path;
    struct address address = {.length = sizeof address.un};
    address.un.sun_family = AF_UNIX;
    int length = snprintf(address.un.sun_path, sizeof address.un.sun_path, "%s.%d", path, getpid());
    if (length < 0 || (size_t)length >= sizeof address.un.sun_path)
        return ENAMETOOLONG;
    bound->fds = calloc(1, sizeof *bound->fds);
    bound->temporary = strdup(address.un.sun_path);
    if (!bound->fds || !bound->temporary)
        return ENOMEM;
    (void)unlink(bound->temporary); /* of a process that had our pid, long ago */
    int fd = socket_bind(&address);
    if (fd < 0) {
        free(bound->temporary);
        bound->temporary = NULL;
        return -fd;
    }
    bound->fds[bound->sockets++] = fd;
    struct stat status;
    if (stat(bound->temporary, &status))
        return errno;
    bound->inode = status.st_ino;
    return socket_listen(fd);
}

bool unix_bind_is_ours(const struct bound *bound)
{
    struct stat status;
    return stat(path_of(bound), &status) == 0 && status.st_ino == bound->inode;
}

void unix_bind_publish(struct bound *bound)
{
    if (!bound->temporary)
        return;
    if (rename(bound->temporary, path_of(bound))) {
        log_error("%s: cannot take the path: %s", bound->conf->text, strerror(errno));
        return;
    }
    free(bound->temporary);
    bound->temporary = NULL;
}

int unix_bind_make_spare(struct bound *bound)
{
    char spare[sizeof bound->conf->address.un.sun_path + 16];
    snprintf(spare, sizeof spare, "%s.%d", path_of(bound), getpid());
    (void)unlink(spare);
    if (link(path_of(bound), spare))
        return errno;
    bound->spare = strdup(spare);
    return bound->spare ? 0 : ENOMEM;
}

void unix_bind_drop_spare(struct bound *bound)
{
    if (bound->spare)
        (void)unlink(bound->spare);
    free(bound->spare);
    bound->spare = NULL;
}

void unix_bind_take_back(struct bound *bound)
{
    if (bound->spare && !unix_bind_is_ours(bound) && rename(bound->spare, path_of(bound)))
        log_error("%s: cannot take the path back: %s", bound->conf->text, strerror(errno));
    unix_bind_drop_spare(bound);
}

void unix_bind_drop_temporary(struct bound *bound)
{
    if (bound->temporary)
        (void)unlink(bound->temporary);
    free(bound->temporary);
    bound->temporary = NULL;
}

void unix_bind_unlink(const struct bound *bound)
{
    (void)unlink(path_of(bound));
}

void unix_bind_sweep(const struct bound *bound, pid_t pid)
{
    char left[sizeof bound->conf->address.un.sun_path + 16];
    snprintf(left, sizeof left, "%s.%d", path_of(bound), (int)pid);
    (void)unlink(left);
}
