/* What there is at the addresses of the HTTP server: a table of paths, and what each needs. */
#ifndef RPPROXY_RELOAD_HTTP_PAGES_H
#define RPPROXY_RELOAD_HTTP_PAGES_H

#include <event2/http.h>

struct control_events;
struct generation;
struct http_server;
struct pages;

/* Main thread. All outlives it. NULL: out of memory. */
struct pages *pages_new(struct http_server *server, struct generation *generation,
                        const struct control_events *events) __attribute__((warn_unused_result));

/* The server's thread: struct http_server_events has the same. */
void pages_on_request(struct pages *pages, struct evhttp_request *request);
void pages_on_tick(struct pages *pages);
void pages_drop(struct pages *pages);

/* Main thread, when the server has been freed. NULL is fine. */
void pages_free(struct pages *pages);

#endif
