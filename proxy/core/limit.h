/* A count of places that are in use, with a ceiling. All workers of a process count in it; other
 * processes read it (proxy/stats/shared_stats.h), therefore each limit has a cache line that
 * nothing else of the data path is written to.
 *
 * This is the count alone, and lock-free. Waiting for a place is the matter of places.h. All
 * accesses are sequentially consistent: a thread that announces its wait and then looks for a
 * place, and a thread that gives a place back and then looks for waiters, cannot miss each other.
 */
#ifndef RPPROXY_PROXY_CORE_LIMIT_H
#define RPPROXY_PROXY_CORE_LIMIT_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>

#define LIMIT_NONE UINT_MAX

struct limit {
    atomic_uint used;    /* first: where other processes read it */
    atomic_uint waiting; /* how many wait for a place of this limit */
    atomic_uint max;     /* the ceiling, or LIMIT_NONE */
};

static inline bool limit_has_room(const struct limit *limit)
{
    return atomic_load(&limit->used) < atomic_load(&limit->max);
}

/* Takes a place, or returns false and leaves the count as it was, at every moment. */
static inline bool limit_take(struct limit *limit)
{
    unsigned used = atomic_load(&limit->used);
    do
        if (used >= atomic_load(&limit->max))
            return false;
    while (!atomic_compare_exchange_weak(&limit->used, &used, used + 1));
    return true;
}

/* Takes a place even if none is free. */
static inline void limit_force(struct limit *limit)
{
    atomic_fetch_add(&limit->used, 1);
}

/* Gives a place back. True: somebody waits for a place of this limit. */
static inline bool limit_release(struct limit *limit)
{
    atomic_fetch_sub(&limit->used, 1);
    return atomic_load(&limit->waiting) > 0;
}

/* Moves the ceiling; places above it stay in use. One thread moves it. True: there is more room
 * than before, and somebody waits for it. */
static inline bool limit_move(struct limit *limit, unsigned max)
{
    unsigned before = atomic_exchange(&limit->max, max);
    return max > before && atomic_load(&limit->waiting) > 0;
}

#endif
