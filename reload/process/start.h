/* What a process does before it accepts the first client: it reads the configuration, becomes the
 * user that the configuration names, and makes the proxy. Main thread. */
#ifndef RPPROXY_RELOAD_PROCESS_START_H
#define RPPROXY_RELOAD_PROCESS_START_H

#include "reload/process/publication.h"

#include <stdbool.h>

struct generation;
struct offer;
struct proxy_events;

/* Reads the file, becomes its user, opens the log. False: what is wrong has been reported, and
 * exit_status is set. */
bool start_read_config(struct generation *generation) __attribute__((warn_unused_result));

/* Whether no other process serves this configuration. False: one does; it has been reported, and
 * exit_status is set. */
bool start_is_first(struct generation *generation);

/* How many sessions are allowed at a time where there are descriptors for so many: fit, or
 * max-sessions where that is less. */
unsigned start_allowed(const struct generation *generation, unsigned fit);

/* Opens the binds (offer and duplicates as binds_open() has them), and makes the proxy with its
 * threads; nothing is accepted yet. False: what is wrong has been reported, and exit_status is set.
 */
bool start_prepare(struct generation *generation, struct publication *publication,
                   struct offer *offer, struct offer *duplicates, const struct proxy_events *events)
    __attribute__((warn_unused_result));

#endif
