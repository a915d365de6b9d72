#include "reload/http/forward.h"

#include "config/base/address.h"
#include "proxy/engine/socket.h"
#include "reload/http/forwarded.h"
#include "reload/http/server.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/keyvalq_struct.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#define WAIT_S     5
#define ANSWER_MAX (64 * 1024 * 1024)

struct forward {
    struct forwards *forwards;
    struct evhttp_request *request;
    struct bufferevent *stream; /* to the process that serves */
    LIST_ENTRY(forward) link;
};

struct forwards {
    struct http_server *server;
    const struct metrics_addresses *addresses;
    LIST_HEAD(, forward) list;
};

static void drop(struct forward *forward)
{
    LIST_REMOVE(forward, link);
    if (forward->stream)
        bufferevent_free(forward->stream);
    free(forward);
}

static void fail(struct forward *forward)
{
    http_server_say(forward->forwards->server, forward->request, HTTP_SERVUNAVAIL,
                    "the process that serves does not answer");
    drop(forward);
}

/* The process that serves has said all. */
static void on_answer(struct forward *forward)
{
    struct evbuffer *input = bufferevent_get_input(forward->stream), *body = evbuffer_new();
    int status;
    if (!body ||
        !forwarded_read(input, evhttp_request_get_output_headers(forward->request), &status)) {
        if (body)
            evbuffer_free(body);
        fail(forward);
        return;
    }
    evbuffer_add_buffer(body, input);
    http_server_reply(forward->forwards->server, forward->request, status, body);
    evbuffer_free(body);
    drop(forward);
}

static void on_read(struct bufferevent *stream, void *arg)
{
    if (evbuffer_get_length(bufferevent_get_input(stream)) > ANSWER_MAX)
        fail(arg);
}

static void on_event(struct bufferevent *stream, short what, void *arg)
{
    (void)stream;
    if (what & BEV_EVENT_CONNECTED)
        return;
    if (what & BEV_EVENT_EOF)
        on_answer(arg);
    else
        fail(arg);
}

/* GET in place of HEAD: http_server_reply() needs the length. */
static const char *method_of(struct evhttp_request *request)
{
    switch (evhttp_request_get_command(request)) {
    case EVHTTP_REQ_GET:
    case EVHTTP_REQ_HEAD:
        return "GET";
    case EVHTTP_REQ_POST:
        return "POST";
    default:
        return NULL;
    }
}

static void write_request(struct evhttp_request *request, const char *method, struct evbuffer *out)
{
    struct evbuffer *body = evhttp_request_get_input_buffer(request);
    const struct evkeyval *header;
    evbuffer_add_printf(out, "%s %s HTTP/1.1\r\n", method, evhttp_request_get_uri(request));
    TAILQ_FOREACH (header, evhttp_request_get_input_headers(request), next)
        if (forwarded_is_passed(header->key))
            evbuffer_add_printf(out, "%s: %s\r\n", header->key, header->value);
    evbuffer_add_printf(out, "Connection: close\r\nContent-Length: %zu\r\n\r\n",
                        evbuffer_get_length(body));
    evbuffer_add_buffer(out, body);
}

/* A Unix socket was bound under a temporary name, and tells that one. */
static struct address unix_address(const struct metrics_addresses *addresses)
{
    for (size_t i = 0; i < addresses->count; i++)
        if (address_is_unix(&addresses->list[i].address))
            return addresses->list[i].address;
    return (struct address){.length = 0};
}

/* To the address that the client came to. -1: there is none. */
static int connect_as(const struct forwards *forwards, struct evhttp_request *request)
{
    struct evhttp_connection *http = evhttp_request_get_connection(request);
    int error;
    if (!http)
        return -1;
    struct address address =
        socket_own_address(bufferevent_getfd(evhttp_connection_get_bufferevent(http)));
    if (address.length > 0 && address_is_unix(&address))
        address = unix_address(forwards->addresses);
    return address.length > 0 ? socket_connect(&address, &error) : -1;
}

void forwards_add(struct forwards *forwards, struct evhttp_request *request)
{
    const struct timeval wait = {.tv_sec = WAIT_S};
    const char *method = method_of(request);
    struct forward *forward = calloc(1, sizeof *forward);
    int fd = forward && method ? connect_as(forwards, request) : -1;
    if (fd >= 0)
        forward->stream =
            bufferevent_socket_new(http_server_base(forwards->server), fd, BEV_OPT_CLOSE_ON_FREE);
    if (!forward || !forward->stream) {
        if (fd >= 0)
            close(fd);
        free(forward);
        http_server_say(forwards->server, request, HTTP_SERVUNAVAIL,
                        "the process that serves cannot be asked");
        return;
    }
    forward->forwards = forwards;
    forward->request = request;
    LIST_INSERT_HEAD(&forwards->list, forward, link);
    bufferevent_setcb(forward->stream, on_read, NULL, on_event, forward);
    bufferevent_set_timeouts(forward->stream, &wait, &wait);
    write_request(request, method, bufferevent_get_output(forward->stream));
    bufferevent_enable(forward->stream, EV_READ | EV_WRITE);
}

struct forwards *forwards_new(struct http_server *server, const struct metrics_addresses *addresses)
{
    struct forwards *forwards = calloc(1, sizeof *forwards);
    if (forwards)
        *forwards = (struct forwards){.server = server, .addresses = addresses};
    return forwards;
}

void forwards_free(struct forwards *forwards)
{
    if (!forwards)
        return;
    while (!LIST_EMPTY(&forwards->list))
        drop(LIST_FIRST(&forwards->list));
    free(forwards);
}
