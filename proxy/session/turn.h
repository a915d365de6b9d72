/* What a turn of a worker's loop does for its sessions, beside their events and timers. The
 * worker's thread. */
#ifndef RPPROXY_PROXY_SESSION_TURN_H
#define RPPROXY_PROXY_SESSION_TURN_H

#include "proxy/session/session_set.h"

/* Something may be left to do for sessions or transfers. Most turns find nothing. */
static inline bool turn_is_needed(const struct session_set *set)
{
    return !STAILQ_EMPTY(&set->again) || !STAILQ_EMPTY(&set->transfers);
}

/* Where it is needed: something is left to do for which no event will come, so that the next
 * turn does not wait. */
bool turn_has_work(const struct session_set *set);

/* Sessions that had their share of the last turn go on; transfers that wait are filled. */
void turn_go_on(struct session_set *set);

#endif
