/* /diff?from=N&to=M: the difference of the configurations of two generations of the history, as
 * `rpproxy history --diff N M` prints it, with "(hidden)" in place of secrets (secrets.h).
 *
 * Only for a user of metrics-auth with leave to change something: a configuration tells more of a
 * network than figures do. And only for the page itself, or a program: a page of another site is
 * refused (origin.h). Each look is logged with the user's name. */
#ifndef RPPROXY_RELOAD_HTTP_COMPARE_H
#define RPPROXY_RELOAD_HTTP_COMPARE_H

#include <event2/http.h>

struct config;
struct http_server;

/* Of one configuration, and of the difference. */
#define COMPARE_BYTES_MAX (1u << 20)
#define COMPARE_LINES_MAX 5000u

/* The server's thread: answers a GET of a user that may change something. user: the name, for the
 * log. */
void compare_reply(const struct config *config, struct http_server *server,
                   struct evhttp_request *request, const char *user);

#endif
