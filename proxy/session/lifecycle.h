/* How a session begins, rests, moves and is freed; its events and its timer.
 *
 * Everything here is for the thread of the session's worker, but for sessions_stop(). */
#ifndef RPPROXY_PROXY_SESSION_LIFECYCLE_H
#define RPPROXY_PROXY_SESSION_LIFECYCLE_H

#include "proxy/session/session.h"

/* Takes over an accepted client and begins to connect it. A place in the limits is already taken
 * for it; the session gives it back. */
void session_open(struct session_set *set, struct frontend *frontend, const struct bind_conf *bind,
                  int fd, const struct address *client);

/* The session's timer came up: see what is due, if anything. */
void session_on_timer(struct wheel_entry *timer);

/* Moving to another process (transfer.h). park: an established session rests. After that either
 * unpark: the session goes on here, and does not move any more; or leave: the other process has
 * the session, and it is gone from here without having ended. arrive: on the worker that takes
 * over a session which transfer.c filled in; the session's place in the limits is taken. */
void session_park(struct session *session);
void session_unpark(struct session *session);
void session_leave(struct session *session);
void session_arrive(struct session *session, struct session_set *set);

/* The sessions of set->again go on. */
void sessions_continue(struct session_set *set);

/* At the end of a turn: frees the sessions that have ended, or keeps them as spares. */
void sessions_reap(struct session_set *set);

/* Whether spares are kept from now on; if not, those that there are are freed. */
void sessions_keep_spares(struct session_set *set, bool keep);

/* Main thread, when the worker's thread has ended: closes all sessions that are left. */
void sessions_stop(struct session_set *set);

#endif
