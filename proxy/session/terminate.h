/* Closes sessions that have not ended in time: all, or a share of them at a time, those first that
 * have been idle longest. Of many sessions a worker looks at TERMINATE_SLICE in a turn of its loop,
 * beginning with the oldest, and of each such slice the same share is closed.
 *
 * Everything here is for the worker's thread, but for open and close. */
#ifndef RPPROXY_PROXY_SESSION_TERMINATE_H
#define RPPROXY_PROXY_SESSION_TERMINATE_H

#include <stdbool.h>
#include <stddef.h>

struct session_set;
struct quota;

/* Sessions that are looked at in one turn of the loop, so that the other sessions have their turn
 * soon. */
#define TERMINATE_SLICE 128

/* Of one worker; the worker embeds it. */
struct terminator {
    struct session_set *set;
    struct quota *quotas; /* one for each frontend */
    size_t frontend;      /* the one that is looked at now */
};

/* set outlives it. Returns 0 or an errno value. */
int terminator_open(struct terminator *terminator, struct session_set *set)
    __attribute__((warn_unused_result));
void terminator_close(struct terminator *terminator);

/* Begins to close the worker's sessions that are more than each frontend keeps, for the reason that
 * the service gives. Sessions that end by themselves count: what is closed is the rest. */
void terminate_surplus(struct terminator *terminator);

/* Goes on with that, by one slice. True: there may be more, for the next turn. */
bool terminate_next(struct terminator *terminator) __attribute__((warn_unused_result));

#endif
