/* A problem that occurs repeatedly, for example a shortage at each attempt to accept. The problem
 * is logged only when it begins, when its reason changes, and when it is over.
 *
 * A problem that comes and goes quickly counts as one: it is over when it has not occurred for
 * CONDITION_QUIET_MS, or for quiet_ms if that is longer. All members except quiet_ms start as zero.
 * Only one thread may use a condition. */
#ifndef RPPROXY_CONFIG_BASE_CONDITION_H
#define RPPROXY_CONFIG_BASE_CONDITION_H

#include <stdbool.h>
#include <stdint.h>

#define CONDITION_QUIET_MS 10000

/* At most this number of different reasons is logged. */
#define CONDITION_REASONS_MAX 4

struct condition {
    int reasons[CONDITION_REASONS_MAX]; /* already logged; 0: none */
    uint64_t met_at;                    /* the last time, in milliseconds */
    uint64_t quiet_ms;                  /* longer than the time between two attempts */
};

/* The condition is met at now (milliseconds, monotonic). reason is not 0: an errno value, or any
 * other number that identifies the case. Returns true if the caller shall log it. */
bool condition_met(struct condition *condition, int reason, uint64_t now)
    __attribute__((warn_unused_result));

/* The condition is not met at now. Returns true, once, if it has ended; the caller shall log
 * this. Costs one comparison if there was no condition. */
bool condition_over(struct condition *condition, uint64_t now) __attribute__((warn_unused_result));

/* True: the condition has begun, and is not over yet. */
static inline bool condition_lasts(const struct condition *condition)
{
    return condition->reasons[0] != 0;
}

/* Returns the earliest time at which condition_over() may return true, if the condition is not
 * met again before. */
static inline uint64_t condition_ends_at(const struct condition *condition)
{
    return condition->met_at +
           (condition->quiet_ms > CONDITION_QUIET_MS ? condition->quiet_ms : CONDITION_QUIET_MS);
}

#endif
