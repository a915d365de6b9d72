#include "reload/process/watch.h"

#include "config/base/log.h"

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define QUIET_MS   500
#define AT_MOST_MS 5000

#define EVENTS                                                                                     \
    (IN_ATTRIB | IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MODIFY | IN_MOVED_FROM |              \
     IN_MOVED_TO | IN_ONLYDIR)

/* What makes one file another one. */
struct identity {
    uint64_t name, device, inode, size, seconds, nanoseconds;
};

/* Hidden files do not count: editors keep what is not finished yet in them. */
static bool counts(const struct watch *watch, const char *name)
{
    const char *ending = strrchr(watch->name, '.'), *own = strrchr(name, '.');
    if (strcmp(name, watch->name) == 0)
        return true;
    return name[0] != '.' && ending && own && strcmp(own, ending) == 0;
}

static uint64_t identify(const char *path, const struct stat *status)
{
    const struct identity identity = {.name = XXH3_64bits(path, strlen(path)),
                                      .device = status->st_dev,
                                      .inode = status->st_ino,
                                      .size = (uint64_t)status->st_size,
                                      .seconds = (uint64_t)status->st_mtim.tv_sec,
                                      .nanoseconds = (uint64_t)status->st_mtim.tv_nsec};
    return XXH3_64bits(&identity, sizeof identity);
}

/* The sum over all files of the directory, which does not depend on their order; and watches the
 * directory, if it is not watched yet. depth: of directories in it. */
static uint64_t take_in(const struct watch *watch, const char *directory, unsigned depth)
{
    uint64_t sum = 0;
    DIR *stream = opendir(directory);
    const struct dirent *entry;
    if (!stream)
        return 0;
    if (inotify_add_watch(watch->fd, directory, EVENTS) < 0)
        log_warning("%s cannot be watched: %s", directory, strerror(errno));
    while ((entry = readdir(stream))) {
        char path[PATH_MAX];
        struct stat status;
        int length = snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        if (length < 0 || (size_t)length >= sizeof path || stat(path, &status))
            continue;
        if (!S_ISDIR(status.st_mode))
            sum += counts(watch, entry->d_name) ? identify(path, &status) : 0;
        else if (depth > 0 && entry->d_name[0] != '.')
            sum += take_in(watch, path, depth - 1);
    }
    closedir(stream);
    return sum;
}

int watch_open(struct watch *watch, const char *file)
{
    char path[PATH_MAX];
    *watch = (struct watch){.fd = -1};
    if ((size_t)snprintf(path, sizeof path, "%s", file) >= sizeof path)
        return ENAMETOOLONG;
    snprintf(watch->directory, sizeof watch->directory, "%s", dirname(path));
    const char *slash = strrchr(file, '/');
    const char *name = slash ? slash + 1 : file;
    if ((size_t)snprintf(watch->name, sizeof watch->name, "%s", name) >= sizeof watch->name)
        return ENAMETOOLONG;
    watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch->fd < 0 || inotify_add_watch(watch->fd, watch->directory, EVENTS) < 0)
        return errno;
    watch->seen = take_in(watch, watch->directory, 1);
    return 0;
}

/* ".." begins the names by which Kubernetes swaps. */
static bool concerns(const struct watch *watch, const struct inotify_event *event)
{
    return event->len == 0 || (event->mask & (IN_ISDIR | IN_Q_OVERFLOW)) ||
           strncmp(event->name, "..", 2) == 0 || counts(watch, event->name);
}

void watch_hear(struct watch *watch, uint64_t now)
{
    _Alignas(struct inotify_event) char events[4096];
    bool news = false;
    ssize_t length;
    while ((length = read(watch->fd, events, sizeof events)) > 0)
        for (const char *at = events; at < events + length;) {
            const struct inotify_event *event = (const void *)at;
            news = news || concerns(watch, event);
            at += sizeof *event + event->len;
        }
    if (!news)
        return;
    if (watch->due == 0)
        watch->latest = now + AT_MOST_MS;
    watch->due = now + QUIET_MS < watch->latest ? now + QUIET_MS : watch->latest;
}

bool watch_look(struct watch *watch, uint64_t now)
{
    if (watch->due == 0 || now < watch->due)
        return false;
    watch->due = 0;
    uint64_t sum = take_in(watch, watch->directory, 1);
    bool changed = sum != watch->seen;
    watch->seen = sum;
    return changed;
}

void watch_close(struct watch *watch)
{
    if (watch->fd >= 0)
        close(watch->fd);
    watch->fd = -1;
}
