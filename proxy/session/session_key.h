/* The key by which a server is chosen for a session (balance/key.h). The worker's thread. */
#ifndef RPPROXY_PROXY_SESSION_SESSION_KEY_H
#define RPPROXY_PROXY_SESSION_SESSION_KEY_H

#include "proxy/session/session.h"

/* By what the configuration of the session's backend says. 0: the session has none, since its
 * client has come by a Unix socket, or has told no server name. hash = destination costs a system
 * call, unless a PROXY header told the destination. */
uint64_t session_key(const struct session *session);

#endif
