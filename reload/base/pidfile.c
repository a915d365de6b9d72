#include "reload/base/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int pidfile_write(const char *path)
{
    char temporary[PATH_MAX];
    int length = snprintf(temporary, sizeof temporary, "%s.%d", path, getpid());
    if (length < 0 || (size_t)length >= sizeof temporary)
        return ENAMETOOLONG;
    (void)unlink(temporary);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return errno;
    int error = dprintf(fd, "%d\n", getpid()) < 0 ? errno : 0;
    if (close(fd) && !error)
        error = errno;
    if (!error && rename(temporary, path))
        error = errno;
    if (error)
        (void)unlink(temporary);
    return error;
}

void pidfile_remove(const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    int pid = 0;
    if (fscanf(file, "%d", &pid) == 1 && pid == getpid())
        (void)unlink(path);
    fclose(file);
}
