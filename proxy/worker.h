/* A worker: one thread with its sessions and its listeners, and nothing mutable that another worker
 * looks at on the data path but counters and places.
 *
 * Functions marked "main" are for the thread that made the proxy; those that ask the worker for
 * something post a task to it, and return. */
#ifndef RPPROXY_PROXY_WORKER_H
#define RPPROXY_PROXY_WORKER_H

#include "config/base/cpus.h"
#include "proxy/listen/acceptor.h"
#include "proxy/session/evict.h"
#include "proxy/session/session_set.h"
#include "proxy/session/terminate.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* What a worker has open beside its sessions and listeners: its engine, its tasks. */
#define WORKER_DESCRIPTORS (ENGINE_DESCRIPTORS + 1)

struct worker {
    struct session_set sessions;
    struct acceptor acceptor;
    struct terminator terminator;
    struct evictor evictor;
    pthread_t thread;
    bool started;
    bool stopping;
    struct task listen_task, terminate_task, terminate_next_task, stop_task; /* to the worker */
    struct task evict_task, evict_next_task;                                 /* the same */
    struct task turn_task;               /* to the worker: answer this */
    struct task move_task;               /* to the worker: its sessions may move */
    struct task quiet_task, turned_task; /* from the worker to the main thread */
    atomic_int wanted;                   /* enum listening: what listen_task says */
};

/* Makes a worker, which counts in these stats; its thread starts with worker_start(). Returns 0 or
 * an errno value; a worker that failed to open needs no closing. Main. */
int worker_open(struct worker *worker, struct service *service, unsigned index, struct stats *stats)
    __attribute__((warn_unused_result));

/* affinity: the CPUs of all workers, or none. Returns 0 or an errno value. Main. */
int worker_start(struct worker *worker, const struct cpus *affinity)
    __attribute__((warn_unused_result));

/* Ends the thread, and the sessions that are left. Other workers may still wake this one, so none
 * is closed before all have stopped. Main; blocks until the thread has ended. */
void worker_stop(struct worker *worker);

/* Frees all that a stopped worker has. Listening descriptors stay open: they are not the worker's.
 * Main. */
void worker_close(struct worker *worker);

/* Main: the listeners go over to another way of listening. With LISTENING_OVER quiet_task is posted
 * to the main thread once the worker is there. */
void worker_listen(struct worker *worker, enum listening listening);

/* Main: closes the sessions that are more than the frontends keep (terminate_surplus()). */
void worker_terminate(struct worker *worker);

/* Main: sessions that were held back from moving to another process may move now. */
void worker_let_move(struct worker *worker);

/* Main: ends the sessions of servers that went down (evict.h). */
void worker_evict(struct worker *worker);

/* Main: turned_task is posted to the main thread from the worker's next turn. */
void worker_ask_turn(struct worker *worker);

#endif
