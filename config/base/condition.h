/* A condition that is met again and again, as a shortage at each attempt to accept, and that is
 * logged at its changes only: when it begins, when another reason comes, and when it is over.
 *
 * A condition that comes and goes quickly is one condition: it is over only when it has not been
 * met for CONDITION_QUIET_MS. Set to zero at first; for one thread at a time. */
#ifndef RPPROXY_CONFIG_BASE_CONDITION_H
#define RPPROXY_CONFIG_BASE_CONDITION_H

#include <stdbool.h>
#include <stdint.h>

#define CONDITION_QUIET_MS 10000

/* More reasons than so many are not told apart: further ones are not logged. */
#define CONDITION_REASONS_MAX 4

struct condition {
    int reasons[CONDITION_REASONS_MAX]; /* that were logged; 0: none (any more) */
    uint64_t met_at;                    /* the last time, in milliseconds */
    uint64_t quiet_ms;                  /* where attempts are rare: as long as some of them take */
};

/* The condition is met at now (milliseconds, monotonic), for a reason other than 0: an errno value,
 * or any other number that tells one case from another. Returns true where that is to be logged. */
bool condition_met(struct condition *condition, int reason, uint64_t now)
    __attribute__((warn_unused_result));

/* The condition is not met at now. Returns true, once, where it was, and is over: that is to be
 * logged. Costs one comparison where there is no condition. */
bool condition_over(struct condition *condition, uint64_t now) __attribute__((warn_unused_result));

/* True: it has begun, and is not over yet. */
static inline bool condition_lasts(const struct condition *condition)
{
    return condition->reasons[0] != 0;
}

/* When condition_over() may return true for the first time, if it is not met before. */
static inline uint64_t condition_ends_at(const struct condition *condition)
{
    return condition->met_at +
           (condition->quiet_ms > CONDITION_QUIET_MS ? condition->quiet_ms : CONDITION_QUIET_MS);
}

#endif
