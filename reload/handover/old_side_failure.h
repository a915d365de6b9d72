/* How a reload ends that does not succeed: the new process is given up and killed, what was given
 * to it is taken back, its clients are served here, and its exit is waited for. State ENDING of
 * old_side.h. Main thread. */
#ifndef RPPROXY_RELOAD_HANDOVER_OLD_SIDE_FAILURE_H
#define RPPROXY_RELOAD_HANDOVER_OLD_SIDE_FAILURE_H

#include "reload/base/exit_status.h"

struct generation;
struct old_side;

/* This process serves again, and waits for the exit of the new one. why: what the new process did
 * wrong, and is killed for; NULL: it hung up. */
void old_side_give_up(struct old_side *side, const char *why);

void old_side_kill_new_process(struct old_side *side);

/* Ends the reload when the new process is gone and its clients are served; else does nothing. */
void old_side_conclude(struct old_side *side);

/* The watch over the canary ends; its figures are kept as they are now. */
void old_side_end_watch(struct old_side *side);

/* Frees side, and reports the end of the reload: the event reload_over. */
void old_side_end(struct old_side *side, enum exit_status status, const char *text);

/* A child has changed its state (SIGCHLD). */
void old_side_on_child(struct generation *generation);

/* Kills a new process that is not committed: it would take the end of this process for a crash, and
 * serve. NULL is fine. */
void old_side_free(struct old_side *side);

#endif
