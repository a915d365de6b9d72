/* State DELIVERING: one side is gone, and the other side gets all that the first had said;
 * session.h says why. The worker's thread. */
#ifndef RPPROXY_PROXY_SESSION_DELIVERY_H
#define RPPROXY_PROXY_SESSION_DELIVERY_H

#include "proxy/session/session.h"

/* A side of an established session was reset, or takes no more. What it said may still have to be
 * received: of a stream that is not whole, what the other side takes at once. */
void delivery_lose(struct session *session, struct conn *gone);

/* A side was reset, as a receive has told after all that the side had said. */
void delivery_lose_received(struct session *session, struct conn *gone);

/* The proxy has moved no byte for idle-timeout. The session ends, unless the kernel still sends
 * what it has: a slow reader may take longer than idle-timeout for what fits into the send buffer.
 */
void delivery_expire(struct session *session);

/* Moves what can be moved to the side that remains. to_failed: that side was reset. */
void delivery_go_on(struct session *session, bool to_failed);

/* An event of one side, and the time for another look, in state DELIVERING. */
void delivery_on_event(struct session *session, struct conn *conn, uint32_t what);
void delivery_look(struct session *session);

#endif
