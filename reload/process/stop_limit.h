/* Bounds for the end of a process, which holds also when one of its threads hangs.
 *
 * In a reload the other process asks whether this one runs (heartbeat.h). A process that stops has
 * no other one. When its sessions had the time of stop-timeout, and it has not ended 10 seconds
 * later, it asks its own threads; if they do not answer within 5 seconds, it ends without them.
 * Where a frontend has no stop-timeout there is no bound of this kind.
 *
 * The end itself waits for all threads: the kernel kills a process that takes more than 30 seconds
 * for it (SIGALRM). Main thread. */
#ifndef RPPROXY_RELOAD_PROCESS_STOP_LIMIT_H
#define RPPROXY_RELOAD_PROCESS_STOP_LIMIT_H

#include "reload/base/pulse.h"

#include <event2/event.h>

struct draining;
struct generation;
struct publication;

struct stop_limit {
    struct generation *generation;
    const struct draining *drain;
    struct publication *publication;
    struct pulse_check check;
    struct event *timer; /* to the question, and then to its answer */
};

/* Returns 0 or ENOMEM; stop_limit_close() is right after either. */
int stop_limit_open(struct stop_limit *limit, struct generation *generation,
                    const struct draining *drain, struct publication *publication)
    __attribute__((warn_unused_result));

/* The stop has begun: the listeners of this process are about to close. */
void stop_limit_begin(struct stop_limit *limit);

/* The process ends, within 30 seconds. */
void stop_limit_close(struct stop_limit *limit);

#endif
