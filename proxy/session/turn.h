/* What a turn of a worker's loop does for its sessions, beside their events and timers. The
 * worker's thread. */
#ifndef RPPROXY_PROXY_SESSION_TURN_H
#define RPPROXY_PROXY_SESSION_TURN_H

#include "proxy/session/session_set.h"

/* Something is left to do that no event will tell of: the next turn does not wait. */
bool turn_has_work(const struct session_set *set);

/* Sessions that had their share of the last turn go on; transfers that wait are filled. */
void turn_go_on(struct session_set *set);

#endif
