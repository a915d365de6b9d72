#include "reload/http/http.h"

#include "config/base/log.h"
#include "reload/handover/generation.h"
#include "reload/http/asking.h"
#include "reload/http/forward.h"
#include "reload/http/readiness.h"
#include "reload/http/scrape.h"
#include "reload/http/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* For answers that are under way when the process ends. */
#define CLOSE_MS 2000

struct http {
    struct generation *generation;
    struct http_server *server; /* NULL: there is no option metrics */
    struct task_queue main;
    bool main_open;
    struct event *bell;
    struct task settled_task, left_task;
    bool serves; /* paths are removed by this process */
    struct pulse_check pulse_check;
    struct forwards *forwards;
    struct asking health, ready, metrics;
};

/* --- the main thread's answers --------------------------------------------------------------- */

static void on_turned(void *arg)
{
    struct http *http = arg;
    struct readiness *answer = calloc(1, sizeof *answer);
    if (answer)
        *answer = (struct readiness){.ready = true, .text = "ok"};
    asking_answer(&http->health, answer);
}

static void look_health(struct asking *asking, void *arg)
{
    struct http *http = arg;
    (void)asking;
    pulse_ask(&http->generation->heartbeats.pulse, &http->pulse_check);
}

static void look_ready(struct asking *asking, void *arg)
{
    const struct http *http = arg;
    struct readiness *answer = calloc(1, sizeof *answer);
    if (answer)
        readiness_look(http->generation, answer);
    asking_answer(asking, answer);
}

static void look_metrics(struct asking *asking, void *arg)
{
    const struct http *http = arg;
    asking_answer(asking, scrape_look(http->generation));
}

/* --- the server's thread --------------------------------------------------------------------- */

static void reply_metrics(struct evhttp_request *request, void *answer, void *arg)
{
    const struct http *http = arg;
    scrape_reply(answer, http->server, request);
}

static void reply_readiness(struct evhttp_request *request, void *answer, void *arg)
{
    const struct http *http = arg;
    const struct readiness *readiness = answer;
    http_server_say(http->server, request, readiness->ready ? HTTP_OK : HTTP_SERVUNAVAIL,
                    readiness->text);
}

static void answer_health(struct http *http, struct evhttp_request *request)
{
    asking_add(&http->health, request);
}

static void answer_ready(struct http *http, struct evhttp_request *request)
{
    asking_add(&http->ready, request);
}

static void answer_metrics(struct http *http, struct evhttp_request *request)
{
    asking_add(&http->metrics, request);
}

struct page {
    const char *path;
    void (*answer)(struct http *http, struct evhttp_request *request);
};

static const struct page pages[] = {
    {"/healthz", answer_health}, {"/ready", answer_ready}, {"/metrics", answer_metrics}};

static const struct page *find_page(const char *path)
{
    for (size_t i = 0; path && i < sizeof pages / sizeof *pages; i++)
        if (strcmp(pages[i].path, path) == 0)
            return &pages[i];
    return NULL;
}

static void on_request(struct evhttp_request *request, void *arg)
{
    struct http *http = arg;
    if (http_server_is_retired(http->server)) {
        forwards_add(http->forwards, request);
        return;
    }
    const enum evhttp_cmd_type method = evhttp_request_get_command(request);
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
    const struct page *page = find_page(uri ? evhttp_uri_get_path(uri) : NULL);
    if (!page) {
        http_server_say(http->server, request, HTTP_NOTFOUND, "there is no such page");
    } else if (method != EVHTTP_REQ_GET && method != EVHTTP_REQ_HEAD) {
        evhttp_add_header(evhttp_request_get_output_headers(request), "Allow", "GET, HEAD");
        http_server_say(http->server, request, HTTP_BADMETHOD, "the method must be GET or HEAD");
    } else {
        page->answer(http, request);
    }
}

static void on_tick(void *arg)
{
    struct http *http = arg;
    asking_on_tick(&http->health);
    asking_on_tick(&http->ready);
    asking_on_tick(&http->metrics);
}

static void on_end(void *arg)
{
    struct http *http = arg;
    asking_drop(&http->health);
    asking_drop(&http->ready);
    asking_drop(&http->metrics);
    forwards_free(http->forwards);
    http->forwards = NULL;
}

/* --- the life of it -------------------------------------------------------------------------- */

static void on_bell(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    task_queue_run(arg);
}

static void run_settled(void *arg)
{
    const struct http *http = arg;
    metrics_sockets_drop_left(&http->generation->metrics);
}

static void run_left(void *arg)
{
    struct http *http = arg;
    metrics_sockets_close(&http->generation->metrics, http->serves);
}

static void report_line(const char *line, void *arg)
{
    struct generation *generation = arg;
    char text[ADDRESS_TEXT_MAX + 640];
    snprintf(text, sizeof text, "%s: %s", generation->file, line);
    generation->events->report(generation, text);
}

struct http *http_new(struct generation *generation)
{
    struct http *http = calloc(1, sizeof *http);
    if (!http)
        return NULL;
    http->generation = generation;
    http->settled_task = (struct task){.run = run_settled, .arg = http};
    http->left_task = (struct task){.run = run_left, .arg = http};
    http->pulse_check = (struct pulse_check){.on_turned = on_turned, .arg = http};
    return http;
}

static int open_bell(struct http *http)
{
    int error = task_queue_open(&http->main);
    if (error)
        return error;
    http->main_open = true;
    http->bell = event_new(http->generation->base, http->main.fd, EV_READ | EV_PERSIST, on_bell,
                           &http->main);
    return http->bell && event_add(http->bell, NULL) == 0 ? 0 : ENOMEM;
}

static int open_server(struct http *http)
{
    const struct http_server_events events = {
        .on_request = on_request, .on_tick = on_tick, .on_end = on_end, .arg = http};
    const struct metrics_sockets *sockets = &http->generation->metrics;
    int error = open_bell(http);
    if (error)
        return error;
    http->server = http_server_new(&http->main, &events);
    if (!http->server)
        return errno;
    http->forwards = forwards_new(http->server, &http->generation->config->metrics);
    if (!http->forwards)
        return ENOMEM;
    for (size_t i = 0; i < sockets->count && !error; i++)
        error = http_server_listen(http->server, sockets->list[i].fd,
                                   sockets->list[i].kind == METRICS_LEFT);
    const struct asking asking = {.reply = reply_readiness, .release = free, .arg = http};
    http->health = http->ready = asking;
    http->health.look = look_health;
    http->ready.look = look_ready;
    asking_begin(&http->health, http->server);
    http->metrics = (struct asking){
        .look = look_metrics, .reply = reply_metrics, .release = scrape_free, .arg = http};
    asking_begin(&http->ready, http->server);
    asking_begin(&http->metrics, http->server);
    return error ? error : http_server_start(http->server);
}

bool http_prepare(struct http *http)
{
    struct generation *generation = http->generation;
    const struct metrics_addresses *conf = &generation->config->metrics;
    char line[160];
    generation->exit_status = EXIT_BIND;
    if (!metrics_sockets_open(&generation->metrics, conf, &generation->metrics_offered, report_line,
                              generation))
        return false;
    int error = conf->count > 0 ? open_server(http) : 0;
    if (!error)
        return true;
    generation->exit_status = EXIT_OTHER;
    snprintf(line, sizeof line, "metrics: cannot start the HTTP server: %s", strerror(error));
    report_line(line, generation);
    return false;
}

void http_serve(struct http *http, pid_t successor)
{
    http->serves = true;
    if (!http->server)
        return;
    if (successor)
        metrics_sockets_take_back(&http->generation->metrics, successor);
    metrics_sockets_publish(&http->generation->metrics);
    http_server_accept(http->server);
}

void http_settle(struct http *http)
{
    metrics_sockets_settle(&http->generation->metrics);
    if (http->server)
        http_server_settle(http->server, &http->settled_task);
    else
        metrics_sockets_drop_left(&http->generation->metrics);
}

void http_retire(struct http *http)
{
    http->serves = false;
    if (!http->server)
        return;
    metrics_sockets_retire(&http->generation->metrics);
    http_server_retire(http->server);
}

void http_sweep(const struct http *http, pid_t pid)
{
    metrics_sockets_sweep(&http->generation->metrics, pid);
}

void http_forget(struct http *http)
{
    http->serves = false;
    if (http->server)
        http_server_leave(http->server, &http->left_task);
}

void http_close(struct http *http)
{
    if (!http || !http->server)
        return;
    http_server_free(http->server, CLOSE_MS);
    http->server = NULL;
    forwards_free(http->forwards); /* the thread may not have run */
    http->forwards = NULL;
    pulse_forget(&http->generation->heartbeats.pulse, &http->pulse_check);
    task_queue_withdraw(&http->main, &http->settled_task);
    task_queue_withdraw(&http->main, &http->left_task);
    asking_end(&http->health);
    asking_end(&http->ready);
    asking_end(&http->metrics);
}

void http_free(struct http *http)
{
    if (!http)
        return;
    http_close(http);
    metrics_sockets_close(&http->generation->metrics, http->serves);
    offer_free(&http->generation->metrics_offered);
    if (http->bell)
        event_free(http->bell);
    if (http->main_open)
        task_queue_close(&http->main);
    free(http);
}
