#include "reload/http/scrape.h"

#include "reload/http/accept.h"
#include "reload/http/server.h"
#include "reload/metrics/metrics.h"

#include <stdlib.h>

struct scrape {
    struct metrics_snapshot *snapshot;
    struct evbuffer *texts[2]; /* Prometheus' own, OpenMetrics; NULL: not made yet */
};

struct scrape *scrape_look(struct generation *generation)
{
    struct scrape *scrape = calloc(1, sizeof *scrape);
    if (scrape)
        scrape->snapshot = metrics_collect(generation);
    if (scrape && scrape->snapshot)
        return scrape;
    free(scrape);
    return NULL;
}

/* NULL: out of memory. */
static struct evbuffer *text_of(struct scrape *scrape, bool openmetrics)
{
    struct evbuffer **text = &scrape->texts[openmetrics];
    if (*text)
        return *text;
    if (!scrape->snapshot->process.measured)
        metrics_measure(scrape->snapshot);
    *text = evbuffer_new();
    if (!*text || metrics_write(scrape->snapshot, *text, openmetrics) == 0)
        return *text;
    evbuffer_free(*text);
    *text = NULL;
    return NULL;
}

void scrape_reply(struct scrape *scrape, struct http_server *server, struct evhttp_request *request)
{
    const char *accepts = evhttp_find_header(evhttp_request_get_input_headers(request), "Accept");
    const bool openmetrics = accept_wants_openmetrics(accepts);
    struct evbuffer *text = text_of(scrape, openmetrics), *body = evbuffer_new();
    if (!text || !body || evbuffer_add_buffer_reference(body, text)) {
        http_server_say(server, request, HTTP_SERVUNAVAIL, "out of memory");
    } else {
        evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type",
                          openmetrics ? METRICS_OPENMETRICS_TYPE : METRICS_TEXT_TYPE);
        http_server_reply(server, request, HTTP_OK, body);
    }
    if (body)
        evbuffer_free(body);
}

void scrape_free(void *arg)
{
    struct scrape *scrape = arg;
    for (size_t i = 0; i < 2; i++)
        if (scrape->texts[i])
            evbuffer_free(scrape->texts[i]);
    metrics_free(scrape->snapshot);
    free(scrape);
}
