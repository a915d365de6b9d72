/* By what others find the process that serves: the paths of its Unix binds, the control socket, the
 * pid file, the addresses of the HTTP server, and beside the control socket the crash file. They
 * change hands as one.
 *
 * All that can fail is done before the process says that it is ready (publication_prepare(), and
 * binds_open()), under temporary names. publication_publish() is renames only; what they replace is
 * kept until publication_settle(), so that the old process can take it back after the new one has
 * died. Main thread. */
#ifndef RPPROXY_RELOAD_PROCESS_PUBLICATION_H
#define RPPROXY_RELOAD_PROCESS_PUBLICATION_H

#include "reload/base/pidfile.h"
#include "reload/process/life.h"

#include <event2/event.h>
#include <stdbool.h>

struct control;
struct control_events;
struct control_end;
struct generation;
struct http;

struct publication {
    struct generation *generation;
    struct control *control;
    const struct control_events *events; /* for what is asked by HTTP */
    struct http *http;                   /* NULL before publication_open() */
    struct life life;
    struct pidfile pidfile;
    struct event *retry; /* of what could not be published in publication_force() */
    bool done;           /* control socket and pid file are removed by this process */
    bool reported;       /* what cannot be published, and is tried again */
    pid_t unswept;       /* 0, or a process that is gone, and whose temporary files may be there */
    bool taken_back;     /* from a process that may not be gone yet */
};

/* generation, control and events are set. Returns 0 or ENOMEM; publication_close() is right after
 * either.
 */
int publication_open(struct publication *publication) __attribute__((warn_unused_result));

/* Control socket and pid file are made under temporary names. False: what is wrong has been
 * reported. The binds are opened by the caller. */
bool publication_prepare(struct publication *publication) __attribute__((warn_unused_result));

/* The paths lead to this process, all of them or none. False: what is wrong has been reported, the
 * paths lead where they did before, and the generation's exit_status is set. */
bool publication_publish(struct publication *publication) __attribute__((warn_unused_result));

/* The same where there is no other process to serve instead: what cannot be published is logged,
 * and tried again every second. successor: the process that had taken the paths from this one, and
 * is gone; or 0. Has no effect on what is published already. */
void publication_force(struct publication *publication, pid_t successor);

/* The old process has closed its listeners, or is gone. */
void publication_settle(struct publication *publication);

/* The new process serves: the paths are its own, or lead nowhere. */
void publication_retire(struct publication *publication);

/* The successor of that pid is gone or is being killed: publication_force(), and once more in
 * publication_sweep(), when it is gone for sure and can publish nothing any more. */
void publication_take_back(struct publication *publication, pid_t successor);

/* The listeners of this process are closed: there is no way back. */
void publication_forget(struct publication *publication);

/* The process of that pid, of the same paths, is gone: what it left under temporary names is
 * removed. */
void publication_sweep(struct publication *publication, pid_t pid);

/* The process ends by its own fault, with that exit status: the crash file stays, and says so. To
 * be called while the sessions are there, and before publication_close(). */
void publication_fail(struct publication *publication, int status);

/* The end of the process: what still belongs to this process is removed. The commands that wait
 * hear of `end`. */
void publication_close(struct publication *publication, const struct control_end *end);

#endif
