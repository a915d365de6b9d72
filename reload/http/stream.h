/* /events: what the status page shows, once in a second, to each page that is open, as events for a
 * browser: a JSON object with
 *
 *   status    as `rpproxy status --json`
 *   metrics   as /metrics, in the text format: the page reads the same numbers as Prometheus
 *   newest    names the newest event: another text means that /timeline (timeline.h) says more
 *   admin     whether the user may change servers
 *   token     for POST /change, of this process
 *
 * While nobody looks, nothing is asked of the main thread. */
#ifndef RPPROXY_RELOAD_HTTP_STREAM_H
#define RPPROXY_RELOAD_HTTP_STREAM_H

#include <event2/http.h>
#include <stdbool.h>

struct generation;
struct http_server;
struct streams;

/* Pages at a time; a further one is told to wait. */
#define STREAMS_MAX 16

/* Main thread. token outlives it. NULL: out of memory. */
struct streams *streams_new(struct http_server *server, struct generation *generation,
                            const char *token) __attribute__((warn_unused_result));

/* --- the server's thread --- */

/* Takes over the request. */
void streams_add(struct streams *streams, struct evhttp_request *request, bool admin);

/* The same where another process serves: the browser comes again, on a new connection. */
void streams_turn_away(struct streams *streams, struct evhttp_request *request);

/* Comes a few times in a second. */
void streams_on_tick(struct streams *streams);

/* The thread ends: streams that have no connection any more are freed, evhttp frees the others. */
void streams_drop(struct streams *streams);

/* --- */

/* Main thread, when the thread has ended. NULL is fine. */
void streams_free(struct streams *streams);

#endif
