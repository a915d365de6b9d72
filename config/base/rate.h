/* A rate, as in "100/s", and a bucket that keeps it.
 *
 * A bucket holds as many as the rate allows in its period: "100/s" admits 100 at once, and then one
 * every 10 ms; "10/m" admits 10 at once, and then one every 6 s. So in any time t it admits no more
 * than 100 and 100 for each second of t.
 *
 * The whole bucket is one number, the time at which it will be full again (the generic cell rate
 * algorithm, ITU-T I.371). Of two buckets that several threads or processes have for one thing, the
 * later time counts. Times are nanoseconds of CLOCK_MONOTONIC, which is the same for all processes
 * of the machine. */
#ifndef RPPROXY_CONFIG_BASE_RATE_H
#define RPPROXY_CONFIG_BASE_RATE_H

#include <stdint.h>

#define RATE_COUNT_MAX 1000000u

struct rate {
    uint32_t count;  /* 1 to RATE_COUNT_MAX; 0: no rate is set, and nothing below may be called */
    uint32_t period; /* milliseconds: 1000, 60000 or 3600000 */
};

/* Time in which one comes back, rounded up, so that the rate is never passed. */
static inline uint64_t rate_interval(struct rate rate)
{
    return ((uint64_t)rate.period * 1000000 + rate.count - 1) / rate.count;
}

/* When the bucket has one to give. At or before now: it has. */
static inline uint64_t rate_ready_at(struct rate rate, uint64_t full_at)
{
    uint64_t room = rate_interval(rate) * (rate.count - 1);
    return full_at > room ? full_at - room : 0;
}

/* When the bucket will be full, once one more is taken from it now. */
static inline uint64_t rate_taken(struct rate rate, uint64_t full_at, uint64_t now)
{
    return (full_at > now ? full_at : now) + rate_interval(rate);
}

/* Gives back one that rate_taken() had returned `taken` for, also if others were taken since.
 * Returns when the bucket will be full then. A full bucket gains nothing by waiting: if the bucket
 * would have been full without that one, the time since then is not given back, so that no more are
 * admitted than the rate allows. */
static inline uint64_t rate_given_back(struct rate rate, uint64_t full_at, uint64_t now,
                                       uint64_t taken)
{
    uint64_t interval = rate_interval(rate);
    uint64_t begin = taken - interval;
    uint64_t lost = now > begin ? now - begin : 0;
    return lost < interval ? full_at - (interval - lost) : full_at;
}

#endif
