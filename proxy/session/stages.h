/* Leads a session through the stages of its frontend (stage.h), which look at what its client says
 * before the server is known. The worker's thread.
 *
 * Such a session can end as any other: its client resets, it is overdue, a drain cuts it. It does
 * not move to another process before it is established. */
#ifndef RPPROXY_PROXY_SESSION_STAGES_H
#define RPPROXY_PROXY_SESSION_STAGES_H

#include "proxy/session/session.h"
#include "proxy/session/stage.h"

/* The session of a frontend with stages comes to the first of them. */
void stages_begin(struct session *session);

/* For a stage that waits for something else than bytes: it has come, and the stage is asked. Only
 * while the session is in that stage. Not to be called from stage->decide(). */
void stages_news(struct session *session);

/* An event of the client's connection, and the deadline, of a session in a stage. */
void stages_on_event(struct session *session, uint32_t what);
void stages_overdue(struct session *session);

#endif
