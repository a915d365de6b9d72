/* The HTTP server: a thread with a loop of its own, on which libevent's evhttp answers. What a
 * client does costs no worker anything, and the main thread only what a question to it costs
 * (asking.h).
 *
 * Everything is bounded: connections (beyond DESCRIPTORS_HTTP the one that has been idle longest,
 * or has been sending its request longest, makes room), the head and the body of a request, the
 * time of a request and of an answer, and the bytes of answers that slow readers have not taken.
 *
 * Functions are for the main thread, unless they say otherwise. */
#ifndef RPPROXY_RELOAD_HTTP_SERVER_H
#define RPPROXY_RELOAD_HTTP_SERVER_H

#include "config/base/address.h"
#include "proxy/core/task_queue.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdbool.h>
#include <stddef.h>

struct http_server;

/* All on the thread of the server. */
struct http_server_events {
    /* A request that is complete, and well formed: it must be answered once, now or later, by
     * server_reply(). */
    void (*on_request)(struct evhttp_request *request, void *arg);
    /* Comes a few times in a second. */
    void (*on_tick)(void *arg);
    /* The thread ends: no request is to be answered any more. */
    void (*on_end)(void *arg);
    void *arg;
};

/* main: of the main thread. The thread does not run yet. Returns 0 or an errno value. */
int http_server_new(struct task_queue *main, const struct http_server_events *events,
                    struct http_server **made) __attribute__((warn_unused_result));

/* A listening socket, which stays the caller's and has to live as long as the server; one that is
 * passing, until http_server_settle() says so. Before the thread runs. Returns 0 or an errno value.
 */
int http_server_listen(struct http_server *server, int fd, bool passing)
    __attribute__((warn_unused_result));

/* Returns 0 or an errno value. */
int http_server_start(struct http_server *server) __attribute__((warn_unused_result));

/* Clients are accepted from now on; or none any more, since another process serves, and each
 * connection ends with the next answer. Returns at once; the thread does it soon. */
void http_server_accept(struct http_server *server);
void http_server_retire(struct http_server *server);

/* Nobody comes to the passing sockets any more: those that wait there are accepted, and then
 * `settled` is posted to the main thread. */
void http_server_settle(struct http_server *server, struct task *settled);

/* The sockets are about to be closed: `left` is posted to the main thread when the thread does not
 * use them any more. Connections on which nothing is under way are closed as well. There is no way
 * back. */
void http_server_leave(struct http_server *server, struct task *left);

/* Answers that are under way get up to `milliseconds`, in which this function blocks, and runs what
 * the main thread is asked. Clients that have asked a moment ago, and kept the connection, may ask
 * once more. Then the thread ends, and all is freed. NULL is fine. */
void http_server_free(struct http_server *server, unsigned milliseconds);

/* Where the thread is asked to run something; and the main thread. Any thread. */
struct task_queue *http_server_tasks(struct http_server *server);
struct task_queue *http_server_main(struct http_server *server);

/* --- on the thread of the server --- */

struct event_base *http_server_base(struct http_server *server);

/* Another process serves. */
bool http_server_is_retired(const struct http_server *server);

/* This process serves. */
bool http_server_is_accepting(const struct http_server *server);

/* Answers. headers of the answer may have been added. body may be NULL; it is emptied. A HEAD
 * request gets its length only. A request of which the client has gone is fine. */
void http_server_reply(struct http_server *server, struct evhttp_request *request, int status,
                       struct evbuffer *body);

/* The same with a line of text. */
void http_server_say(struct http_server *server, struct evhttp_request *request, int status,
                     const char *text);

/* Begins an answer without an end, as events for a browser (text/event-stream). False: the client
 * has gone, and the request is gone too. The stream ends by http_server_stream_end(), which is also
 * right when the client has gone. */
bool http_server_stream_begin(struct http_server *server, struct evhttp_request *request)
    __attribute__((warn_unused_result));

/* Sends a copy of the bytes, unless the client has not taken all of those before. False: the client
 * has gone. */
bool http_server_stream_send(struct http_server *server, struct evhttp_request *request,
                             struct evbuffer *bytes) __attribute__((warn_unused_result));
void http_server_stream_end(struct evhttp_request *request);

/* The address of the client without its port; "unix" for a Unix socket; "" when it has gone. */
void http_server_source(struct evhttp_request *request, char text[static ADDRESS_TEXT_MAX]);

/* The connection ends with this answer. */
void http_server_hang_up(struct evhttp_request *request);

#endif
