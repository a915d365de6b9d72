/* The PROXY header that comes before a client's own bytes, from the addresses that accept-proxy
 * names. What it tells goes to the session's facts; the bytes behind it are the client's first.
 *
 * From such an address a header must come within inspect-timeout, or the session ends with
 * SESSION_BAD_PROXY_HEADER. From another address nothing is looked at, and a header is payload. */
#ifndef RPPROXY_PROXY_STAGES_PROXY_IN_H
#define RPPROXY_PROXY_STAGES_PROXY_IN_H

#include "proxy/session/stage.h"

stage_maker proxy_in_make;

#endif
