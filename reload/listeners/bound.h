/* One bind that is open in this process: its listening sockets, and how they go to another process
 * at a reload. A plain struct: binds.h has the operations, unix_bind.h those on the path of a Unix
 * socket. */
#ifndef RPPROXY_RELOAD_LISTENERS_BOUND_H
#define RPPROXY_RELOAD_LISTENERS_BOUND_H

#include "config/model/config.h"
#include "reload/base/published_path.h"
#include "reload/listeners/sinks.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* How a bind goes over to a successor. */
enum bind_way {
    BIND_STEER,  /* the successor opens listeners of its own, and the group is steered to them */
    BIND_PASS,   /* it is handed these very listeners: steering cannot be trusted here, or they are
                  * the service manager's as well, or it is a Unix socket (an abstract one always),
                  * or clients wait in the backlog of a paused frontend */
    BIND_RENAME, /* a Unix socket whose path does not lead to it any more: the successor opens
                  * another, and renames that to the path */
    BIND_ANEW,   /* its interface is gone, and another has the name: no client comes to these
                  * sockets, and the successor opens others */
};

struct file_attributes {
    bool known;
    mode_t mode;
    uid_t uid;
    gid_t gid;
};

struct bound {
    const struct bind_conf *conf;   /* its address and name, under which it is handed over */
    const struct bind_conf *serves; /* the bind of the configuration: conf, but of a covered one */
    struct bind_conf *covered;      /* conf of a bind that the configuration has not, but that lies
                                     * under one of its wildcard binds (opening.h); else NULL */
    size_t frontend;                /* index in the config */
    int *fds;                       /* the sockets, in the order of listen() */
    unsigned sockets;  /* of them; GROUP_MIN where workers share one, and 1 of a Unix path */
    unsigned rotation; /* of the group, as group.h has it */
    bool ordered;      /* the rotation is known, and the group is steered to this process */
    bool listens_late; /* the sockets are bound only, until binds_listen_late() */
    bool waits;  /* its frontend was paused when the reload began: clients wait in the backlog,
                  * and one process at a time has them. Of a passed bind: in the old process */
    bool absent; /* no interface has the address now; the old process had it still */
    enum bind_way way; /* how it came to this process, and is likely to go; chosen by binds_pin() */
    size_t members;    /* of the group, when last counted; 0: not known */
    bool adopted;      /* the sockets are those that an earlier process opened */
    atomic_bool held;  /* PASS: nothing is accepted here, since it is another process's turn */
    struct published_path file;    /* Unix */
    struct file_attributes before; /* Unix: of file, before the reload that is under way */

    /* While a successor is on its way: */
    unsigned successors; /* sockets it has on this bind; 0: the bind ends with this process */
    bool behind; /* this process goes back: the old process's stand before this one in the group,
                    and stay */
    bool kept;   /* the successor holds those of this process as well, and closes them in order */
    char congestion[CONGESTION_MAX]; /* PASS: of the sockets, before the successor has them */
    struct sinks sinks; /* in the successor's place, where the bind ends with this process */
};

/* It has no path: only by the socket itself can another process take it over. */
static inline bool bound_is_abstract(const struct bound *bound)
{
    return address_is_abstract(&bound->conf->at.address);
}

static inline bool bound_is_unix(const struct bound *bound)
{
    return address_is_unix(&bound->conf->at.address);
}

#endif
