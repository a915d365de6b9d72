/* The status page: page.html with page.css and page.js in it, which the program contains. */
#ifndef RPPROXY_RELOAD_HTTP_PAGE_H
#define RPPROXY_RELOAD_HTTP_PAGE_H

#include <event2/buffer.h>
#include <event2/http.h>

struct http_server;

/* The server's thread: answers with the page. Its policy (CSP) lets the browser run the page's own
 * script only, ask this server only, and show it in no frame. */
void page_reply(struct http_server *server, struct evhttp_request *request);

#endif
