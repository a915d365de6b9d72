/* The second hand of the process that serves: what counters cannot tell is seen once a second (how
 * many sessions there are, and which servers are DOWN), and noted in the shared stats. Main thread.
 */
#ifndef RPPROXY_RELOAD_PROCESS_OBSERVER_H
#define RPPROXY_RELOAD_PROCESS_OBSERVER_H

#include "reload/base/exit_status.h"

#include <event2/event.h>
#include <stdint.h>

struct generation;

struct observer {
    struct generation *generation;
    struct event *tick;
    uint64_t last; /* clock_ms() of the last tick; 0: this process did not serve then */
};

/* Returns 0 or ENOMEM; observer_close() is right after either. */
int observer_open(struct observer *observer, struct generation *generation)
    __attribute__((warn_unused_result));
void observer_close(struct observer *observer);

/* For the sums of all generations: a reload is over; one that had succeeded was taken back. */
void observer_note_reload(const struct generation *generation, enum exit_status status,
                          uint64_t milliseconds);
void observer_note_rollback(const struct generation *generation);

#endif
