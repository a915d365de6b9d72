/* Places: who may take one of a limit, and the queue of those who wait.
 *
 * A place_queue stands before one limit. Queues are nested by `outer`: who takes a place of a
 * frontend takes one of the process as well. A waiter is whatever needs a place of a queue and of
 * all its outer queues: today a client in the backlog of a listener; a session that waits for a
 * server, or for a source address, would be the same.
 *
 * What is promised:
 *   - Order. A free place goes to the oldest waiter that can use it. A waiter's age counts from its
 *     place_wait(), across all queues of one waitlist, also when the waiter had to wait for the
 *     inner limit first. Waiters that cannot use the place (their own inner limit is full) hold up
 *     nobody else.
 *   - No barging. While somebody waits for a limit, place_take() fails there, and the newcomer
 *     joins the queue behind.
 *   - No herd, no retry. A place that comes free while somebody waits is handed to one waiter,
 * whose thread alone is woken. Those who wait cost nothing.
 *   - A place is never taken in one limit while the other is full: both are looked at first, and a
 *     waiter reserves room in the inner limit before it waits for the outer one. Only if two
 *     threads compete for the very last place in the same moment may one of them take an inner
 * place and give it back at once; it joins the queue then, and does not try again.
 *   - Cancelling is exact: after place_cancel() nothing more happens to the waiter, and a place
 *     that had been handed to it already goes to the next in line.
 *
 * The lock of a waitlist is touched only while somebody waits, begins to wait, or ceases to.
 *
 * Processes. The waiters of a process are its own; what sessions of other processes take of the
 * same limit lowers the ceiling here (limit_move()), and a place that they give back shows as a
 * ceiling that rises: place_serve() then hands over what is free, in the same order. The main
 * thread looks at the counts of others every 20 ms while there are others. So a place that another
 * process has given back is handed over that much later, and two processes that accept at the same
 * time (a canary and the old process) may exceed the ceiling by what they accept in that time. A
 * process that retires takes places beyond the ceiling (place_force()): its clients came before
 * those of its successor. Rejected: one count that all processes write, since a process that is
 * killed could never give its places back. */
#ifndef RPPROXY_PROXY_CORE_PLACES_H
#define RPPROXY_PROXY_CORE_PLACES_H

#include "proxy/core/limit.h"

#include <pthread.h>
#include <stdint.h>
#include <sys/queue.h>

struct waiter;
TAILQ_HEAD(waiter_queue, waiter);

/* Queues of which waiters are compared by age; they have one lock. */
struct waitlist {
    pthread_mutex_t lock;
    uint64_t arrivals; /* so far: the age of the next waiter */
};

/* What stands before a limit. */
struct place_queue {
    struct limit *limit;
    struct waitlist *waitlist;
    struct place_queue *outer; /* a place of this one is needed as well; NULL: none */
    struct waiter *first;      /* the oldest; a pairing heap by age */
    unsigned reserved;         /* for waiters that have got as far as an outer queue */
};

/* Where a thread finds what was handed to its waiters. */
struct grants {
    struct waitlist *waitlist;
    struct waiter_queue granted; /* under the lock */
    bool rung;                   /* under the lock: the owner has not delivered all since */
    /* The owner is to call grants_deliver() soon. Called from any thread, the owner's as well; must
     * not call anything of this module. */
    void (*ring)(void *arg);
    void *arg;
};

enum waiter_state {
    WAITER_IDLE,
    WAITER_WAITING, /* in waiter->at */
    WAITER_GRANTED, /* has its places, and stands in the grants of its thread */
};

/* Part of what waits. Written under the lock, except on_granted. */
struct waiter {
    /* Runs on the thread of the grants. The waiter is idle again, and its places are to be used, or
     * to be released. */
    void (*on_granted)(struct waiter *waiter);
    enum waiter_state state;
    uint64_t age;
    struct place_queue *queue; /* the innermost */
    struct place_queue *at;    /* where it waits now */
    struct grants *grants;
    struct waiter *child, *next, *before; /* the heap: first child, sibling, sibling or parent */
    TAILQ_ENTRY(waiter) link;             /* in grants */
};

/* Cannot fail. */
void waitlist_open(struct waitlist *waitlist);
void waitlist_close(struct waitlist *waitlist);

/* outer: of the same waitlist, or NULL. The limit outlives the queue. */
void place_queue_init(struct place_queue *queue, struct limit *limit, struct waitlist *waitlist,
                      struct place_queue *outer);

void grants_init(struct grants *grants, struct waitlist *waitlist, void (*ring)(void *arg),
                 void *arg);

/* Hands over what is free in the queue and its outer ones: after a ceiling has risen. Any thread.
 */
void place_serve(struct place_queue *queue);

/* Gives back what was taken of the limits from inner on, before `full`. */
void place_give_back(struct place_queue *inner, const struct place_queue *full);

/* Takes a place of the queue's limit and of all outer ones, or none. False: a limit is full, or
 * somebody waits there already. Any thread. */
static inline bool place_take(struct place_queue *inner)
{
    struct place_queue *queue;
    for (queue = inner; queue; queue = queue->outer)
        if (atomic_load(&queue->limit->waiting) > 0 || !limit_has_room(queue->limit))
            return false;
    for (queue = inner; queue; queue = queue->outer)
        if (!limit_take(queue->limit)) {
            place_give_back(inner, queue);
            return false;
        }
    return true;
}

/* The same whether there is room or not. Any thread. */
static inline void place_force(struct place_queue *queue)
{
    for (; queue; queue = queue->outer)
        limit_force(queue->limit);
}

/* Gives back what place_take(), place_force() or a grant gave, and hands it over to the first who
 * can use it. Any thread. */
static inline void place_release(struct place_queue *inner)
{
    bool wanted = false;
    for (struct place_queue *queue = inner; queue; queue = queue->outer)
        wanted |= limit_release(queue->limit);
    if (wanted)
        place_serve(inner);
}

/* Joins the queue, after place_take() has failed. True: it has its places at once, and is idle.
 * Otherwise on_granted() is called later by grants_deliver(), unless it is cancelled before. The
 * thread of grants. */
bool place_wait(struct waiter *waiter, struct place_queue *queue, struct grants *grants)
    __attribute__((warn_unused_result));

/* The waiter waits no more; what it was handed goes to the next. Harmless on an idle one. The same
 * thread. */
void place_cancel(struct waiter *waiter);

/* Calls on_granted() of what was handed over, at most so many; if there is more, rings. The owner's
 * thread. */
void grants_deliver(struct grants *grants, unsigned most);

#endif
