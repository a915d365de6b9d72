#include "reload/process/watch.h"

#include "config/base/log.h"
#include "config/syntax/named_files.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <glob.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define QUIET_MS   500
#define AT_MOST_MS 5000

#define EVENTS                                                                                     \
    (IN_ATTRIB | IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MODIFY | IN_MOVED_FROM |              \
     IN_MOVED_TO | IN_ONLYDIR)

/* Of a file that a symbolic link may lead to. */
#define FILE_EVENTS (IN_ATTRIB | IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MODIFY | IN_MOVE_SELF)

/* Of all configurations together there are fewer. */
#define TOLD_MAX 100000

/* Hidden files do not count: editors keep what is not finished yet in them. */
static bool counts(const struct watch *watch, const char *name)
{
    const char *ending = strrchr(watch->name, '.'), *own = strrchr(name, '.');
    if (strcmp(name, watch->name) == 0)
        return true;
    return name[0] != '.' && ending && own && strcmp(own, ending) == 0;
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
            sum += counts(watch, entry->d_name) ? named_file_identity(path, &status) : 0;
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

/* --- files that a generation has named   ----------------------------------------------------- */

static bool watch_all(const struct watch *watch, const char *pattern, uint32_t events)
{
    glob_t found = {0};
    bool any = glob(pattern, GLOB_NOSORT, NULL, &found) == 0 && found.gl_pathc > 0;
    for (size_t i = 0; any && i < found.gl_pathc; i++)
        if (inotify_add_watch(watch->fd, found.gl_pathv[i], events) < 0 && errno != ENOENT)
            log_warning("%s cannot be watched: %s", found.gl_pathv[i], strerror(errno));
    globfree(&found);
    return any;
}

/* The files, and their directory; if that is missing, the next one above it that is there. */
static void watch_pattern(const struct watch *watch, const char *pattern)
{
    char folder[PATH_MAX];
    (void)watch_all(watch, pattern, FILE_EVENTS);
    if ((size_t)snprintf(folder, sizeof folder, "%s", pattern) >= sizeof folder)
        return;
    for (char *slash; (slash = strrchr(folder, '/')) && slash > folder;) {
        *slash = '\0';
        if (watch_all(watch, folder, EVENTS))
            return;
    }
    (void)watch_all(watch, folder[0] == '/' ? "/" : ".", EVENTS);
}

/* Whether they have changed; they are as they are now, from then on. */
static bool take_in_told(struct watch *watch)
{
    bool changed = false;
    for (size_t i = 0; i < watch->count; i++) {
        struct watched *watched = &watch->told[i];
        watch_pattern(watch, watched->pattern);
        uint64_t mark = named_files_mark(watched->pattern);
        changed = changed || (watched->known && mark != watched->mark);
        watched->mark = mark;
        watched->known = true;
    }
    return changed;
}

void watch_forget(struct watch *watch)
{
    for (size_t i = 0; i < watch->count; i++)
        free(watch->told[i].pattern);
    watch->count = 0;
}

void watch_add(struct watch *watch, const char *pattern, uint64_t mark, uint64_t now)
{
    char *copy = NULL;
    if (watch->count == watch->capacity && watch->count < TOLD_MAX) {
        size_t capacity = watch->capacity ? 2 * watch->capacity : 16;
        struct watched *told = realloc(watch->told, capacity * sizeof *told);
        watch->told = told ? told : watch->told;
        watch->capacity = told ? capacity : watch->capacity;
    }
    if (watch->count == watch->capacity || !(copy = strdup(pattern))) {
        log_warning("%s cannot be watched: out of memory", pattern);
        return;
    }
    watch->told[watch->count++] =
        (struct watched){.pattern = copy, .mark = mark, .known = mark != 0};
    if (watch->due == 0)
        watch->due = watch->latest = now;
}

void watch_absent(struct watch *watch)
{
    if (watch->count > 0)
        watch->told[watch->count - 1].known = true;
}

static bool is_told(const struct watch *watch, const char *name)
{
    for (size_t i = 0; i < watch->count; i++) {
        const char *pattern = watch->told[i].pattern, *slash = strrchr(pattern, '/');
        if (fnmatch(slash ? slash + 1 : pattern, name, FNM_PERIOD) == 0)
            return true;
    }
    return false;
}

/* --- events ---------------------------------------------------------------------------------- */

/* ".." begins the names by which Kubernetes swaps. */
static bool concerns(const struct watch *watch, const struct inotify_event *event)
{
    return event->len == 0 || (event->mask & (IN_ISDIR | IN_Q_OVERFLOW)) ||
           strncmp(event->name, "..", 2) == 0 || counts(watch, event->name) ||
           is_told(watch, event->name);
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
    bool told_changed = take_in_told(watch), changed = sum != watch->seen;
    watch->seen = sum;
    return changed || told_changed;
}

void watch_close(struct watch *watch)
{
    if (watch->fd >= 0)
        close(watch->fd);
    watch->fd = -1;
    watch_forget(watch);
    free(watch->told);
    watch->told = NULL;
    watch->capacity = 0;
}
