/* The header Accept of a request: which of two formats of the metrics the client wants. */
#ifndef RPPROXY_RELOAD_HTTP_ACCEPT_H
#define RPPROXY_RELOAD_HTTP_ACCEPT_H

#include <stdbool.h>

/* True: OpenMetrics, which the client names, and wants at least as much (q=) as text/plain. header
 * may be NULL, or anything. */
bool accept_wants_openmetrics(const char *header);

#endif
