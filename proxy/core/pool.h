/* The places of a backend's servers, and the queue of sessions that wait for one.
 *
 * A pool has a member for each server, with a limit of its own. A waiter takes a place of any
 * member (but those that it excludes), or of one member that it wants. The queue is one line, in
 * the order of arrival, over all threads. (places.h is for limits inside each other, with a queue
 * for each.)
 *
 * Guarantees:
 *   - A limit is not exceeded, also while pool_set_max() or another process lowers it. Only
 *     pool_force() takes places above the maximum.
 *   - A place that comes free goes to the oldest waiter that can use it. Only the thread of this
 *     waiter is woken. Waiting costs no CPU time.
 *   - First come, first served: while somebody waits, pool_take() fails, and the caller joins the
 *     line; there it gets a place at once if no older waiter can use that place.
 *   - A waiter that joins again keeps its turn.
 *   - After pool_leave() the waiter gets no callback, and a place that it was given goes to the
 * next waiter.
 *   - When a member is not usable any more, the waiters that want it are told to choose again.
 *
 * The lock is used only while somebody waits, and when the main thread changes a member.
 *
 * Members with room. The pool has a bit for each member, so that a thread that looks for a place
 * finds one among thousands of full members (pool_room()). A bit is a hint, and never decides who
 * takes a place:
 *   - A thread that meets a full member clears its bit (pool_has_room()). Taking a place writes no
 *     bit, so a member may have its bit and be full.
 *   - A thread that makes room (it gives a place back, or raises the maximum) sets the bit.
 *   - While no such call is under way, each member that has room has its bit. For a moment it may
 *     have none: a thread that joins the line looks at the limits themselves.
 *
 * Several processes. Each has a pool of its own, and a share of each limit as the maximum; the sum
 * of the shares never exceeds the limit. limit_shares.h has the rule. */
#ifndef RPPROXY_PROXY_CORE_POOL_H
#define RPPROXY_PROXY_CORE_POOL_H

#include "proxy/core/limit.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct pool_waiter;
TAILQ_HEAD(pool_line, pool_waiter);

/* A server. The limit, the owner and the bit are set by pool_add() and never change; the rest is
 * written under the lock of the pool. */
struct pool_member {
    struct limit *limit;
    void *owner;
    atomic_uint_fast64_t *room; /* the word of its bit, ... */
    uint64_t room_bit;          /* ... and the bit */
    bool usable;                /* waiters may be given places */
    unsigned wanted_by;         /* waiters in `wanting` */
    struct pool_line wanting;   /* those that want this member, the oldest first */
    STAILQ_ENTRY(pool_member) next;
};

/* The waiters of one thread that have been called. Under the lock of the pool. */
struct pool_desk {
    struct pool_line called;
    bool woken; /* wake() was called, and pool_deliver() has not emptied the list since */
    /* Asks the thread to call pool_deliver() soon. Called by any thread, the thread itself
     * included; must not call a function of this module. */
    void (*wake)(void *arg);
    void *arg;
};

struct pool {
    pthread_mutex_t lock;
    atomic_uint waiting; /* number of waiters in the line */
    unsigned most;       /* the line is full then; POOL_NO_END: never */
    uint64_t last;       /* age of the youngest waiter so far */
    STAILQ_HEAD(, pool_member) members;
    size_t member_count;
    atomic_uint_fast64_t *room; /* bits of members 0, 1 and so on, in the order of pool_add() */
    size_t room_words;
    struct pool_line any; /* waiters that take a place of any member, the oldest first */
    unsigned any_count;   /* waiters in `any` */
    unsigned homeless;    /* those of them that are keyed */
};

#define POOL_NO_END UINT_MAX

enum pool_state {
    POOL_IDLE,
    POOL_WAITING, /* in the line */
    POOL_CALLED,  /* at its desk: it has a place (`given`), or is to choose again */
};

/* A member of the object that waits. The caller sets excludes and on_call, and before
 * pool_join() age, wanted, keyed and desk; these do not change while it waits, nor does what
 * excludes() says. The rest is written under the lock.
 */
struct pool_waiter {
    /* True: the waiter does not take a place of the member with that owner. Under the lock, on any
     * thread. NULL: it takes all. */
    bool (*excludes)(struct pool_waiter *waiter, const void *owner);
    /* On the thread of the desk. The waiter is idle. given: a place of this member is the callee's;
     * NULL: the waiter is to choose again. */
    void (*on_call)(struct pool_waiter *waiter, struct pool_member *given);
    /* Microseconds of CLOCK_MONOTONIC; of two waiters the one with the smaller age came first. 0:
     * comes now, behind all others. It keeps its turn when it joins again with the same age. */
    uint64_t age;
    struct pool_member *wanted; /* NULL: any */
    bool
        keyed; /* without `wanted`: it takes none, and chooses again when a member becomes usable */
    struct pool_desk *desk;
    enum pool_state state;
    struct pool_member *given;
    TAILQ_ENTRY(pool_waiter) link;
};

/* How easily a waiter is turned away. */
enum pool_patience {
    POOL_NEW,   /* where the line is full, or there is no usable member that it takes */
    POOL_AGAIN, /* where there is no such member; it has been in the line before */
    POOL_STAYS, /* never */
};

enum pool_answer {
    POOL_JOINED,   /* on_call() comes later, unless the waiter leaves */
    POOL_GIVEN,    /* it got a place of *given at once, and is idle */
    POOL_FULL,     /* the line is full */
    POOL_HOPELESS, /* there is no usable member that it takes */
};

/* most: waiters, or POOL_NO_END. members: at least as many can be added. Returns 0 or ENOMEM. */
int pool_open(struct pool *pool, unsigned most, size_t members) __attribute__((warn_unused_result));
void pool_close(struct pool *pool);

/* As pool_open() was told, for waiters that come from now on. Any thread. */
void pool_set_most(struct pool *pool, unsigned most);

void pool_desk_init(struct pool_desk *desk, void (*wake)(void *arg), void *arg);

/* Adds a member that is not usable yet. limit and owner outlive the pool. Returns 0, or ENOMEM: it
 * would be one too many. Any thread. */
int pool_add(struct pool *pool, struct pool_member *member, struct limit *limit, void *owner)
    __attribute__((warn_unused_result));

/* The member can be used from now on (its free places go to waiters), or not any more. Any thread.
 */
void pool_set_usable(struct pool *pool, struct pool_member *member, bool usable);

/* For this module. To be called after a change that may have made room. */
static inline void pool_note_room(struct pool_member *member)
{
    if (limit_has_room(member->limit) && !(atomic_load(member->room) & member->room_bit))
        atomic_fetch_or(member->room, member->room_bit);
}

/* For this module. The member is full, and loses its bit. False: it has room just now, and keeps
 * the bit. */
bool pool_note_full(struct pool_member *member);

/* A place is free, as far as the caller can know. Any thread. */
static inline bool pool_has_room(struct pool_member *member)
{
    if (!(atomic_load_explicit(member->room, memory_order_acquire) & member->room_bit))
        return false;
    return limit_has_room(member->limit) || !pool_note_full(member);
}

/* The bits of 64 members, of which the first has the number 64 * word. A member with room has its
 * bit set. Any thread. */
static inline uint64_t pool_room(const struct pool *pool, size_t word)
{
    return atomic_load_explicit(&pool->room[word], memory_order_acquire);
}

/* Another maximum: if it has risen, waiters are given the free places. Main thread. */
void pool_set_max(struct pool *pool, struct pool_member *member, unsigned max);

/* Gives the free places of the member to waiters. Any thread. */
void pool_serve(struct pool *pool, struct pool_member *member);

/* Gives back a place. Any thread. */
static inline void pool_release(struct pool *pool, struct pool_member *member)
{
    atomic_fetch_sub(&member->limit->used, 1);
    if (atomic_load(&pool->waiting) > 0)
        pool_serve(pool, member);
    pool_note_room(member);
}

/* Gives back a place that another process has taken over: nobody in this process gets it. Any
 * thread. */
void pool_forgo(struct pool *pool, struct pool_member *member);

/* Takes a place, unless the limit is full or somebody waits. Any thread. */
static inline bool pool_take(struct pool *pool, struct pool_member *member)
{
    if (atomic_load(&pool->waiting) > 0)
        return false;
    enum limit_taking taking = limit_take_exactly(member->limit);
    if (taking == LIMIT_UNDONE) {
        if (atomic_load(&pool->waiting) > 0)
            pool_serve(pool, member);
        pool_note_room(member);
    }
    return taking == LIMIT_TAKEN;
}

/* Takes a place even if none is free. Any thread. */
static inline void pool_force(struct pool_member *member)
{
    limit_force(member->limit);
}

/* A waiter that is idle joins the line. On the thread of the desk. */
enum pool_answer pool_join(struct pool *pool, struct pool_waiter *waiter,
                           enum pool_patience patience, struct pool_member **given)
    __attribute__((warn_unused_result));

/* The waiter leaves the line, or does not want what it was given. No effect on an idle waiter. On
 * the thread of its desk. */
void pool_leave(struct pool *pool, struct pool_waiter *waiter);

/* Calls at most `most` waiters of the desk; if there are more, calls wake(). On the thread of the
 * desk. */
void pool_deliver(struct pool *pool, struct pool_desk *desk, unsigned most);

/* Number of waiters. Any thread. */
static inline unsigned pool_waiting(const struct pool *pool)
{
    return atomic_load(&pool->waiting);
}

/* Number of waiters that would take a place of the member now, or a little more: what they exclude
 * is not looked at. Any thread. */
unsigned pool_wanting(struct pool *pool, const struct pool_member *member);

#endif
