/* Where the client of a session wanted to go. The worker's thread. */
#ifndef RPPROXY_PROXY_SESSION_ENDPOINTS_H
#define RPPROXY_PROXY_SESSION_ENDPOINTS_H

#include "proxy/session/session.h"

/* Told by a PROXY header, or else the proxy's side of the client's connection. Asks the kernel
 * (getsockname(2)) where the bind does not have the answer: a bind of all addresses, and sockets
 * that a service manager has passed. Without an answer the length is 0. */
struct address session_destination(const struct session *session);

/* The port of that, in host byte order; 0: it has none. Asks the kernel only where the bind does
 * not have the port: of sockets that a service manager has passed. */
unsigned session_destination_port(const struct session *session);

#endif
