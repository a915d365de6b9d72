#include "reload/http/compare.h"

#include "config/base/log.h"
#include "config/model/config.h"
#include "config/secrets.h"
#include "reload/base/history.h"
#include "reload/base/text_diff.h"
#include "reload/http/form.h"
#include "reload/http/origin.h"
#include "reload/http/server.h"

#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORBIDDEN         403
#define PAYLOAD_TOO_LARGE 413

/* A generation, or why it cannot be shown: status and text. */
struct side {
    unsigned number;
    struct history_entry entry;
    char label[32];
};

struct comparison {
    struct side sides[2];
    int status;
    char text[160];
};

static bool fail(struct comparison *comparison, int status, const char *text)
{
    comparison->status = status;
    snprintf(comparison->text, sizeof comparison->text, "%s", text);
    return false;
}

/* Browsers that say from where a request comes say it of any site. */
static bool is_own_page(const struct config *config, struct evhttp_request *request)
{
    const struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
    const char *site = evhttp_find_header(headers, "Sec-Fetch-Site");
    return origin_host_is_own(evhttp_find_header(headers, "Host"), &config->metrics_hosts) &&
           (!site || strcmp(site, "same-origin") == 0 || strcmp(site, "none") == 0);
}

static bool read_numbers(struct comparison *comparison, struct evhttp_request *request)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
    const char *query = uri ? evhttp_uri_get_query(uri) : NULL;
    return form_read_generations(query, &comparison->sides[0].number, &comparison->sides[1].number);
}

static bool read_side(struct comparison *comparison, struct side *side, const char *folder)
{
    char text[96];
    bool whole;
    const char *wrong =
        history_read_part(folder, side->number, COMPARE_BYTES_MAX, &side->entry, &whole);
    if (wrong || !side->entry.text) {
        snprintf(text, sizeof text, "the history has no configuration of generation %u",
                 side->number);
        return fail(comparison, HTTP_NOTFOUND, text);
    }
    if (!whole)
        return fail(comparison, PAYLOAD_TOO_LARGE,
                    "the configuration is too large for the page: use rpproxy history --diff");
    snprintf(side->label, sizeof side->label, "generation %u", side->number);
    return true;
}

static bool prepare(struct comparison *comparison, const struct config *config,
                    struct evhttp_request *request)
{
    if (!is_own_page(config, request))
        return fail(comparison, FORBIDDEN,
                    "the page is open under a name that is not allowed to show configurations "
                    "(metrics-host), or another site asks");
    if (!config->history)
        return fail(comparison, HTTP_NOTFOUND,
                    "no history is kept: set history = /PATH in [global]");
    if (!read_numbers(comparison, request))
        return fail(comparison, HTTP_BADREQUEST, "the form is /diff?from=GENERATION&to=GENERATION");
    return read_side(comparison, &comparison->sides[0], config->history) &&
           read_side(comparison, &comparison->sides[1], config->history);
}

/* Lines of a difference begin with a mark. */
static void add_without_secrets(struct evbuffer *body, const char *text)
{
    unsigned lines = 0;
    while (*text && lines++ < COMPARE_LINES_MAX) {
        const size_t length = strcspn(text, "\n");
        const size_t shown = length > 0 ? 1 + secrets_shown(text + 1, length - 1) : 0;
        evbuffer_add(body, text, shown);
        evbuffer_add_printf(body, "%s\n", shown < length ? "(hidden)" : "");
        text += length + (text[length] == '\n');
    }
    if (*text)
        evbuffer_add_printf(body, "... and more, which rpproxy history --diff prints\n");
}

/* False: out of memory. */
static bool compare(const struct comparison *comparison, struct evbuffer *body)
{
    struct diff_text texts[2];
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    for (unsigned i = 0; i < 2; i++)
        texts[i] = (struct diff_text){comparison->sides[i].label, comparison->sides[i].entry.text};
    bool good = out && text_diff(&texts[0], &texts[1], out) == 0;
    if (out && fclose(out) != 0)
        good = false;
    if (good)
        add_without_secrets(body, text);
    free(text);
    return good;
}

void compare_reply(const struct config *config, struct http_server *server,
                   struct evhttp_request *request, const char *user)
{
    struct comparison comparison = {0};
    struct evbuffer *body = evbuffer_new();
    bool good = prepare(&comparison, config, request);
    if (good && (!body || !compare(&comparison, body)))
        good = fail(&comparison, HTTP_SERVUNAVAIL, "out of memory");
    if (good) {
        log_notice("status page: user %s: looks at the difference of generations %u and %u", user,
                   comparison.sides[0].number, comparison.sides[1].number);
        evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type",
                          "text/plain; charset=utf-8");
        http_server_reply(server, request, HTTP_OK, body);
    } else {
        http_server_say(server, request, comparison.status, comparison.text);
    }
    for (unsigned i = 0; i < 2; i++)
        history_entry_free(&comparison.sides[i].entry);
    if (body)
        evbuffer_free(body);
}
