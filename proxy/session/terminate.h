/* The cutting of sessions that have not ended in time: all, or a share of them at a time, those
 * first that have been idle longest. Of many sessions a worker looks at TERMINATE_SLICE in a turn
 * of its loop, beginning with the oldest, and of each such slice the same share goes. */
#ifndef RPPROXY_PROXY_SESSION_TERMINATE_H
#define RPPROXY_PROXY_SESSION_TERMINATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session;
struct session_set;

/* Sessions that are looked at in one turn of the loop, so that those that stay do not wait long for
 * theirs. */
#define TERMINATE_SLICE 128

/* One worker's sessions of one frontend. */
struct quota {
    size_t first; /* when cutting began */
    bool begun;
    size_t left; /* of this round, about so many have not been looked at */
};

struct terminator {
    struct quota *quotas; /* one for each frontend */
    size_t frontend;      /* that is cut now */
};

/* Returns 0 or an errno value. */
int terminator_open(struct terminator *terminator, size_t frontends)
    __attribute__((warn_unused_result));
void terminator_close(struct terminator *terminator);

/* Begins to close the worker's sessions that are more than each frontend keeps, for the reason the
 * proxy holds. Sessions that end by themselves count: what is closed is the rest. The worker's
 * thread. */
void terminate_surplus(struct session_set *set);

/* Goes on with it, by one slice. True: there may be more, for the next turn. */
bool terminate_next(struct session_set *set) __attribute__((warn_unused_result));

/* Closes this one. The same thread. */
void terminate_session(struct session *session);

#endif
