/* The stage that chooses the backend of a session by the routes of its frontend. It reads what the
 * client says only where a route asks for it, and no longer than until the choice is made; what was
 * read is sent to the server as it is. */
#ifndef RPPROXY_PROXY_STAGES_ROUTING_H
#define RPPROXY_PROXY_STAGES_ROUTING_H

#include "proxy/session/stage.h"

/* For a frontend with routes, without a backend, or with a backend that needs the server name of
 * TLS. */
stage_maker routing_make;

#endif
