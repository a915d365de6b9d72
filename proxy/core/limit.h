/* A count of sessions with a ceiling, shared by all workers of a generation.
 *
 * Who finds it full says that it waits, and is woken when a place comes free; connections stay
 * in the kernel's backlog meanwhile. The ceiling may move, since sessions of other processes can
 * count as well. */
#ifndef RPPROXY_PROXY_CORE_LIMIT_H
#define RPPROXY_PROXY_CORE_LIMIT_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>

#define LIMIT_NONE UINT_MAX

struct limit {
    atomic_uint used;    /* first: other processes read it (proxy/stats/shared_stats.h) */
    atomic_uint waiting; /* how many wait for a place */
    atomic_uint max;     /* or LIMIT_NONE */
};

/* Takes a place, or returns false. Never takes one that it must give back: two who fail at once
 * would find it full because of each other, and wait for a place that nobody gives back. */
static inline bool limit_take(struct limit *limit)
{
    unsigned used = atomic_load(&limit->used);
    do
        if (used >= atomic_load(&limit->max))
            return false;
    while (!atomic_compare_exchange_weak(&limit->used, &used, used + 1));
    return true;
}

/* Takes a place though there may be none. */
static inline void limit_force(struct limit *limit)
{
    atomic_fetch_add(&limit->used, 1);
}

/* Gives a place back. True: somebody waits for one, and must be woken. */
static inline bool limit_release(struct limit *limit)
{
    atomic_fetch_sub(&limit->used, 1);
    return atomic_load(&limit->waiting) > 0;
}

/* Moves the ceiling; whoever is above it stays. One thread's. True: somebody waits, and there is
 * more room than before, so that they must be woken. */
static inline bool limit_move(struct limit *limit, unsigned max)
{
    unsigned before = atomic_exchange(&limit->max, max);
    return max > before && atomic_load(&limit->waiting) > 0;
}

/* Says that the caller is about to wait, which it may do if a limit_take() after this fails too: a
 * place that comes free from now on is announced (both sides are sequentially consistent). */
static inline void limit_wait(struct limit *limit)
{
    atomic_fetch_add(&limit->waiting, 1);
}

static inline void limit_wait_over(struct limit *limit)
{
    atomic_fetch_sub(&limit->waiting, 1);
}

#endif
