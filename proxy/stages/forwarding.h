/* The stage that finds out where a server sni:PORT is: the addresses of the name that the client
 * asks for, if the server's list allows it. The routing stage before it has read the name.
 *
 * Name servers are asked by the main thread (names/lookup.h), and no session waits for another
 * one's name. An address that is one of the proxy's own binds is left out: the session would return
 * again and again. */
#ifndef RPPROXY_PROXY_STAGES_FORWARDING_H
#define RPPROXY_PROXY_STAGES_FORWARDING_H

#include "config/model/config.h"
#include "config/model/names.h"
#include "proxy/session/stage.h"

/* For a frontend that may lead to such a server. */
stage_maker forwarding_make;

/* How the names are asked for; NULL: the configuration has no such server. */
const struct resolver_conf *forwarding_resolver(const struct config *config);

/* Descriptors that asking takes at most. */
unsigned forwarding_descriptors(const struct config *config);

/* The server of the backend which is the name that the client asks for; NULL: there is none. */
static inline const struct server_conf *forwarding_server(const struct backend_conf *backend)
{
    return backend->server_count > 0 && backend->servers[0].sni_port ? &backend->servers[0] : NULL;
}

#endif
