#include "reload/http/stream.h"

#include "config/base/clock.h"
#include "reload/control/status.h"
#include "reload/http/server.h"
#include "reload/http/timeline.h"
#include "reload/metrics/metrics.h"

#include <event2/buffer.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define INTERVAL_MS 1000
/* How soon a browser comes again after the end of the stream, which is a reload. */
#define RETRY_MS 300

struct stream {
    struct evhttp_request *request;
    bool admin;
    TAILQ_ENTRY(stream) link;
};

struct streams {
    struct http_server *server;
    struct generation *generation;
    const char *token;
    struct task_queue *main, *tasks;
    struct task look_task, answer_task;
    TAILQ_HEAD(, stream) list;
    unsigned count;
    bool under_way;
    uint64_t looked_at;
    /* Handed over by answer_task; NULL: out of memory. */
    json_t *status, *newest;
    struct metrics_snapshot *snapshot;
};

static void run_look(void *arg)
{
    struct streams *streams = arg;
    streams->status = status_json(streams->generation);
    streams->newest = timeline_newest(streams->generation);
    streams->snapshot = metrics_collect(streams->generation);
    task_queue_post(streams->tasks, &streams->answer_task);
}

static void forget_answer(struct streams *streams)
{
    json_decref(streams->status);
    json_decref(streams->newest);
    metrics_free(streams->snapshot);
    streams->status = streams->newest = NULL;
    streams->snapshot = NULL;
}

static json_t *metrics_text(struct metrics_snapshot *snapshot)
{
    struct evbuffer *text = evbuffer_new();
    json_t *string = NULL;
    metrics_measure(snapshot);
    if (text && metrics_write(snapshot, text, false) == 0)
        string = json_stringn((const char *)evbuffer_pullup(text, -1), evbuffer_get_length(text));
    if (text)
        evbuffer_free(text);
    return string;
}

/* NULL: out of memory. */
static struct evbuffer *make_event(const struct streams *streams, json_t *metrics, bool admin)
{
    json_t *object =
        json_pack("{s:O, s:O, s:O, s:b, s:s}", "status", streams->status, "metrics", metrics,
                  "newest", streams->newest, "admin", admin, "token", admin ? streams->token : "");
    char *text = object ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(12)) : NULL;
    struct evbuffer *event = text ? evbuffer_new() : NULL;
    if (event) {
        evbuffer_add_printf(event, "retry: %d\ndata: ", RETRY_MS);
        evbuffer_add(event, text, strlen(text));
        evbuffer_add(event, "\n\n", 2);
    }
    free(text);
    json_decref(object);
    return event;
}

static void end(struct streams *streams, struct stream *stream)
{
    http_server_stream_end(stream->request);
    TAILQ_REMOVE(&streams->list, stream, link);
    streams->count--;
    free(stream);
}

static void send_all(struct streams *streams, json_t *metrics)
{
    struct evbuffer *events[2] = {NULL, NULL};
    struct stream *stream, *next;
    for (stream = TAILQ_FIRST(&streams->list); stream; stream = next) {
        next = TAILQ_NEXT(stream, link);
        struct evbuffer **event = &events[stream->admin];
        if (!*event)
            *event = make_event(streams, metrics, stream->admin);
        if (*event && !http_server_stream_send(streams->server, stream->request, *event))
            end(streams, stream);
    }
    for (size_t i = 0; i < 2; i++)
        if (events[i])
            evbuffer_free(events[i]);
}

static void run_answer(void *arg)
{
    struct streams *streams = arg;
    streams->under_way = false;
    json_t *metrics = streams->status && streams->snapshot ? metrics_text(streams->snapshot) : NULL;
    if (metrics)
        send_all(streams, metrics);
    json_decref(metrics);
    forget_answer(streams);
}

static void look(struct streams *streams)
{
    if (streams->under_way)
        return;
    streams->under_way = true;
    streams->looked_at = clock_ms();
    task_queue_post(streams->main, &streams->look_task);
}

void streams_turn_away(struct streams *streams, struct evhttp_request *request)
{
    struct evbuffer *body = evbuffer_new();
    if (body)
        evbuffer_add_printf(body, "retry: %d\n\n", RETRY_MS);
    http_server_hang_up(request);
    evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type",
                      "text/event-stream");
    http_server_reply(streams->server, request, HTTP_OK, body);
    if (body)
        evbuffer_free(body);
}

void streams_add(struct streams *streams, struct evhttp_request *request, bool admin)
{
    struct stream *stream = streams->count < STREAMS_MAX ? calloc(1, sizeof *stream) : NULL;
    if (!stream) {
        http_server_say(streams->server, request, HTTP_SERVUNAVAIL, "too many pages are open");
        return;
    }
    if (!http_server_stream_begin(streams->server, request)) {
        free(stream);
        return;
    }
    stream->request = request;
    stream->admin = admin;
    TAILQ_INSERT_TAIL(&streams->list, stream, link);
    streams->count++;
    look(streams);
}

void streams_on_tick(struct streams *streams)
{
    struct stream *stream, *next;
    bool over = !http_server_is_accepting(streams->server);
    for (stream = TAILQ_FIRST(&streams->list); stream; stream = next) {
        next = TAILQ_NEXT(stream, link);
        if (over || !evhttp_request_get_connection(stream->request))
            end(streams, stream);
    }
    if (streams->count > 0 && clock_ms() - streams->looked_at >= INTERVAL_MS)
        look(streams);
}

void streams_drop(struct streams *streams)
{
    while (!TAILQ_EMPTY(&streams->list)) {
        struct stream *stream = TAILQ_FIRST(&streams->list);
        if (!evhttp_request_get_connection(stream->request))
            http_server_stream_end(stream->request);
        TAILQ_REMOVE(&streams->list, stream, link);
        free(stream);
    }
    streams->count = 0;
}

struct streams *streams_new(struct http_server *server, struct generation *generation,
                            const char *token)
{
    struct streams *streams = calloc(1, sizeof *streams);
    if (!streams)
        return NULL;
    *streams = (struct streams){.server = server,
                                .generation = generation,
                                .token = token,
                                .main = http_server_main(server),
                                .tasks = http_server_tasks(server),
                                .look_task = {.run = run_look, .arg = streams},
                                .answer_task = {.run = run_answer, .arg = streams}};
    TAILQ_INIT(&streams->list);
    return streams;
}

void streams_free(struct streams *streams)
{
    if (!streams)
        return;
    task_queue_withdraw(streams->main, &streams->look_task);
    forget_answer(streams);
    free(streams);
}
