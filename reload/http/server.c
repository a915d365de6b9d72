#include "reload/http/server.h"

#include "config/base/clock.h"
#include "config/base/condition.h"
#include "config/base/log.h"
#include "config/base/thread.h"
#include "reload/listeners/descriptors.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HEAD_MAX   8192
#define BODY_MAX   4096
#define UNREAD_MAX (4 * HEAD_MAX)

/* To send a request, or to send none on a connection that is kept; to take an answer. on_tick()
 * looks at that. libevent must not: where this thread has not run for as long, or has made an
 * answer for as long, it tells of the timeout, and forgets that there is something to read or room
 * to write. */
#define REQUEST_MS 30000
#define ANSWER_MS  60000
#define NEVER_S    (24 * 60 * 60)

/* What the clients of all connections together have not taken yet. */
#define BACKLOG_MAX ((size_t)64 * 1024 * 1024)

#define TICK_MS 250

/* A client that asks again within this time, on a connection that is kept, is waited for when the
 * process ends: a connection that closes just then would lose the question. */
#define KEPT_MS 1000

/* So long after the last client has come: all are accepted by then. */
#define SETTLING_TICKS 4

/* Below the workers: an answer may be late, a session may not. */
#define NICENESS 5

enum connection_state {
    CONNECTION_READING,   /* a request, or nothing */
    CONNECTION_ANSWERING, /* an answer is being made, or taken */
    CONNECTION_STREAMING, /* an answer without an end; since: when all was taken */
};

struct connection {
    struct bufferevent *stream; /* with a reference of its own */
    enum connection_state state;
    uint64_t since; /* in that state */
    TAILQ_ENTRY(connection) link;
};

struct listening {
    struct evconnlistener *listener;
    struct evhttp_bound_socket *bound;
    bool passing;
    STAILQ_ENTRY(listening) link;
};

struct http_server {
    struct http_server_events events;
    struct task_queue *main;
    struct task_queue tasks;
    pthread_t thread;
    bool started;
    struct task accept_task, retire_task, settle_task, leave_task, finish_task, stop_task;
    struct task *settled, *left; /* of http_server_settle() and _leave() */
    int finished; /* an eventfd, readable when nothing is under way after finish_task */
    /* The thread's: */
    struct event_base *base;
    struct evhttp *http;
    struct event *bell, *tick, *retry;
    STAILQ_HEAD(, listening) listeners;
    TAILQ_HEAD(, connection) connections;
    unsigned count;
    uint64_t ticked;   /* when on_tick() came last */
    unsigned settling; /* ticks until the passing sockets are left alone; 0: nobody asked */
    bool accepting, retired, leaving, finishing;
    struct condition shortage;
};

/* --- connections ----------------------------------------------------------------------------- */

/* evhttp takes its callbacks off when it frees a connection. The descriptor is open until the last
 * reference goes: libevent would otherwise ask the kernel about a number that may be another
 * socket's by then. */
static bool is_gone(const struct connection *connection)
{
    bufferevent_event_cb on_event = NULL;
    bufferevent_getcb(connection->stream, NULL, NULL, &on_event, NULL);
    return !on_event;
}

static void forget(struct http_server *server, struct connection *connection)
{
    TAILQ_REMOVE(&server->connections, connection, link);
    server->count--;
    bufferevent_decref(connection->stream);
    free(connection);
}

static void forget_gone(struct http_server *server)
{
    struct connection *connection, *next;
    for (connection = TAILQ_FIRST(&server->connections); connection; connection = next) {
        next = TAILQ_NEXT(connection, link);
        if (is_gone(connection))
            forget(server, connection);
    }
}

/* evhttp sees an end, and closes the connection in the next turn of the loop. */
static void cut(const struct connection *connection)
{
    (void)shutdown(bufferevent_getfd(connection->stream), SHUT_RDWR);
}

static void set_state(struct connection *connection, enum connection_state state)
{
    connection->state = state;
    connection->since = clock_ms();
}

static void enable_listeners(struct http_server *server, bool enable)
{
    struct listening *listening;
    STAILQ_FOREACH (listening, &server->listeners, link)
        if (enable)
            evconnlistener_enable(listening->listener);
        else
            evconnlistener_disable(listening->listener);
}

static void accept_soon(struct http_server *server, unsigned milliseconds)
{
    const struct timeval wait = clock_interval(milliseconds);
    event_add(server->retry, &wait);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    struct http_server *server = arg;
    (void)fd;
    (void)what;
    forget_gone(server);
    if (!server->accepting)
        return;
    if (server->count < DESCRIPTORS_HTTP)
        enable_listeners(server, true);
    else
        accept_soon(server, TICK_MS);
}

/* The connection that has been reading longest makes room. Where all are being answered, no client
 * is accepted for a while. */
static void make_room(struct http_server *server)
{
    struct connection *connection, *oldest = NULL;
    TAILQ_FOREACH (connection, &server->connections, link)
        if (connection->state == CONNECTION_READING &&
            (!oldest || connection->since < oldest->since))
            oldest = connection;
    enable_listeners(server, false);
    if (oldest)
        cut(oldest);
    accept_soon(server, oldest ? 0 : TICK_MS);
}

/* evhttp has accepted a client, and wants a stream for it. Without memory evhttp makes one itself,
 * which is not counted here. */
static struct bufferevent *on_connection(struct event_base *base, void *arg)
{
    struct http_server *server = arg;
    struct connection *connection = calloc(1, sizeof *connection);
    struct bufferevent *stream = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    if (!connection || !stream) {
        free(connection);
        return stream;
    }
    bufferevent_setwatermark(stream, EV_READ, 0, UNREAD_MAX);
    bufferevent_incref(stream);
    connection->stream = stream;
    set_state(connection, CONNECTION_READING);
    forget_gone(server);
    TAILQ_INSERT_TAIL(&server->connections, connection, link);
    if (++server->count == DESCRIPTORS_HTTP)
        make_room(server);
    if (condition_over(&server->shortage, clock_ms()))
        log_notice("metrics: clients are accepted again");
    return stream;
}

static void on_shortage(struct evconnlistener *listener, void *arg)
{
    struct http_server *server = arg;
    (void)listener;
    if (condition_met(&server->shortage, errno, clock_ms()))
        log_warning("metrics: clients cannot be accepted: %s", strerror(errno));
    enable_listeners(server, false);
    accept_soon(server, TICK_MS);
}

static struct connection *connection_of(const struct http_server *server,
                                        struct evhttp_request *request)
{
    struct evhttp_connection *http = evhttp_request_get_connection(request);
    struct connection *connection;
    if (!http)
        return NULL;
    TAILQ_FOREACH (connection, &server->connections, link)
        if (connection->stream == evhttp_connection_get_bufferevent(http))
            return connection;
    return NULL;
}

static bool is_quiet(const struct connection *connection)
{
    return connection->state != CONNECTION_ANSWERING && clock_ms() - connection->since > KEPT_MS;
}

static bool all_are_quiet(const struct http_server *server)
{
    const struct connection *connection;
    TAILQ_FOREACH (connection, &server->connections, link)
        if (!is_gone(connection) && !is_quiet(connection))
            return false;
    return true;
}

static void look_finished(struct http_server *server)
{
    if (server->finishing && all_are_quiet(server))
        (void)eventfd_write(server->finished, 1);
}

static void drop_passing(struct http_server *server)
{
    struct listening *listening, *next;
    for (listening = STAILQ_FIRST(&server->listeners); listening; listening = next) {
        next = STAILQ_NEXT(listening, link);
        if (!listening->passing)
            continue;
        STAILQ_REMOVE(&server->listeners, listening, listening, link);
        evhttp_del_accept_socket(server->http, listening->bound);
        free(listening);
    }
    task_queue_post(server->main, server->settled);
}

/* The time since the last tick in which this thread did not run, or made one answer: no client
 * could do anything. */
static uint64_t time_lost(struct http_server *server, uint64_t now)
{
    const uint64_t elapsed = now - server->ticked;
    server->ticked = now;
    return elapsed > 2 * TICK_MS ? elapsed - TICK_MS : 0;
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct http_server *server = arg;
    (void)fd;
    (void)what;
    const uint64_t now = clock_ms(), lost = time_lost(server, now);
    struct connection *connection;
    forget_gone(server);
    TAILQ_FOREACH (connection, &server->connections, link) {
        connection->since += connection->since + lost < now ? lost : now - connection->since;
        const bool reading = connection->state == CONNECTION_READING;
        if (now - connection->since > (reading ? REQUEST_MS : ANSWER_MS) ||
            (server->leaving && is_quiet(connection)))
            cut(connection);
    }
    server->events.on_tick(server->events.arg);
    if (server->settling > 0 && --server->settling == 0)
        drop_passing(server);
    look_finished(server);
}

/* --- requests -------------------------------------------------------------------------------- */

static unsigned count_headers(const struct evkeyvalq *headers, const char *name)
{
    const struct evkeyval *header;
    unsigned count = 0;
    TAILQ_FOREACH (header, headers, next)
        count += strcasecmp(header->key, name) == 0;
    return count;
}

/* Whether another program on the way may see another end of the request than this one: what follows
 * would be a request for the one, and part of this for the other. */
static bool is_ambiguous(struct evhttp_request *request)
{
    const struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
    const unsigned lengths = count_headers(headers, "Content-Length");
    if (count_headers(headers, "Transfer-Encoding") > 0 || lengths > 1)
        return true;
    const char *length = evhttp_find_header(headers, "Content-Length");
    const bool has_body = length && strcmp(length, "0") != 0;
    return has_body && evhttp_request_get_command(request) != EVHTTP_REQ_POST;
}

static void on_request(struct evhttp_request *request, void *arg)
{
    struct http_server *server = arg;
    struct connection *connection = connection_of(server, request);
    if (connection)
        set_state(connection, CONNECTION_ANSWERING);
    if (!server->accepting)
        http_server_hang_up(request);
    if (is_ambiguous(request) ||
        count_headers(evhttp_request_get_input_headers(request), "Host") > 1) {
        http_server_hang_up(request);
        http_server_say(server, request, HTTP_BADREQUEST, "the request is ambiguous");
        return;
    }
    server->events.on_request(request, server->events.arg);
}

static void on_answered(struct evhttp_request *request, void *arg)
{
    struct http_server *server = arg;
    struct connection *connection = connection_of(server, request);
    if (connection)
        set_state(connection, CONNECTION_READING);
    look_finished(server);
}

static size_t backlog(const struct http_server *server)
{
    size_t all = 0;
    const struct connection *connection;
    TAILQ_FOREACH (connection, &server->connections, link)
        if (!is_gone(connection))
            all += evbuffer_get_length(bufferevent_get_output(connection->stream));
    return all;
}

static void add_header(struct evhttp_request *request, const char *name, const char *value)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    if (!evhttp_find_header(headers, name))
        evhttp_add_header(headers, name, value);
}

void http_server_hang_up(struct evhttp_request *request)
{
    add_header(request, "Connection", "close");
}

void http_server_reply(struct http_server *server, struct evhttp_request *request, int status,
                       struct evbuffer *body)
{
    struct connection *connection = connection_of(server, request);
    size_t length = body ? evbuffer_get_length(body) : 0;
    char text[32];
    if (body && backlog(server) + length > BACKLOG_MAX) {
        evbuffer_drain(body, length);
        http_server_hang_up(request);
        add_header(request, "Retry-After", "10");
        status = HTTP_SERVUNAVAIL;
        length = 0;
    }
    if (connection) {
        set_state(connection, CONNECTION_ANSWERING);
        evhttp_request_set_on_complete_cb(request, on_answered, server);
    }
    add_header(request, "Cache-Control", "no-store");
    add_header(request, "X-Content-Type-Options", "nosniff");
    snprintf(text, sizeof text, "%zu", length);
    add_header(request, "Content-Length", text);
    if (body && evhttp_request_get_command(request) == EVHTTP_REQ_HEAD)
        evbuffer_drain(body, length);
    evhttp_send_reply(request, status, NULL, body);
}

bool http_server_stream_begin(struct http_server *server, struct evhttp_request *request)
{
    const struct timeval wait = {.tv_sec = ANSWER_MS / 1000};
    struct evhttp_connection *http = evhttp_request_get_connection(request);
    struct connection *connection = connection_of(server, request);
    if (!http || !connection) {
        http_server_hang_up(request);
        evhttp_send_reply(request, HTTP_SERVUNAVAIL, NULL, NULL);
        return false;
    }
    add_header(request, "Content-Type", "text/event-stream");
    add_header(request, "Cache-Control", "no-store");
    add_header(request, "X-Content-Type-Options", "nosniff");
    http_server_hang_up(request);
    evhttp_send_reply_start(request, HTTP_OK, NULL);
    set_state(connection, CONNECTION_STREAMING);
    bufferevent_set_timeouts(connection->stream, NULL, &wait); /* it has nothing more to ask */
    return true;
}

bool http_server_stream_send(struct http_server *server, struct evhttp_request *request,
                             struct evbuffer *bytes)
{
    struct connection *connection = connection_of(server, request);
    if (!connection)
        return false;
    if (evbuffer_get_length(bufferevent_get_output(connection->stream)) > 0)
        return true;
    connection->since = clock_ms();
    struct evbuffer *chunk = evbuffer_new();
    if (chunk && evbuffer_add_buffer_reference(chunk, bytes) == 0)
        evhttp_send_reply_chunk(request, chunk);
    if (chunk)
        evbuffer_free(chunk);
    return true;
}

void http_server_stream_end(struct evhttp_request *request)
{
    evhttp_send_reply_end(request);
}

void http_server_source(struct evhttp_request *request, char text[static ADDRESS_TEXT_MAX])
{
    struct evhttp_connection *http = evhttp_request_get_connection(request);
    struct address address = {.length = sizeof address.un};
    text[0] = '\0';
    if (!http || getpeername(bufferevent_getfd(evhttp_connection_get_bufferevent(http)),
                             &address.any, &address.length))
        return;
    if (address_is_unix(&address)) {
        snprintf(text, ADDRESS_TEXT_MAX, "unix");
        return;
    }
    address_set_port(&address, 0);
    address_format_portless(&address, text);
}

void http_server_say(struct http_server *server, struct evhttp_request *request, int status,
                     const char *text)
{
    struct evbuffer *body = evbuffer_new();
    if (body)
        evbuffer_add_printf(body, "%s\n", text);
    add_header(request, "Content-Type", "text/plain; charset=utf-8");
    http_server_reply(server, request, status, body);
    if (body)
        evbuffer_free(body);
}

/* --- what the main thread asks for ----------------------------------------------------------- */

static void on_bell(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    task_queue_run(arg);
}

static void run_accept(void *arg)
{
    struct http_server *server = arg;
    server->accepting = true;
    server->retired = false;
    enable_listeners(server, true);
}

static void accept_no_more(struct http_server *server)
{
    server->accepting = false;
    enable_listeners(server, false);
}

static void run_retire(void *arg)
{
    struct http_server *server = arg;
    accept_no_more(server);
    server->retired = true;
}

static void run_settle(void *arg)
{
    struct http_server *server = arg;
    server->settling = SETTLING_TICKS;
}

static void run_leave(void *arg)
{
    struct http_server *server = arg;
    run_retire(server);
    server->leaving = true;
    task_queue_post(server->main, server->left);
}

static void run_finish(void *arg)
{
    struct http_server *server = arg;
    accept_no_more(server);
    server->finishing = true;
    look_finished(server);
}

static void run_stop(void *arg)
{
    struct http_server *server = arg;
    event_base_loopbreak(server->base);
}

/* --- the thread ------------------------------------------------------------------------------ */

static void *run(void *arg)
{
    struct http_server *server = arg;
    (void)pthread_setname_np(pthread_self(), "http");
    (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICENESS);
    event_base_dispatch(server->base);
    server->events.on_end(server->events.arg);
    return NULL;
}

static int open_loop(struct http_server *server)
{
    const struct timeval tick = clock_interval(TICK_MS);
    server->base = event_base_new();
    if (!server->base)
        return ENOMEM;
    server->http = evhttp_new(server->base);
    server->bell =
        event_new(server->base, server->tasks.fd, EV_READ | EV_PERSIST, on_bell, &server->tasks);
    server->tick = event_new(server->base, -1, EV_PERSIST, on_tick, server);
    server->retry = event_new(server->base, -1, 0, on_retry, server);
    if (!server->http || !server->bell || !server->tick || !server->retry ||
        event_add(server->bell, NULL) || event_add(server->tick, &tick))
        return ENOMEM;
    evhttp_set_max_headers_size(server->http, HEAD_MAX);
    evhttp_set_max_body_size(server->http, BODY_MAX);
    evhttp_set_timeout(server->http, NEVER_S);
    server->ticked = clock_ms();
    evhttp_set_allowed_methods(server->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST |
                                                 EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
                                                 EVHTTP_REQ_OPTIONS | EVHTTP_REQ_PATCH);
    evhttp_set_bevcb(server->http, on_connection, server);
    evhttp_set_gencb(server->http, on_request, server);
    return 0;
}

static void close_loop(struct http_server *server)
{
    struct listening *listening;
    if (server->http)
        evhttp_free(server->http); /* with its connections and listeners, but not their sockets */
    while ((listening = STAILQ_FIRST(&server->listeners))) {
        STAILQ_REMOVE_HEAD(&server->listeners, link);
        free(listening);
    }
    while (!TAILQ_EMPTY(&server->connections))
        forget(server, TAILQ_FIRST(&server->connections));
    struct event *const events[] = {server->bell, server->tick, server->retry};
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        if (events[i])
            event_free(events[i]);
    if (server->base)
        event_base_free(server->base);
}

int http_server_new(struct task_queue *main, const struct http_server_events *events,
                    struct http_server **made)
{
    struct http_server *server = calloc(1, sizeof *server);
    if (!server)
        return ENOMEM;
    *server = (struct http_server){.events = *events,
                                   .main = main,
                                   .accept_task = {.run = run_accept, .arg = server},
                                   .retire_task = {.run = run_retire, .arg = server},
                                   .settle_task = {.run = run_settle, .arg = server},
                                   .leave_task = {.run = run_leave, .arg = server},
                                   .finish_task = {.run = run_finish, .arg = server},
                                   .stop_task = {.run = run_stop, .arg = server}};
    STAILQ_INIT(&server->listeners);
    TAILQ_INIT(&server->connections);
    server->finished = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    int error = server->finished < 0 ? errno : task_queue_open(&server->tasks);
    if (error) {
        if (server->finished >= 0)
            close(server->finished);
        free(server);
        return error;
    }
    error = open_loop(server);
    if (error)
        http_server_free(server, 0);
    else
        *made = server;
    return error;
}

int http_server_listen(struct http_server *server, int fd, bool passing)
{
    struct listening *listening = calloc(1, sizeof *listening);
    if (!listening)
        return ENOMEM;
    /* A backlog of 0: the socket listens already, or will later. */
    listening->listener = evconnlistener_new(server->base, NULL, NULL,
                                             LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_DISABLED, 0, fd);
    if (listening->listener)
        listening->bound = evhttp_bind_listener(server->http, listening->listener);
    if (!listening->bound) {
        if (listening->listener)
            evconnlistener_free(listening->listener);
        free(listening);
        return ENOMEM;
    }
    listening->passing = passing;
    evconnlistener_set_error_cb(listening->listener, on_shortage);
    evconnlistener_disable(listening->listener); /* a callback had enabled it */
    STAILQ_INSERT_TAIL(&server->listeners, listening, link);
    return 0;
}

int http_server_start(struct http_server *server)
{
    int error = thread_start(&server->thread, NULL, run, server);
    server->started = !error;
    return error;
}

void http_server_accept(struct http_server *server)
{
    task_queue_post(&server->tasks, &server->accept_task);
}

void http_server_retire(struct http_server *server)
{
    task_queue_post(&server->tasks, &server->retire_task);
}

void http_server_settle(struct http_server *server, struct task *settled)
{
    server->settled = settled;
    task_queue_post(&server->tasks, &server->settle_task);
}

void http_server_leave(struct http_server *server, struct task *left)
{
    server->left = left;
    task_queue_post(&server->tasks, &server->leave_task);
}

/* Until the thread has finished, or the time is over. */
static void wait_finished(struct http_server *server, unsigned milliseconds)
{
    const uint64_t until = clock_ms() + milliseconds;
    task_queue_post(&server->tasks, &server->finish_task);
    for (uint64_t now = clock_ms(); now < until; now = clock_ms()) {
        struct pollfd both[] = {{.fd = server->finished, .events = POLLIN},
                                {.fd = server->main->fd, .events = POLLIN}};
        if (poll(both, 2, (int)(until - now)) < 0 && errno != EINTR)
            return;
        if (both[0].revents)
            return;
        if (both[1].revents)
            task_queue_run(server->main);
    }
}

void http_server_free(struct http_server *server, unsigned milliseconds)
{
    if (!server)
        return;
    if (server->started) {
        wait_finished(server, milliseconds);
        task_queue_post(&server->tasks, &server->stop_task);
        pthread_join(server->thread, NULL);
    }
    close_loop(server);
    task_queue_close(&server->tasks);
    close(server->finished);
    free(server);
}

struct task_queue *http_server_tasks(struct http_server *server)
{
    return &server->tasks;
}

struct task_queue *http_server_main(struct http_server *server)
{
    return server->main;
}

bool http_server_is_retired(const struct http_server *server)
{
    return server->retired;
}

bool http_server_is_accepting(const struct http_server *server)
{
    return server->accepting;
}

struct event_base *http_server_base(struct http_server *server)
{
    return server->base;
}
