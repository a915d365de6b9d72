/* Places of a limit: taking one, and waiting for one in a queue.
 *
 * Each limit has one place_queue. Queues are nested by `outer`: a place of a frontend needs a place
 * of the process as well. A waiter needs a place of its queue and of all outer queues. Today each
 * waiter is a client in the backlog of a listener; a session that waits for a server or for a
 * source address could be one too.
 *
 * Guarantees:
 *   - Order. A free place goes to the oldest waiter that can use it. The age of a waiter counts
 *     from its place_wait(), across all queues of one waitlist, also if the waiter had to wait for
 *     the inner limit first. A waiter that cannot use the place, because its inner limit is full,
 *     does not delay others.
 *   - First come, first served. While a limit has waiters, place_take() fails there, and the caller
 *     joins the end of the queue.
 *   - No needless wake-ups. A place that becomes free while there are waiters is given to one
 *     waiter, and only the thread of this waiter is woken. Waiting costs no CPU time.
 *   - No place is taken of one limit while another is full: all limits are checked first, and a
 *     waiter reserves room in the inner limit before it waits for the outer one. One exception: if
 *     two threads compete for the last place, one of them may take an inner place and give it back
 *     at once. This thread then joins the queue, and does not try again.
 *   - After place_cancel() the waiter gets no callback, and a place that it was already given goes
 *     to the next waiter.
 *
 * The lock of a waitlist is used only while there are waiters, and when one begins or stops
 * waiting.
 *
 * Several processes. Each process has its own waiters. Sessions of other processes lower the
 * maximum in this process (limit_move()). When such sessions end, the maximum rises, and
 * place_serve() gives the free places to waiters in the same order. The main thread reads the
 * counts of other processes every 20 ms while there are any. So a place that another process gave
 * back is used up to 20 ms later, and two processes that accept at the same time (the canary and
 * the old process) may exceed the limit by what they accept in that time. A process that retires
 * takes places above the maximum (place_force()), because its clients came before those of the new
 * process. Rejected: one count that all processes write. A process that is killed could not give
 * its places back. */
#ifndef RPPROXY_PROXY_CORE_PLACES_H
#define RPPROXY_PROXY_CORE_PLACES_H

#include "proxy/core/limit.h"

#include <pthread.h>
#include <stdint.h>
#include <sys/queue.h>

struct waiter;
TAILQ_HEAD(waiter_queue, waiter);

/* A set of queues whose waiters are ordered by age together, and their lock. */
struct waitlist {
    pthread_mutex_t lock;
    uint64_t arrivals; /* number of waiters so far, which is the age of the next one */
};

/* The queue for the places of a limit. */
struct place_queue {
    struct limit *limit;
    struct waitlist *waitlist;
    struct place_queue *outer; /* a place of this queue is needed as well; NULL: none */
    struct waiter *first;      /* the oldest waiter; the root of a pairing heap ordered by age */
    unsigned reserved;         /* places of the limit, reserved for waiters in an outer queue */
};

/* The waiters of one thread that were given their places. */
struct grants {
    struct waitlist *waitlist;
    struct waiter_queue granted; /* under the lock */
    bool woken; /* under the lock: wake() was called, and grants_deliver() has not emptied the list
                   since */
    /* Asks the owner thread to call grants_deliver() soon. Called by any thread, including the
     * owner; must not call a function of this module. */
    void (*wake)(void *arg);
    void *arg;
};

enum waiter_state {
    WAITER_IDLE,
    WAITER_WAITING, /* in the queue `at` */
    WAITER_GRANTED, /* has its places, and is in the grants of its thread */
};

/* A member of the object that waits. All members except on_granted are written under the lock. */
struct waiter {
    /* Runs on the thread of the grants. The waiter is idle again, and the callee owns the places:
     * it uses them, or gives them back by place_release(). */
    void (*on_granted)(struct waiter *waiter);
    enum waiter_state state;
    uint64_t age;
    struct place_queue *queue; /* the innermost queue */
    struct place_queue *at;    /* the queue in which the waiter is now */
    struct grants *grants;
    struct waiter *child, *next, *before; /* the heap: first child, sibling, sibling or parent */
    TAILQ_ENTRY(waiter) link;             /* in grants */
};

void waitlist_open(struct waitlist *waitlist);
void waitlist_close(struct waitlist *waitlist);

/* outer: a queue of the same waitlist, or NULL. The limit must outlive the queue. */
void place_queue_init(struct place_queue *queue, struct limit *limit, struct waitlist *waitlist,
                      struct place_queue *outer);

void grants_init(struct grants *grants, struct waitlist *waitlist, void (*wake)(void *arg),
                 void *arg);

/* Gives free places of the queue and of its outer queues to waiters. To be called after a maximum
 * has risen. Any thread.
 */
void place_serve(struct place_queue *queue);

/* Gives back one place of each limit from `inner` outwards, up to but not including `full`. */
void place_give_back(struct place_queue *inner, const struct place_queue *full);

/* Takes a place of the queue's limit and of all outer limits, and returns true. Returns false, and
 * takes none, if a limit is full or has waiters. Any thread. */
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

/* Takes a place of the queue's limit and of all outer limits, even if they are full. Any thread. */
static inline void place_force(struct place_queue *queue)
{
    for (; queue; queue = queue->outer)
        limit_force(queue->limit);
}

/* Gives back the places that were taken by place_take() or place_force() or given by on_granted().
 * If there are waiters, the oldest one that can use the places gets them. Any thread. */
static inline void place_release(struct place_queue *inner)
{
    bool wanted = false;
    for (struct place_queue *queue = inner; queue; queue = queue->outer)
        wanted |= limit_release(queue->limit);
    if (wanted)
        place_serve(inner);
}

/* Adds the waiter to the queue; to be called after place_take() has failed. Returns true if the
 * waiter got its places at once; it is idle then. Otherwise grants_deliver() calls on_granted()
 * later, unless the wait is cancelled. On the thread of grants. */
bool place_wait(struct waiter *waiter, struct place_queue *queue, struct grants *grants)
    __attribute__((warn_unused_result));

/* Ends the wait. Places that the waiter was already given go to the next waiter. No effect on an
 * idle waiter. On the thread of its grants. */
void place_cancel(struct waiter *waiter);

/* Calls on_granted() of at most `most` waiters that were given places; if there are more, calls
 * wake(). On the owner thread. */
void grants_deliver(struct grants *grants, unsigned most);

#endif
