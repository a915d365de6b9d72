/* When a server is ejected for what sessions meet: failed connects, and resets before a byte. Pure;
 * all times are in milliseconds of one clock.
 *
 *                       max-fails failures within fail-window
 *     in the service  ---------------------------------------->  ejected
 *                     <----------------------------------------
 *                       after eject-time, twice, three times ... of it
 *
 * The n-th ejection in a row lasts n times eject-time, EJECTION_MOST times at most. Ejections are
 * in a row as long as the next one comes no later after the return of the server than the last one
 * lasted, and fail-window besides. */
#ifndef RPPROXY_PROXY_BACKEND_EJECTION_H
#define RPPROXY_PROXY_BACKEND_EJECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EJECTION_MOST 10u

struct ejection_rules {
    unsigned max_fails; /* 0: no ejections */
    uint64_t window, time;
};

/* What another process has to know. Zeros: never ejected, no failure. */
struct ejection {
    uint64_t until;      /* ejected until then; 0: not ejected */
    uint64_t ended;      /* when the last ejection ended, or is to end */
    unsigned repeats;    /* ejections in a row, with the last one */
    unsigned fails;      /* in the window that ends with the last failure */
    uint64_t first_fail; /* the oldest of these */
};

/* The times of the last failures, a ring. Zeroed: none, and no memory. */
struct fail_times {
    uint64_t *times;
    unsigned size, first, count;
};

void fail_times_free(struct fail_times *fail_times);

/* So many sessions have failed just now. Failures that are too old are forgotten; fail_times may be
 * empty although *ejection has failures, which another process counted. True: the server is to be
 * ejected, if it may be. False also without memory. */
bool ejection_note_failures(struct ejection *ejection, struct fail_times *fail_times,
                            const struct ejection_rules *rules, unsigned count, uint64_t now)
    __attribute__((warn_unused_result));

/* Ejects, and forgets the failures. */
void ejection_begin(struct ejection *ejection, struct fail_times *fail_times,
                    const struct ejection_rules *rules, uint64_t now);

/* The ejection ends now. */
void ejection_end(struct ejection *ejection, uint64_t now);

/* One more server of so many may be ejected: most is a share in percent, which allows one server at
 * least, unless it is 0. others: servers that would still be usable. */
bool ejection_is_allowed(size_t servers, size_t ejected, size_t others, unsigned most);

static inline bool ejection_holds(const struct ejection *ejection)
{
    return ejection->until > 0;
}

#endif
