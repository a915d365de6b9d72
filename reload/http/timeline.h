/* /timeline: what has happened before a page was opened, as a JSON object with
 *
 *   events    those that are kept (event_bus.h), without the steps of reloads: they go on over
 *             reloads, but not over the end of all processes
 *   history   what the folder of the option history says of each generation, where there is one: it
 *             outlives all processes. `text` says whether its configuration is known
 *
 * A page that gets a newer event by /events (stream.h) asks again. */
#ifndef RPPROXY_RELOAD_HTTP_TIMELINE_H
#define RPPROXY_RELOAD_HTTP_TIMELINE_H

#include <event2/http.h>
#include <jansson.h>

struct generation;
struct http_server;
struct timeline;

/* So many generations of the history are shown: the newest. */
#define TIMELINE_HISTORY_MAX 100

/* Main thread. NULL: out of memory. */
struct timeline *timeline_look(const struct generation *generation)
    __attribute__((warn_unused_result));

/* Main thread: a text that names the newest event. A new reference, or NULL: out of memory. */
json_t *timeline_newest(const struct generation *generation) __attribute__((warn_unused_result));

/* The server's thread: answers. The folder is read once for all clients of this look. */
void timeline_reply(struct timeline *timeline, struct http_server *server,
                    struct evhttp_request *request);

/* timeline: a struct timeline. */
void timeline_free(void *timeline);

#endif
