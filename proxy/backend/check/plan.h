/* When a server is checked next. Values in, values out; times in milliseconds. */
#ifndef RPPROXY_PROXY_BACKEND_CHECK_PLAN_H
#define RPPROXY_PROXY_BACKEND_CHECK_PLAN_H

#include "proxy/backend/server.h"

/* From the start of one check to the start of the next. */
static inline uint64_t plan_interval(const struct check_conf *conf, enum check_pace pace)
{
    uint64_t interval = pace == PACE_CHANGING ? conf->interval_fast
                        : pace == PACE_DOWN   ? conf->interval_down
                                              : 0;
    return interval ? interval : conf->interval;
}

/* The check after the one that was due at `last`. Without jitter it is a whole number of intervals
 * later, so that servers that were spread stay spread, even if the loop was late. chance: any
 * number; of it comes the part of the jitter. */
static inline uint64_t plan_next(const struct check_conf *conf, enum check_pace pace, uint64_t last,
                                 uint64_t now, uint32_t chance)
{
    uint64_t interval = plan_interval(conf, pace);
    uint64_t due = last + interval;
    if (due <= now)
        due += (now - due) / interval * interval + interval;
    uint64_t earlier = interval * conf->jitter / 100 * chance >> 32;
    return due > now + earlier ? due - earlier : now + 1;
}

/* Part of the interval for the n-th server. By the golden ratio, any number of servers is spread
 * evenly, also where the intervals differ. */
static inline uint64_t plan_phase(size_t n, uint64_t interval)
{
    uint32_t turn = (uint32_t)n * UINT32_C(2654435769);
    return (interval * turn) >> 32;
}

/* When the thread wakes for a check that is due: checks that are due soon after each other have one
 * turn of the loop together, a hundredth of the interval late at most. */
static inline uint64_t plan_wake(uint64_t due, uint64_t interval)
{
    uint64_t slot = interval / 100 < 20 ? interval / 100 : 20;
    return slot > 1 ? (due + slot - 1) / slot * slot : due;
}

#endif
