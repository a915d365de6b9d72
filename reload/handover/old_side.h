/* The old process's side of a reload: launch the new process, make it an offer, steer, commit, and
 * take back if the new process fails. new_side.h is the other side.
 *
 *   OLD_SIDE_LAUNCHED   the new process runs, and has the offer; HELLO is due
 *   OLD_SIDE_OFFERED    the new process prepares; READY is due within ready-timeout
 *   OLD_SIDE_CANARY     the new process accepts a share of the connections; its figures are watched
 *   OLD_SIDE_BACK       the new process was asked to go back; CLOSED is due, and then it drains
 *   OLD_SIDE_COMMITTED  the new process was asked to serve, and gets the new connections; ACTIVE is
 *                       due
 *   OLD_SIDE_LINGERING  the new process serves; the listeners of this process are being retired
 *
 *   OLD_SIDE_ENDING     the new process has failed; this process serves as before. It waits for the
 *                       exit of the new process, whose status tells why, and for the end of the
 *                       rescue of the clients that the new process had
 *
 * The reload is over when the listeners of this process are closed: the new process is the
 * replacement of this process then (replacement.h). If the new process is lost before, this process
 * serves on as before. */
#ifndef RPPROXY_RELOAD_HANDOVER_OLD_SIDE_H
#define RPPROXY_RELOAD_HANDOVER_OLD_SIDE_H

#include "reload/base/canary_plan.h"
#include "reload/handover/replacement.h"

#include <stdbool.h>
#include <sys/types.h>

struct canary;
struct channel;
struct frontend;
struct generation;
struct old_side;
struct message_server;
struct reload_order;

/* Begins. generation->old_side is set while the reload lasts. Every end but success is reported by
 * the event reload_over, also when the launch fails at once. */
void old_side_begin(struct generation *generation, const struct reload_order *order);

/* Calls the reload off: a canary goes back, a new process that accepts nothing yet is killed, and
 * the reload ends as any other that fails. NULL, or why that cannot be (a string constant). */
const char *old_side_abort(struct generation *generation);

/* The canary gets all new connections, regardless of its figures. NULL, or why that cannot be (a
 * string constant). */
const char *old_side_promote(struct generation *generation);

/* This process is to stop: old_side_abort() where that is possible. */
void old_side_cancel(struct generation *generation);

/* The listeners of this process are closed: the reload is over. Returns the new process, as
 * replacement_begin() takes it. */
struct replacement old_side_closed(struct generation *generation);

/* To the new process; NULL: it has failed, and its exit is due. */
struct channel *old_side_channel(const struct old_side *side);

/* The probation is over: says so to the new process. */
void old_side_tell_lingering(struct generation *generation);

/* A server has changed: says so to a new process that knows how the server was. */
void old_side_tell_server(struct generation *generation, const struct message_server *record);

/* The same of a frontend that was paused or resumed. */
void old_side_tell_frontend(struct generation *generation, const struct frontend *frontend);

/* The new process from the moment on when it may have sessions. False: there is none. */
struct old_side_accepting {
    pid_t pid;
    unsigned generation;
    struct channel *channel;
    bool takes_sessions; /* those of this process are to go there; else this process gets those of a
                          * canary that goes back */
};
bool old_side_accepting(const struct old_side *side, struct old_side_accepting *accepting);

/* For status: the new process while the reload is under way, and until it serves all new
 * connections. False: there is none. */
struct new_process_view {
    pid_t pid;
    unsigned generation;
    const char *state;
    const struct canary *canary; /* NULL: it is no canary (any more) */
    struct canary_plan plan;
};
bool old_side_view(const struct old_side *side, struct new_process_view *view);

#endif
