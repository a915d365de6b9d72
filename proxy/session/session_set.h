/* The sessions of one worker, and what they run on.
 *
 * A worker embeds one. Everything here is for that worker's thread, but for what the header says of
 * the main thread. */
#ifndef RPPROXY_PROXY_SESSION_SESSION_SET_H
#define RPPROXY_PROXY_SESSION_SESSION_SET_H

#include "proxy/engine/loop.h"
#include "proxy/session/relay_buffers.h"
#include "proxy/session/service.h"
#include "proxy/session/session_list.h"
#include "proxy/session/terminate.h"
#include "proxy/stats/shared_stats.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct session;
struct transfer;

STAILQ_HEAD(session_queue, session);
STAILQ_HEAD(transfer_queue, transfer);

/* Spare server sockets of a worker: as many as sessions are likely to end in a turn. */
#define SPARES_MAX 64

struct session_set {
    struct loop loop;
    struct service *service;
    unsigned index; /* of the worker */
    struct relay_buffers buffers;
    struct counters *counters;       /* in the shared stats */
    struct session_list *lists;      /* one for each of the service's frontends */
    struct transfer_queue transfers; /* to be filled with sessions */
    bool movable;                    /* there may be a session that could move */
    struct session_queue again;      /* had their share of the last turn, and have more to do */
    struct session_queue dead;       /* freed at the end of the turn */
    struct session_queue spare;      /* ended, and left a server's socket (conn_disconnect()) */
    unsigned spares, spares_most;
    bool keeps_spares;
    uint64_t last_session; /* number of the newest */
    struct terminator terminator;
};

/* Main thread: opens one without sessions. counters and oldest (one for each frontend) lie in the
 * shared stats. Returns 0 or an errno value; a set that could not be opened needs no closing. */
int session_set_open(struct session_set *set, struct service *service, unsigned index,
                     struct counters *counters, atomic_uint_fast64_t *oldest)
    __attribute__((warn_unused_result));

/* Main thread, when the worker's thread has ended: closes all sessions that are left. */
void session_set_stop(struct session_set *set);

/* Main thread: frees all that a stopped set has. */
void session_set_close(struct session_set *set);

/* Sessions wait for their next turn, not for an event. */
bool session_set_has_work(const struct session_set *set);

/* Sessions that had their share of the last turn go on; transfers that wait are filled. */
void session_set_go_on(struct session_set *set);

/* Frees the sessions that have ended, at the end of a turn, or keeps them as spares. */
void session_set_reap(struct session_set *set);

/* A session that has ended, with a server's socket that is connected to nobody; NULL: none. */
struct session *session_set_take_spare(struct session_set *set);

/* A session that ends now may become a spare. */
static inline bool session_set_wants_spares(const struct session_set *set)
{
    return set->spares < set->spares_most && set->keeps_spares;
}

/* Whether spares are kept from now on; those that there are are freed if not. */
void session_set_keep_spares(struct session_set *set, bool keep);

#endif
