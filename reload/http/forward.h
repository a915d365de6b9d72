/* Requests that come to a process which has been replaced, on connections that were kept: the
 * process that serves answers them, since it has the same addresses. Its answer goes back, and the
 * connection ends with it. So a client sees one proxy, and figures that never fall.
 *
 * All on the thread of the server. */
#ifndef RPPROXY_RELOAD_HTTP_FORWARD_H
#define RPPROXY_RELOAD_HTTP_FORWARD_H

#include "config/model/metrics.h"

#include <event2/http.h>

struct forwards;
struct http_server;

/* addresses: of the HTTP server; they outlive it. NULL: out of memory. */
struct forwards *forwards_new(struct http_server *server, const struct metrics_addresses *addresses)
    __attribute__((warn_unused_result));

/* Takes over the request, and answers it; 503 where no process answers within some seconds. */
void forwards_add(struct forwards *forwards, struct evhttp_request *request);

/* Ends those that are under way without an answer. NULL is fine. */
void forwards_free(struct forwards *forwards);

#endif
