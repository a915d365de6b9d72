/* The PROXY header that a server is sent before the first bytes of a client, where its line of the
 * configuration has send-proxy. The worker's thread. */
#ifndef RPPROXY_PROXY_SESSION_PROXY_OUT_H
#define RPPROXY_PROXY_SESSION_PROXY_OUT_H

#include "proxy/session/session.h"

/* The connection to the chosen server is established, and nothing has been sent: session->server is
 * owed the header of this session and this server, with what it is owed already (the first bytes),
 * or else with what the client has said meanwhile, so that one send takes all of it. False: the
 * session has ended, or is being delivered. */
bool proxy_out_begin(struct session *session) __attribute__((warn_unused_result));

/* The same without anything behind the header, which is sent at once. False: out of memory. */
bool proxy_out_alone(struct session *session) __attribute__((warn_unused_result));

#endif
