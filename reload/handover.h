/* The predecessor's part of a reload: launch, offer, steer, commit, and take back if it fails.
 *
 *   HANDOVER_LAUNCHED   the successor runs; HELLO is due
 *   HANDOVER_OFFERED    it prepares; READY is due within ready-timeout
 *   HANDOVER_COMMITTED  it was told to serve, and new connections go to it; ACTIVE is due
 *   HANDOVER_LINGERING  it serves; our listeners are being retired
 *   HANDOVER_CLOSED     our listeners are closed; we drain, and tell it how far we are
 *
 *   HANDOVER_ENDING     it failed us; we serve on as before, and its exit is awaited: the status
 *                       tells why
 *
 * If the successor is lost before CLOSED we serve on as before. */
#ifndef RPPROXY_RELOAD_HANDOVER_H
#define RPPROXY_RELOAD_HANDOVER_H

#include "reload/generation.h"

struct message_server;

/* Begins; forced: though a backend lose its last usable server. generation->handover is set while
 * it lasts. Every end but success is told by generation_reload_over(), also when the launch fails
 * at once. */
void handover_begin(struct generation *generation, bool forced);

/* A child has changed its state (SIGCHLD). */
void handover_on_child(struct generation *generation);

/* We are to stop: a successor that is not committed yet is killed, and the reload ends as any other
 * that fails. */
void handover_cancel(struct generation *generation);

/* Our listeners are closed: the elders go over, and the groups are the successor's. */
void handover_closed(struct generation *generation);

/* Tells the successor how many sessions are left, if that has changed. */
void handover_tell_sessions(struct generation *generation);

/* A server has changed: a successor that has been told how it was is told so. */
void handover_tell_server(struct generation *generation, const struct message_server *record);

/* For status: the successor's pid, 0 when there is none. */
/* Sends our sessions to the successor from now on, if it knows how to take them; handover_closed()
 * comes before. */
void handover_send_sessions(struct generation *generation);

pid_t handover_pid(const struct handover *handover);

/* A reload is under way: the successor does not serve yet. */
bool handover_pending(const struct handover *handover);

/* Kills a successor that is not committed: it would take our end for an accident, and serve. */
void handover_free(struct handover *handover);

#endif
