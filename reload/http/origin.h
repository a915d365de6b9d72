/* Whether a request that changes something comes from the status page itself, and not from a page
 * of another site in the same browser. */
#ifndef RPPROXY_RELOAD_HTTP_ORIGIN_H
#define RPPROXY_RELOAD_HTTP_ORIGIN_H

#include "config/model/metrics.h"

#include <stdbool.h>

/* host: the header Host, "NAME", "NAME:PORT" or with an address; NULL: there is none. True: it is
 * an IP address, localhost, the name of this machine, or one of names. Any other name could be one
 * that another site lets lead to this machine. */
bool origin_host_is_own(const char *host, const struct words *names);

/* origin: the header Origin. True: it is "http://HOST" or "https://HOST" of the same host and port
 * as the header Host. */
bool origin_is_host(const char *origin, const char *host);

#endif
