/* The predecessor's part of a reload: launch, offer, steer, commit, and take back if it fails.
 *
 *   HANDOVER_LAUNCHED   the successor runs; HELLO is due
 *   HANDOVER_OFFERED    it prepares; READY is due within ready-timeout
 *   HANDOVER_CANARY     it accepts a share of the connections; its figures are watched
 *   HANDOVER_BACK       it was told to go back; CLOSED is due, and then it is an draining process
 *   HANDOVER_COMMITTED  it was told to serve, and new connections go to it; ACTIVE is due
 *   HANDOVER_LINGERING  it serves; our listeners are being retired
 *
 *   HANDOVER_ENDING     it failed us; we serve on as before, and await its exit, whose status tells
 *                       why, and the end of the rescue of its clients
 *
 * It is over when our listeners are closed: the successor is our replacement then (replacement.h).
 * If the successor is lost before, this process serves on as before. */
#ifndef RPPROXY_RELOAD_HANDOVER_HANDOVER_H
#define RPPROXY_RELOAD_HANDOVER_HANDOVER_H

#include "reload/base/canary_plan.h"
#include "reload/handover/replacement.h"

#include <stdbool.h>
#include <sys/types.h>

struct canary;
struct channel;
struct generation;
struct handover;
struct message_server;
struct reload_order;

/* Begins. generation->handover is set while it lasts. Every end but success is reported
 * by the event reload_over, also when the launch fails at once. */
void handover_begin(struct generation *generation, const struct reload_order *order);

/* Calls the reload off: a canary goes back, another successor that is not committed is killed, and
 * the reload ends as any other that fails. NULL, or why that cannot be (a string constant). */
const char *handover_abort(struct generation *generation);

/* The canary gets the rest, too, whatever its figures say. NULL, or why that cannot be. */
const char *handover_promote(struct generation *generation);

/* A child has changed its state (SIGCHLD). */
void handover_on_child(struct generation *generation);

/* We are to stop: handover_abort() where it is possible. */
void handover_cancel(struct generation *generation);

/* Our listeners are closed: the handover is over. Returns the successor, as replacement_begin()
 * takes it. */
struct replacement handover_closed(struct generation *generation);

/* To the successor; NULL: it has failed, and its end is awaited. */
struct channel *handover_channel(const struct handover *handover);

/* We stand by no longer: tells the successor. */
void handover_tell_lingering(struct generation *generation);

/* A server has changed: a successor that has been told how it was is told so. */
void handover_tell_server(struct generation *generation, const struct message_server *record);

/* For status: the successor while the reload is under way and it does not serve yet, or that it
 * serves a share. False: there is none. */
struct handover_view {
    pid_t pid;
    unsigned generation;
    const char *state;
    const struct canary *canary; /* NULL: it is none (any more) */
    struct canary_plan plan;
};
bool handover_view(const struct handover *handover, struct handover_view *view);

/* Kills a successor that is not committed: it would take our end for an accident, and serve. */
void handover_free(struct handover *handover);

#endif
