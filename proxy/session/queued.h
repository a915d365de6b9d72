/* State QUEUED: all servers that the session could have are full (maxconn), and the session waits
 * for a place in the queue of the backend (backend/queue.h). The worker's thread.
 *
 * A session leaves the queue when its client resets, or ends without having said anything. A client
 * that ends after it has said something is half-closed, and waits on. A session whose server
 * refuses after all waits again, and keeps its turn. */
#ifndef RPPROXY_PROXY_SESSION_QUEUED_H
#define RPPROXY_PROXY_SESSION_QUEUED_H

#include "proxy/backend/queue.h"
#include "proxy/session/session.h"

/* Chooses a server of a backend with a queue, and takes a place there. NULL: the session waits, and
 * go_on is called later, or it has ended; or, with *none, no server is left that choice allows. */
struct server *queued_choose(struct session *session, struct balancer *balancer,
                             const struct choice *choice,
                             void (*go_on)(struct session *session, struct server *given),
                             bool *none);

/* An event of the client's connection. */
void queued_on_event(struct session *session, uint32_t what);

/* queue-timeout is over. */
void queued_overdue(struct session *session);

#endif
