/* The predecessor's part of a reload: launch, offer, steer, commit, and take back if it fails.
 *
 *   OLD_SIDE_LAUNCHED   the successor runs; HELLO is due
 *   OLD_SIDE_OFFERED    it prepares; READY is due within ready-timeout
 *   OLD_SIDE_CANARY     it accepts a share of the connections; its figures are watched
 *   OLD_SIDE_BACK       it was told to go back; CLOSED is due, and then it is an draining process
 *   OLD_SIDE_COMMITTED  it was told to serve, and new connections go to it; ACTIVE is due
 *   OLD_SIDE_LINGERING  it serves; our listeners are being retired
 *
 *   OLD_SIDE_ENDING     it failed us; we serve on as before, and await its exit, whose status tells
 *                       why, and the end of the rescue of its clients
 *
 * It is over when our listeners are closed: the successor is our replacement then (replacement.h).
 * If the successor is lost before, this process serves on as before. */
#ifndef RPPROXY_RELOAD_HANDOVER_OLD_SIDE_H
#define RPPROXY_RELOAD_HANDOVER_OLD_SIDE_H

#include "reload/base/canary_plan.h"
#include "reload/handover/replacement.h"

#include <stdbool.h>
#include <sys/types.h>

struct canary;
struct channel;
struct generation;
struct old_side;
struct message_server;
struct reload_order;

/* Begins. generation->old_side is set while it lasts. Every end but success is reported
 * by the event reload_over, also when the launch fails at once. */
void old_side_begin(struct generation *generation, const struct reload_order *order);

/* Calls the reload off: a canary goes back, another successor that is not committed is killed, and
 * the reload ends as any other that fails. NULL, or why that cannot be (a string constant). */
const char *old_side_abort(struct generation *generation);

/* The canary gets the rest, too, whatever its figures say. NULL, or why that cannot be. */
const char *old_side_promote(struct generation *generation);

/* A child has changed its state (SIGCHLD). */
void old_side_on_child(struct generation *generation);

/* We are to stop: old_side_abort() where it is possible. */
void old_side_cancel(struct generation *generation);

/* Our listeners are closed: the handover is over. Returns the successor, as replacement_begin()
 * takes it. */
struct replacement old_side_closed(struct generation *generation);

/* To the successor; NULL: it has failed, and its end is awaited. */
struct channel *old_side_channel(const struct old_side *side);

/* We stand by no longer: tells the successor. */
void old_side_tell_lingering(struct generation *generation);

/* A server has changed: a successor that has been told how it was is told so. */
void old_side_tell_server(struct generation *generation, const struct message_server *record);

/* For status: the successor while the reload is under way and it does not serve yet, or that it
 * serves a share. False: there is none. */
struct new_process_view {
    pid_t pid;
    unsigned generation;
    const char *state;
    const struct canary *canary; /* NULL: it is none (any more) */
    struct canary_plan plan;
};
bool old_side_view(const struct old_side *side, struct new_process_view *view);

/* Kills a successor that is not committed: it would take our end for an accident, and serve. */
void old_side_free(struct old_side *side);

#endif
