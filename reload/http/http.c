#include "reload/http/http.h"

#include "config/base/log.h"
#include "reload/handover/generation.h"
#include "reload/http/pages.h"
#include "reload/http/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* For answers that are under way when the process ends. */
#define CLOSE_MS 2000

struct http {
    struct generation *generation;
    const struct control_events *events;
    struct http_server *server; /* NULL: there is no option metrics */
    struct task_queue main;
    bool main_open;
    struct event *bell;
    struct task settled_task, left_task;
    bool serves; /* paths are removed by this process */
    struct pages *pages;
};

/* --- the server's thread --------------------------------------------------------------------- */

static void on_request(struct evhttp_request *request, void *arg)
{
    const struct http *http = arg;
    pages_on_request(http->pages, request);
}

static void on_tick(void *arg)
{
    const struct http *http = arg;
    pages_on_tick(http->pages);
}

static void on_end(void *arg)
{
    const struct http *http = arg;
    pages_drop(http->pages);
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

struct http *http_new(struct generation *generation, const struct control_events *events)
{
    struct http *http = calloc(1, sizeof *http);
    if (!http)
        return NULL;
    http->generation = generation;
    http->events = events;
    http->settled_task = (struct task){.run = run_settled, .arg = http};
    http->left_task = (struct task){.run = run_left, .arg = http};
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
    error = http_server_new(&http->main, &events, &http->server);
    if (error)
        return error;
    http->pages = pages_new(http->server, http->generation, http->events);
    if (!http->pages)
        return ENOMEM;
    for (size_t i = 0; i < sockets->count && !error; i++)
        error = http_server_listen(http->server, sockets->list[i].fd,
                                   sockets->list[i].kind == METRICS_LEFT);
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
    task_queue_withdraw(&http->main, &http->settled_task);
    task_queue_withdraw(&http->main, &http->left_task);
    pages_free(http->pages);
    http->pages = NULL;
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
