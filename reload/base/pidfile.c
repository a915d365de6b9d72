#include "reload/base/pidfile.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

int pidfile_prepare(struct pidfile *pidfile, const char *path)
{
    *pidfile = (struct pidfile){.file.path = path};
    if (!path)
        return 0;
    int fd = pidfile->fd = published_prepare_file(&pidfile->file, path, 0644);
    if (fd < 0)
        return -fd;
    char text[16];
    int length = snprintf(text, sizeof text, "%d\n", (int)getpid());
    ssize_t written = write(fd, text, (size_t)length);
    int error = written < 0 ? errno : written < length ? ENOSPC : 0;
    if (!error && fsync(fd) && errno != EINVAL && errno != EROFS)
        error = errno; /* a network file system or a quota may report it only now */
    if (error)
        pidfile_end(pidfile, false);
    return error;
}

int pidfile_publish(struct pidfile *pidfile)
{
    return pidfile->file.path ? published_publish(&pidfile->file) : 0;
}

void pidfile_settle(struct pidfile *pidfile)
{
    published_settle(&pidfile->file);
}

void pidfile_retire(struct pidfile *pidfile)
{
    if (published_is_ours(&pidfile->file))
        (void)published_set_aside(&pidfile->file);
}

/* Writes it anew. */
static int write_again(struct pidfile *pidfile)
{
    const char *path = pidfile->file.path;
    pidfile_end(pidfile, false);
    int error = pidfile_prepare(pidfile, path);
    if (!error)
        error = pidfile_publish(pidfile);
    published_settle(&pidfile->file);
    return error;
}

int pidfile_take_back(struct pidfile *pidfile, pid_t successor)
{
    struct published_path *file = &pidfile->file;
    if (!file->path || published_is_ours(file))
        return 0;
    if (file->state == PUBLISHED_ASIDE && published_put_back(file) == 0)
        return 0;
    if (file->state == PUBLISHED_PUBLISHED && successor > 0 &&
        published_reclaim(file, successor) == 0)
        return 0;
    return write_again(pidfile);
}

void pidfile_end(struct pidfile *pidfile, bool remove)
{
    if (pidfile->file.state == PUBLISHED_ABSENT)
        return;
    published_end(&pidfile->file, remove);
    close(pidfile->fd);
}
