/* The cutting of sessions that have not ended in time: at once, or a share of them at a time, those
 * first that have been idle longest. */
#ifndef RPPROXY_PROXY_SESSION_TERMINATE_H
#define RPPROXY_PROXY_SESSION_TERMINATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session;
struct session_set;

/* One worker's sessions of one frontend. */
struct quota {
    size_t first; /* when cutting began */
    bool begun;
};

struct terminator {
    struct quota *quotas; /* one for each frontend */
};

/* Returns 0 or an errno value. */
int terminator_open(struct terminator *terminator, size_t frontends)
    __attribute__((warn_unused_result));
void terminator_close(struct terminator *terminator);

/* Closes the worker's sessions that are more than each frontend keeps, for the reason the proxy
 * holds. Sessions that end by themselves count: what is closed is the rest. Where memory for
 * sorting is missing the oldest go first. The worker's thread. */
void terminate_surplus(struct session_set *set);

/* Closes this one. The same thread. */
void terminate_session(struct session *session);

#endif
