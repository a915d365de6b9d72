/* A count of places in use, with a maximum. All workers of a process change the count, and other
 * processes read it (proxy/stats/shared_stats.h). Each limit has a cache line on which the data
 * path writes nothing else.
 *
 * This module is the count only, without a lock; places.h has the queue for a place. All accesses
 * are sequentially consistent. One thread announces that it waits and then looks for a place;
 * another thread gives a place back and then looks for waiters: at least one of them sees the
 * other.
 */
#ifndef RPPROXY_PROXY_CORE_LIMIT_H
#define RPPROXY_PROXY_CORE_LIMIT_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>

#define LIMIT_NONE UINT_MAX

struct limit {
    atomic_uint used;    /* the first member: other processes read it here */
    atomic_uint waiting; /* number of waiters for a place of this limit */
    atomic_uint max;     /* the maximum, or LIMIT_NONE */
};

static inline bool limit_has_room(const struct limit *limit)
{
    return atomic_load(&limit->used) < atomic_load(&limit->max);
}

/* Takes a place and returns true, or returns false and never changes the count, not even for a
 * moment. */
static inline bool limit_take(struct limit *limit)
{
    unsigned used = atomic_load(&limit->used);
    do
        if (used >= atomic_load(&limit->max))
            return false;
    while (!atomic_compare_exchange_weak(&limit->used, &used, used + 1));
    return true;
}

enum limit_taking { LIMIT_TAKEN, LIMIT_FULL, LIMIT_UNDONE };

/* As limit_take(), also while another thread lowers the maximum: no place is taken by a maximum
 * that was replaced before this call returned. So when limit_move() has returned, `used` counts all
 * places above the new maximum that are ever taken. UNDONE: none is taken, but for a moment the
 * count was one too high, and another thread may have met a full limit. */
static inline enum limit_taking limit_take_exactly(struct limit *limit)
{
    unsigned used = atomic_load(&limit->used);
    do
        if (used >= atomic_load(&limit->max))
            return LIMIT_FULL;
    while (!atomic_compare_exchange_weak(&limit->used, &used, used + 1));
    if (used < atomic_load(&limit->max))
        return LIMIT_TAKEN;
    atomic_fetch_sub(&limit->used, 1);
    return LIMIT_UNDONE;
}

/* Lowers the maximum by one, if that is possible. Any thread. */
static inline void limit_shrink(struct limit *limit)
{
    unsigned max = atomic_load(&limit->max);
    while (max > 0 && max != LIMIT_NONE &&
           !atomic_compare_exchange_weak(&limit->max, &max, max - 1))
        ;
}

/* Takes a place even if none is free. */
static inline void limit_force(struct limit *limit)
{
    atomic_fetch_add(&limit->used, 1);
}

/* Gives a place back. Returns true if there are waiters for this limit. */
static inline bool limit_release(struct limit *limit)
{
    atomic_fetch_sub(&limit->used, 1);
    return atomic_load(&limit->waiting) > 0;
}

/* Sets the maximum; places in use above the maximum stay in use. Only one thread may call this.
 * Returns true if the maximum has risen and there are waiters. */
static inline bool limit_move(struct limit *limit, unsigned max)
{
    unsigned before = atomic_exchange(&limit->max, max);
    return max > before && atomic_load(&limit->waiting) > 0;
}

#endif
