/* States CONNECTING and WAITING: a server is chosen, and connected to; if that fails, another one.
 * The worker's thread. */
#ifndef RPPROXY_PROXY_SESSION_CONNECT_H
#define RPPROXY_PROXY_SESSION_CONNECT_H

#include "proxy/session/session.h"

/* Chooses a server and begins to connect to it. When the connection is there the session is
 * established (exchange.h). */
void connect_begin(struct session *session);

/* The present attempt has failed: another one begins, now or later, or the session ends. */
void connect_failed(struct session *session, int error);

/* An event of the server's socket in state CONNECTING. */
void connect_on_event(struct session *session, uint32_t what);

#endif
