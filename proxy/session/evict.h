/* Ends the sessions of servers that went down, where that is asked for (server_is_ending()). A
 * session that is still connecting to such a server goes on with another server. Of many sessions a
 * worker looks at EVICT_SLICE in a turn of its loop.
 *
 * No session is missed: a worker chooses no server that is down, so what it has when it begins is
 * all; a session that is parked, or on its way from another process, is looked at when it goes on
 * (lifecycle.c).
 *
 * For the worker's thread. */
#ifndef RPPROXY_PROXY_SESSION_EVICT_H
#define RPPROXY_PROXY_SESSION_EVICT_H

#include "proxy/session/session_set.h"

#include <stdbool.h>

#define EVICT_SLICE 512

/* Of one worker; the worker embeds it. Zeroed, but for set. */
struct evictor {
    struct session_set *set;
    size_t frontend; /* the one whose sessions are looked at now */
};

/* Begins, or begins again. */
void evict_begin(struct evictor *evictor);

/* Goes on with that, by one slice. True: there may be more, for the next turn. */
bool evict_next(struct evictor *evictor) __attribute__((warn_unused_result));

#endif
