/* The pid file: names the process that serves. It is never missing and never half written. All of
 * it that needs room on the disk is written before the process serves.
 *
 * Functions that return an int return 0 or an errno value. Where no pid file is wanted (path NULL)
 * nothing is done, and 0 is returned. */
#ifndef RPPROXY_RELOAD_BASE_PIDFILE_H
#define RPPROXY_RELOAD_BASE_PIDFILE_H

#include "reload/base/published_path.h"

struct pidfile {
    struct published_path file;
    int fd; /* keeps the inode from being used again; open unless the file is ABSENT */
};

/* Writes the pid of this process under a temporary name. path has to live as long as the pid file,
 * or is NULL. */
int pidfile_prepare(struct pidfile *pidfile, const char *path) __attribute__((warn_unused_result));

/* The path names this process from now on. */
int pidfile_publish(struct pidfile *pidfile) __attribute__((warn_unused_result));

/* The old process has closed its listeners, or is gone. */
void pidfile_settle(struct pidfile *pidfile);

/* The new process serves. Its pid file may have another path: the one of this process is kept aside
 * then. */
void pidfile_retire(struct pidfile *pidfile);

/* The successor, of that pid, is gone or failed, and this process serves again. Needs no room on
 * the disk where the file that this process had is still there. */
int pidfile_take_back(struct pidfile *pidfile, pid_t successor) __attribute__((warn_unused_result));

/* Removes the temporary file, and, with remove, the pid file if it names this process. */
void pidfile_end(struct pidfile *pidfile, bool remove);

#endif
