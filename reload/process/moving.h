/* Sessions that move to another process, or come from one: when, and how many. session_handoff.h
 * says how. Main thread. */
#ifndef RPPROXY_RELOAD_PROCESS_MOVING_H
#define RPPROXY_RELOAD_PROCESS_MOVING_H

#include <stdbool.h>

struct channel;
struct draining_process;
struct generation;
struct received;

/* The proxy's on_quiet, of the struct generation: nobody waits in the backlogs any more. Our
 * sessions move to the process that takes over, if there is one and the configuration says so. Then
 * that process has to show that it runs, and our listeners are closed. If it is lost before, we
 * serve again. */
void moving_on_quiet(void *generation);

/* The process to which our sessions go is lost before our listeners are closed; as
 * handoff_discard(). */
void moving_abort(struct generation *generation, bool alive);

/* MESSAGE_HANDOFF has come by that channel. Returns how many sessions we have taken. */
unsigned moving_take(struct generation *generation, struct channel *channel,
                     const struct received *message);

/* The same from a process that drains; of the struct generation. */
unsigned moving_on_handoff(const struct draining_process *draining_process,
                           const struct received *message, void *generation);

#endif
