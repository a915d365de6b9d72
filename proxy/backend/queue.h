/* The queue of a backend for the places of its servers, where one of them has maxconn. Such a
 * backend has a queue, and each of its servers a seat; other backends have neither.
 *
 * core/pool.h has the line and its rules; here is what ties it to servers, to the figures that
 * other processes read, and to the workers. */
#ifndef RPPROXY_PROXY_BACKEND_QUEUE_H
#define RPPROXY_PROXY_BACKEND_QUEUE_H

#include "proxy/backend/server.h"
#include "proxy/core/pool.h"
#include "proxy/core/task_queue.h"
#include "proxy/stats/shared_stats.h"

/* The places of a server. */
struct seat {
    struct pool_member member;   /* its owner is the server */
    struct stats_server *record; /* in the shared stats; or `own`, if there was no record left */
    struct stats_server own;
    bool usable;     /* the server has a share; main thread */
    unsigned others; /* places in use by other processes, as of the last look; main thread */
};

/* The waiters of one worker. */
struct queue_desk {
    struct pool_desk desk;
    struct queue *queue;
    struct task_queue *tasks; /* of the worker */
    struct task task;
};

struct queue {
    struct pool pool;
    struct stats *stats;
    struct queue_desk *desks; /* one for each worker */
    unsigned workers;
    bool alone; /* no other process shares the limits: changes of maxconn hold at once */
};

/* Main thread, before the workers start: gives the backend a queue, and its servers seats, if one
 * of them has maxconn. No place can be taken until queue_allow(). stats outlives the backend.
 * Returns 0 or ENOMEM. */
int queue_open(struct backend *backend, struct stats *stats) __attribute__((warn_unused_result));

/* After the workers have ended. Harmless where there is no queue. */
void queue_close(struct backend *backend);

/* Main thread, before the worker starts. Harmless where there is no queue. */
void queue_set_worker(struct queue *queue, unsigned worker, struct task_queue *tasks);

/* Main thread: a server that was added gets a seat. Returns 0 or ENOMEM. */
int queue_add(struct queue *queue, struct server *server) __attribute__((warn_unused_result));

/* Main thread: backend->on_share of a backend with a queue. In a slow start a server may have the
 * same part of maxconn as of its whole share, but at least one session. Harmless for a server
 * without a seat. */
void queue_on_share(struct server *server, unsigned percent);

/* Main thread: this process may have so many sessions on the server; waiters get what is free. */
void queue_allow(struct queue *queue, struct seat *seat, unsigned max);

/* No place is free. Any thread; a server without a seat is never full. */
static inline bool server_is_full(const struct server *server)
{
    return server->seat && !pool_has_room(&server->seat->member);
}

#endif
