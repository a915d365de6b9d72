/* The stage in which a client of a bind with tls=yes has its TLS handshake; from then on the
 * session speaks TLS with it (session/sealed.h), and later stages see what the client says inside.
 */
#ifndef RPPROXY_PROXY_STAGES_TLS_IN_H
#define RPPROXY_PROXY_STAGES_TLS_IN_H

#include "proxy/session/stage.h"

stage_maker tls_in_make;

#endif
