/* The stages in which a client has its TLS handshake; from then on the session speaks TLS with it
 * (session/sealed.h), and later stages see what the client says inside. */
#ifndef RPPROXY_PROXY_STAGES_TLS_IN_H
#define RPPROXY_PROXY_STAGES_TLS_IN_H

#include "proxy/session/stage.h"

/* Of clients of a bind with tls=yes; before the routes. */
stage_maker tls_in_make;

/* Of clients for which a route has said tls:terminate; behind the routes, which have read the
 * beginning. */
stage_maker tls_in_make_routed;

#endif
