/* /metrics: one look at all figures, and its text in the format that each client asks for. */
#ifndef RPPROXY_RELOAD_HTTP_SCRAPE_H
#define RPPROXY_RELOAD_HTTP_SCRAPE_H

#include <event2/http.h>

struct generation;
struct scrape;
struct http_server;

/* Main thread. NULL: out of memory. */
struct scrape *scrape_look(struct generation *generation) __attribute__((warn_unused_result));

/* The server's thread: answers. The text is made once for all clients that ask for the same format.
 */
void scrape_reply(struct scrape *scrape, struct http_server *server,
                  struct evhttp_request *request);

/* scrape: a struct scrape. */
void scrape_free(void *scrape);

#endif
