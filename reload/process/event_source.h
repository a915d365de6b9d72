/* What happens in this process comes to the bus of events: what is logged as such (happening.h),
 * and what only looking shows: that a limit is reached, and that lines of the log are dropped. Main
 * thread. */
#ifndef RPPROXY_RELOAD_PROCESS_EVENT_SOURCE_H
#define RPPROXY_RELOAD_PROCESS_EVENT_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

struct event;
struct generation;
struct replacement;

struct event_source {
    struct generation *generation;
    const struct replacement *replacement;
    struct event *look;
    uint64_t dropped; /* lines of the log that were lost, and have been reported */
    bool *full;       /* one for each frontend of the configuration, and one for the process */
};

/* Makes generation->bus. Returns 0 or ENOMEM; event_source_close() is right after either. */
int event_source_open(struct event_source *source, struct generation *generation,
                      const struct replacement *replacement) __attribute__((warn_unused_result));

/* Another process serves, or is about to: events go there, as long as there is a channel to it. */
void event_source_follow(struct event_source *source);

/* The same of a successor that is about to serve: it gets all that are kept, before. */
void event_source_pass_on(struct event_source *source);

void event_source_close(struct event_source *source);

#endif
