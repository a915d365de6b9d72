/* The sessions of one worker, and what they run on.
 *
 * A worker embeds one. Everything here is for that worker's thread, but for what the header says of
 * the main thread. */
#ifndef RPPROXY_PROXY_SESSION_SESSION_SET_H
#define RPPROXY_PROXY_SESSION_SESSION_SET_H

#include "config/base/container_of.h"
#include "proxy/engine/loop.h"
#include "proxy/session/conn.h"
#include "proxy/session/service.h"
#include "proxy/session/session_list.h"
#include "proxy/stats/shared_stats.h"
#include "proxy/tls/tls.h"

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
    unsigned index;            /* of the worker */
    struct counters *counters; /* in the shared stats */
    /* Where the parts of the worker's row of the tally begin: counters from `counters` on. */
    uint32_t frontends_at, backends_at, servers_at;
    struct session_list *lists;      /* one for each of the service's frontends */
    struct transfer_queue transfers; /* to be filled with sessions */
    bool movable;                    /* there may be a session that could move */
    struct session_queue again;      /* had their share of the last turn, and have more to do */
    struct session_queue dead;       /* freed at the end of the turn */
    struct session_queue spare;      /* ended, and left a server's socket (engine_disconnect()) */
    unsigned spares, spares_most;
    bool keeps_spares;
    unsigned source_turn; /* of ranges of sources */
    bool timed;           /* times are wanted: there are metrics, or an access log */
    bool refused;         /* set when a session is refused by its address; the listener clears it */
    void (*on_parked)(struct session *session); /* session_park() is complete */
    uint64_t last_session;                      /* number of the newest */
    struct tls_output tls_output;               /* of sessions that speak TLS; else empty */
};

/* The set of which this is the engine. */
static inline struct session_set *session_set_of(struct engine *engine)
{
    return container_of(engine, struct session_set, loop.engine);
}

/* A counter of the worker, by its place. */
static inline atomic_uint_fast64_t *session_set_counter(const struct session_set *set, size_t place)
{
    return (atomic_uint_fast64_t *)(void *)set->counters + place;
}

/* Bytes were received from that side. */
static inline void session_set_count(const struct session_set *set, const struct conn *from,
                                     size_t bytes)
{
    counter_add(session_set_counter(set, from->total_place), bytes);
    counter_add(session_set_counter(set, from->frontend_place), bytes);
    counter_add(session_set_counter(set, from->server_place), bytes);
}

/* Main thread: opens a set without sessions, which counts in these stats; on_timer is called for
 * each timer of a session that is due; the caller sets on_parked. Returns 0 or an errno value; a
 * set that could not be opened needs no closing. */
int session_set_open(struct session_set *set, struct service *service, unsigned index,
                     struct stats *stats, void (*on_timer)(struct wheel_entry *timer))
    __attribute__((warn_unused_result));

/* Main thread: frees all that a set without sessions has. */
void session_set_close(struct session_set *set);

/* A session that ends now may become a spare. */
static inline bool session_set_wants_spares(const struct session_set *set)
{
    return set->spares < set->spares_most && set->keeps_spares;
}

#endif
