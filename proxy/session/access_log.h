/* The access log of a frontend: a line for each session that ends, or for some of them, and for
 * clients that did not become sessions. What a line has is in config/model/access_log.h, and in
 * proxy.ini(5).
 *
 * A session of which a line may come has notes (facts.h) from its beginning on, made by the stage
 * stages/logging.h: a frontend without a log pays nothing. The worker's thread formats a line; no
 * lock is taken before the line is queued (log.h). */
#ifndef RPPROXY_PROXY_SESSION_ACCESS_LOG_H
#define RPPROXY_PROXY_SESSION_ACCESS_LOG_H

#include "proxy/session/session_log.h"

struct session_set;
struct frontend;

/* A session has begun: it gets notes. Without memory it has none, and its line says less. */
void access_log_begin(struct session *session);

/* An attempt to connect to session->chosen has failed. */
void access_log_note_failure(struct session *session);

/* The session begins to wait for a place of a server; it waits no longer. */
void access_log_note_queued(struct session *session, unsigned position);
void access_log_note_called(struct session *session);

/* A server was connected: the line for that, where the frontend wants one. */
void access_log_connected(struct session *session);

/* For access_log.on_end. */
void access_log_end(struct session *session, enum session_state state, enum session_end end);

/* A client that did not become a session, for that reason. */
void access_log_refused(struct session_set *set, struct frontend *frontend,
                        const struct bind_conf *bind, const struct address *client,
                        enum session_end reason);

#endif
