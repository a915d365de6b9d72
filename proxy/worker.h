/* A worker: one thread with one loop, its listeners, its sessions, and nothing mutable that
 * another worker looks at on the data path.
 *
 * Functions marked "main" are for the thread that made the proxy; they post a task to the
 * worker and return. All others run on the worker's own thread. */
#ifndef RPPROXY_PROXY_WORKER_H
#define RPPROXY_PROXY_WORKER_H

#include "config/base/condition.h"
#include "proxy/core/places.h"
#include "proxy/core/task_queue.h"
#include "proxy/core/wheel.h"
#include "proxy/engine/poller.h"
#include "proxy/session/relay_buffers.h"
#include "proxy/session/session_list.h"
#include "proxy/session/terminate.h"
#include "proxy/stats/shared_stats.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/queue.h>

struct listener;
struct proxy;
struct session;

STAILQ_HEAD(session_queue, session);
STAILQ_HEAD(transfer_queue, transfer);
TAILQ_HEAD(listener_list, listener);

/* Spare server sockets of a worker: as many as sessions are likely to end in a turn. */
#define WORKER_SPARES 64
/* What a worker has open besides: its poller, its task queue, its pipe. */
#define WORKER_DESCRIPTORS (POLLER_DESCRIPTORS + 1 + PIPE_DESCRIPTORS)

/* What a worker does with its listeners. */
enum listening {
    LISTENING_HELD,    /* nothing: connections wait in the backlog */
    LISTENING_OPEN,    /* accepts within the limits */
    LISTENING_RETIRED, /* accepts whatever the kernel has given it, limits or not */
    LISTENING_OVER,    /* has emptied the backlogs a last time, and will not accept again */
};

struct worker {
    struct proxy *proxy;
    unsigned index;
    pthread_t thread;
    _Atomic(pthread_t) self; /* the same, said by the thread itself; 0: it has not begun */
    bool started;
    struct poller poller;
    struct task_queue task_queue;
    struct watch mail;
    struct wheel wheel;
    uint64_t now; /* microseconds, CLOCK_MONOTONIC; 0: not read yet in this turn */
    struct relay_buffers buffers;

    struct listener_list listeners;
    enum listening listening;
    uint64_t listen_at;   /* milliseconds: listeners rest, or a shortage is looked at, till then; 0:
                             none */
    struct grants grants; /* places that were handed to the clients who wait here */
    bool granted;         /* in this turn, by ourselves */

    struct session_list *session_lists; /* its sessions: one for each of the proxy's frontends */
    struct transfer_queue transfers;    /* to be filled with sessions */
    bool movable;                       /* there may be a session that could move */
    struct session_queue again;         /* had their share of the last turn, and have more */
    struct session_queue dead;          /* freed at the end of the turn */
    struct session_queue
        spare; /* ended, and left a server's socket to the next (conn_disconnect()) */
    unsigned spares, spares_most;
    uint64_t last_session;     /* number of the newest */
    struct counters *counters; /* in the proxy's shared stats */
    struct terminator terminator;

    struct task listen_task, terminate_task, stop_task, grants_task; /* to us */
    struct task turn_task;                                           /* to us: answer this */
    struct task quiet_task, turned_task;                             /* from us to main */
    atomic_int wanted;         /* enum listening: what listen_task says */
    struct condition shortage; /* worker_starve() was called: descriptors or memory are short */
    bool stopping;
};

/* Makes a worker; its thread starts with worker_start(). Returns 0 or an errno value; a worker
 * that failed to open needs no closing. Main. */
int worker_open(struct worker *worker, struct proxy *proxy, unsigned index)
    __attribute__((warn_unused_result));
int worker_start(struct worker *worker) __attribute__((warn_unused_result));

/* Ends the thread, and the sessions that are left. Other workers may still wake this one, so none
 * is closed before all have stopped. Main; blocks until the thread has ended. */
void worker_stop(struct worker *worker);

/* Frees all that a stopped worker has. Listening descriptors stay open: they are not the worker's.
 * Main. */
void worker_close(struct worker *worker);

/* Main: the listeners go over to another way of listening. With LISTENING_OVER the proxy's
 * on_quiet is called once every worker is there. */
void worker_listen(struct worker *worker, enum listening listening);

/* Main: closes what is more than the frontends keep (terminate_surplus()). */
void worker_terminate(struct worker *worker);

/* Main: posts turned_task to the proxy from the worker's next turn. */
void worker_ask_turn(struct worker *worker);

/* The time of this turn of the loop: one clock read a turn at most. */
uint64_t worker_now(struct worker *worker);

static inline uint64_t worker_now_ms(struct worker *worker)
{
    return worker_now(worker) / 1000;
}

/* A session that has ended, with a server's socket that is connected to nobody; NULL: none. */
struct session *worker_take_spare(struct worker *worker);

/* A session that ends now may become one. */
static inline bool worker_wants_spares(const struct worker *worker)
{
    return worker->spares < worker->spares_most && worker->listening == LISTENING_OPEN;
}

/* Accepting met a shortage (of descriptors, of memory): all listeners of the worker rest, and
 * try again soon. */
void worker_starve(struct worker *worker, int error);

/* All listeners are resumed at that time (milliseconds), or sooner. */
void worker_listen_at(struct worker *worker, uint64_t time);

#endif
