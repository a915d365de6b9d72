/* What a user changes by the status page: POST /change, with a form in the body:
 *
 *   action=server&server=BACKEND/SERVER&set=ready|drain|maint|weight=N|maxconn=N
 *   action=frontend&frontend=NAME&set=pause|resume
 *   action=promote            the canary gets all connections
 *   action=abort              the reload is called off
 *
 * Only for a user of metrics-auth with leave to, from the page itself (origin.h), and with the
 * token that the page has been told. Each change is logged with the user's name. */
#ifndef RPPROXY_RELOAD_HTTP_CHANGE_H
#define RPPROXY_RELOAD_HTTP_CHANGE_H

#include <event2/http.h>
#include <stdbool.h>

struct changes;
struct control_events;
struct generation;
struct http_server;

/* Main thread. All outlives it. NULL: out of memory, or without random numbers. */
struct changes *changes_new(struct http_server *server, struct generation *generation,
                            const struct control_events *events)
    __attribute__((warn_unused_result));

/* What a page has to send in the header X-CSRF-Token; another one in each process. Any thread. */
const char *changes_token(const struct changes *changes);

/* The server's thread: takes over a POST of a user that may change something. user: of the header
 * Authorization, for the log. */
void changes_add(struct changes *changes, struct evhttp_request *request, const char *user);

/* The server's thread ends. */
void changes_drop(struct changes *changes);

/* Main thread, when the thread has ended. NULL is fine. */
void changes_free(struct changes *changes);

#endif
