/* One worker's listeners, and how they accept: within the limits, beyond them, or not at all.
 *
 * A worker embeds one. Everything here is for that worker's thread. */
#ifndef RPPROXY_PROXY_LISTEN_ACCEPTOR_H
#define RPPROXY_PROXY_LISTEN_ACCEPTOR_H

#include "config/base/condition.h"
#include "proxy/listen/listener.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/* What a worker does with its listeners. */
enum listening {
    LISTENING_HELD,    /* nothing: connections wait in the backlog */
    LISTENING_OPEN,    /* accepts within the limits */
    LISTENING_RETIRED, /* accepts all that the kernel has given it, limits or not */
    LISTENING_OVER,    /* has emptied the backlogs a last time, and will not accept again */
};

struct acceptor {
    struct listener_group group;
    enum listening listening;
    uint64_t listen_at;        /* milliseconds: listeners rest, or a shortage is looked at, until
                                  then; 0: none */
    struct task grants_task;   /* delivers the group's grants */
    bool granted;              /* in this turn, by this worker itself */
    _Atomic(pthread_t) thread; /* 0: it has not begun */
    struct condition shortage; /* descriptors or memory are short */
};

/* sessions outlive it. Cannot fail. Main thread. */
void acceptor_open(struct acceptor *acceptor, struct session_set *sessions);

/* Frees the listeners; their descriptors stay open. Main thread, when the worker's has ended. */
void acceptor_close(struct acceptor *acceptor);

/* The worker's thread begins. */
void acceptor_begin(struct acceptor *acceptor);

/* The listeners go over to another way of listening. */
void acceptor_listen(struct acceptor *acceptor, enum listening listening);

/* To be called when listen_at has come. */
void acceptor_on_time(struct acceptor *acceptor);

/* The end of a turn in which sessions have ended: they are freed, and clients that were handed
 * their places are accepted. */
void acceptor_end_turn(struct acceptor *acceptor);

#endif
