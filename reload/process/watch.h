/* Watches a configuration file, and the files with the same ending (".ini") beside it and in
 * directories beside it, which it may include (`--watch-files`). inotify(7) says that something may
 * have changed; whether it has is seen by comparing names, inodes, sizes and times of these files,
 * symbolic links followed. So a change is also the swap of a symbolic link, by which Kubernetes
 * updates a ConfigMap: the file itself is another one then, regardless of what has changed in the
 * map. A log file in the same directory is no change.
 *
 * Further files are those that a generation names: what it has read, or would have read, in any
 * directory. */
#ifndef RPPROXY_RELOAD_PROCESS_WATCH_H
#define RPPROXY_RELOAD_PROCESS_WATCH_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A file, or several, that a generation has named. */
struct watched {
    char *pattern; /* of glob(3) */
    uint64_t mark; /* of named_files_mark(), before they were read */
    bool known;    /* the mark is */
};

struct watch {
    int fd; /* readable when something may have changed; -1: nothing is watched */
    char directory[PATH_MAX];
    char name[NAME_MAX + 1]; /* of the file in it */
    uint64_t seen;           /* the state of the files at the last look */
    uint64_t due;            /* clock_ms() of the next look; 0: none is needed */
    uint64_t latest;         /* due does not go beyond this time */
    struct watched *told;    /* files that a generation has named */
    size_t count, capacity;
};

/* What is there now is what was seen. Returns 0 or an errno value; watch_close() is right after
 * either. */
int watch_open(struct watch *watch, const char *file) __attribute__((warn_unused_result));

/* To be called when fd is readable, at the time `now`: a look follows when nothing has happened for
 * half a second, after five seconds at the latest. */
void watch_hear(struct watch *watch, uint64_t now);

/* Looks, if it is time. Returns true if the files have changed since the last look. */
bool watch_look(struct watch *watch, uint64_t now) __attribute__((warn_unused_result));

/* A generation reads a configuration: those files count no longer of which the last one has told.
 */
void watch_forget(struct watch *watch);

/* It names these files. A look follows, since they may have changed after they were read. If
 * there is no memory, they do not count, and a warning says so. mark: 0 is what a generation tells
 * of a file that it cannot see: the difference from what this process sees is no change. */
void watch_add(struct watch *watch, const char *pattern, uint64_t mark, uint64_t now);

/* The file that was added last was not there for anybody: if it is there at the look that follows,
 * it has come meanwhile. */
void watch_absent(struct watch *watch);

void watch_close(struct watch *watch);

#endif
