/* The life file, CONTROL.life: what is to be reported of the process that serves if it crashes now.
 *
 * It is there from the time on at which the process serves until its end in order, or until its
 * successor's is put in its place. The process holds it (flock(2)) and writes into it once a second
 * how many sessions it has; so a file that no process holds is left by a crash, whether another
 * process lived on or not. */
#ifndef RPPROXY_RELOAD_PROCESS_LIFE_H
#define RPPROXY_RELOAD_PROCESS_LIFE_H

#include "reload/base/crash.h"
#include "reload/base/published_path.h"

#include <event2/event.h>
#include <stdbool.h>
#include <sys/types.h>

struct generation;

struct life {
    const struct generation *generation;
    struct event *tick;
    char *path; /* NULL: there is none of this process */
    struct published_path file;
    int fd;
};

/* Returns 0 or an errno value; life_close() is right after either. */
int life_open(struct life *life, const struct generation *generation)
    __attribute__((warn_unused_result));

/* This process serves, on its configuration's control socket. Returns 0 or an errno value. */
int life_begin(struct life *life) __attribute__((warn_unused_result));

/* This process does not serve any more, or ends. The file is removed, if it still belongs to this
 * process. */
void life_end(struct life *life);
void life_close(struct life *life);

/* This process ends by its own fault, with that exit status: the file stays, and says so. To be
 * called while the sessions are there. */
void life_fail(struct life *life, int status);

/* For a start without an old process: true if the last process that served on this control socket
 * crashed. A file that has another form, or another owner, is left out of account, and logged. */
bool life_read(const char *control, struct crash *crash) __attribute__((warn_unused_result));

#endif
