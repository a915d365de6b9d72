/* The listening sockets of the HTTP server (option metrics), and how they go to the new process.
 *
 * A reload passes each socket itself, as a descriptor: both processes have the same accept queue,
 * and only the one that serves accepts from it. So no client is refused or reset at any moment,
 * also not when the new process dies before or after it has served. (A group of sockets, one of
 * each process, would need what the binds need for that: steering, a linger, duplicates. HTTP has
 * no rate that a single socket could not bear.)
 *
 * An address that is new in a reload is bound before the new process says that it is ready, so that
 * an address that cannot be bound fails the reload; a path is taken by rename when it serves. Where
 * the new address and one of the old process are the same port, one of them with a wildcard, the
 * socket does not listen before this process serves.
 *
 * An address of the old process that the configuration does not have: the new process accepts from
 * its socket until the old process has closed, since clients wait there. If the wildcard has its
 * place now, the new process goes on with it: to close it would reset clients that come at that
 * moment. Main thread. */
#ifndef RPPROXY_RELOAD_LISTENERS_METRICS_SOCKETS_H
#define RPPROXY_RELOAD_LISTENERS_METRICS_SOCKETS_H

#include "config/model/metrics.h"
#include "reload/base/published_path.h"
#include "reload/listeners/offer.h"

#include <stdbool.h>
#include <stddef.h>

enum metrics_socket_kind {
    METRICS_CONFIGURED,
    METRICS_COVERED, /* of an older process; the wildcard of the configuration has its place */
    METRICS_LEFT,    /* of the old process: closed by metrics_sockets_drop_left() */
};

struct metrics_socket {
    struct metrics_address at;
    enum metrics_socket_kind kind;
    int fd;
    bool late;                  /* does not listen yet */
    struct published_path file; /* of a Unix path, which is in `at`; else ABSENT */
};

struct metrics_sockets {
    struct metrics_socket *list; /* stays where it is until metrics_sockets_close() */
    size_t count;
};

/* Opens all addresses, or none, and takes over what was offered. False: report has been called for
 * what is wrong. */
bool metrics_sockets_open(struct metrics_sockets *sockets, const struct metrics_addresses *conf,
                          struct offer *offered, void (*report)(const char *line, void *arg),
                          void *arg) __attribute__((warn_unused_result));

/* This process serves: paths lead to its sockets, and all listen. What fails is logged: the other
 * addresses are served nevertheless. Has no effect on what is published already. */
void metrics_sockets_publish(struct metrics_sockets *sockets);

/* The old process does not come back: what was replaced is not needed any more. */
void metrics_sockets_settle(struct metrics_sockets *sockets);

/* After that, and when nothing accepts from them: METRICS_LEFT ones are closed (fd is -1 then), and
 * their paths removed. */
void metrics_sockets_drop_left(struct metrics_sockets *sockets);

/* Another process serves now: paths are not removed any more. */
void metrics_sockets_retire(struct metrics_sockets *sockets);

/* The new process, of that pid, is gone, and this one serves again. */
void metrics_sockets_take_back(struct metrics_sockets *sockets, pid_t successor);

/* Removes the names that a process which was killed has left. */
void metrics_sockets_sweep(const struct metrics_sockets *sockets, pid_t pid);

/* The socket may be passed on: it listens, and its path (if it has one) leads to it. */
bool metrics_socket_is_offered(const struct metrics_socket *socket);

/* remove: paths that lead to the sockets of this process go as well. */
void metrics_sockets_close(struct metrics_sockets *sockets, bool remove);

#endif
