/* Sessions that come from another process, or that were on their way to one that is lost.
 * session_handoff.h says how sessions move. Main thread. */
#ifndef RPPROXY_RELOAD_HANDOVER_MOVING_H
#define RPPROXY_RELOAD_HANDOVER_MOVING_H

#include <stdbool.h>

struct channel;
struct generation;
struct received;

/* The process to which the sessions of this process go is lost before the listeners of this process
 * are closed; alive as handoff_discard() has it. */
void moving_abort(struct generation *generation, bool alive);

/* MESSAGE_HANDOFF has come by that channel. Returns how many sessions this process has taken: none
 * where it stops or drains. */
unsigned moving_take(const struct generation *generation, struct channel *channel,
                     const struct received *message);

#endif
