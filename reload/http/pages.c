#include "reload/http/pages.h"

#include "config/base/clock.h"
#include "reload/handover/generation.h"
#include "reload/http/asking.h"
#include "reload/http/auth.h"
#include "reload/http/change.h"
#include "reload/http/compare.h"
#include "reload/http/forward.h"
#include "reload/http/page.h"
#include "reload/http/readiness.h"
#include "reload/http/scrape.h"
#include "reload/http/server.h"
#include "reload/http/stream.h"
#include "reload/http/timeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNAUTHORIZED      401
#define FORBIDDEN         403
#define TOO_MANY_REQUESTS 429

struct pages {
    struct http_server *server;
    struct generation *generation;
    struct pulse_check pulse_check;
    struct auth *auth;
    struct forwards *forwards;
    struct changes *changes;
    struct streams *streams;
    struct asking health, ready, metrics, timeline;
};

/* --- the main thread's answers --------------------------------------------------------------- */

static void on_turned(void *arg)
{
    struct pages *pages = arg;
    struct readiness *answer = calloc(1, sizeof *answer);
    if (answer)
        *answer = (struct readiness){.ready = true, .text = "ok"};
    asking_answer(&pages->health, answer);
}

static void look_health(struct asking *asking, void *arg)
{
    struct pages *pages = arg;
    (void)asking;
    pulse_ask(&pages->generation->heartbeats.pulse, &pages->pulse_check);
}

static void look_ready(struct asking *asking, void *arg)
{
    const struct pages *pages = arg;
    struct readiness *answer = calloc(1, sizeof *answer);
    if (answer)
        readiness_look(pages->generation, answer);
    asking_answer(asking, answer);
}

static void look_metrics(struct asking *asking, void *arg)
{
    const struct pages *pages = arg;
    asking_answer(asking, scrape_look(pages->generation));
}

static void look_timeline(struct asking *asking, void *arg)
{
    const struct pages *pages = arg;
    asking_answer(asking, timeline_look(pages->generation));
}

/* --- the server's thread --------------------------------------------------------------------- */

static void reply_metrics(struct evhttp_request *request, void *answer, void *arg)
{
    const struct pages *pages = arg;
    scrape_reply(answer, pages->server, request);
}

static void reply_timeline(struct evhttp_request *request, void *answer, void *arg)
{
    const struct pages *pages = arg;
    timeline_reply(answer, pages->server, request);
}

static void reply_readiness(struct evhttp_request *request, void *answer, void *arg)
{
    const struct pages *pages = arg;
    const struct readiness *readiness = answer;
    http_server_say(pages->server, request, readiness->ready ? HTTP_OK : HTTP_SERVUNAVAIL,
                    readiness->text);
}

/* A user of the request, and what that one may do. */
struct user {
    bool admin;
    char name[80];
};

static void answer_health(struct pages *pages, struct evhttp_request *request,
                          const struct user *user)
{
    (void)user;
    asking_add(&pages->health, request);
}

static void answer_ready(struct pages *pages, struct evhttp_request *request,
                         const struct user *user)
{
    (void)user;
    asking_add(&pages->ready, request);
}

static void answer_metrics(struct pages *pages, struct evhttp_request *request,
                           const struct user *user)
{
    (void)user;
    asking_add(&pages->metrics, request);
}

static void answer_page(struct pages *pages, struct evhttp_request *request,
                        const struct user *user)
{
    (void)user;
    page_reply(pages->server, request);
}

static void answer_events(struct pages *pages, struct evhttp_request *request,
                          const struct user *user)
{
    streams_add(pages->streams, request, user->admin);
}

static void answer_timeline(struct pages *pages, struct evhttp_request *request,
                            const struct user *user)
{
    (void)user;
    asking_add(&pages->timeline, request);
}

static void answer_diff(struct pages *pages, struct evhttp_request *request,
                        const struct user *user)
{
    if (user->admin)
        compare_reply(pages->generation->config, pages->server, request, user->name);
    else
        http_server_say(pages->server, request, FORBIDDEN,
                        "only a user with :admin in the file of metrics-auth may read "
                        "configurations");
}

static void answer_change(struct pages *pages, struct evhttp_request *request,
                          const struct user *user)
{
    if (user->admin)
        changes_add(pages->changes, request, user->name);
    else
        http_server_say(pages->server, request, FORBIDDEN,
                        "only a user with :admin in the file of metrics-auth may change anything");
}

struct page_place {
    const char *path;
    const char *allow; /* methods */
    unsigned methods;
    bool open; /* nobody is asked for a password */
    void (*answer)(struct pages *pages, struct evhttp_request *request, const struct user *user);
};

#define READING "GET, HEAD", EVHTTP_REQ_GET | EVHTTP_REQ_HEAD

static const struct page_place places[] = {
    {"/healthz", READING, true, answer_health},
    {"/ready", READING, true, answer_ready},
    {"/metrics", READING, false, answer_metrics},
    {"/", READING, false, answer_page},
    {"/events", "GET", EVHTTP_REQ_GET, false, answer_events},
    {"/timeline", READING, false, answer_timeline},
    {"/diff", READING, false, answer_diff},
    {"/change", "POST", EVHTTP_REQ_POST, false, answer_change},
};

static const struct page_place *find_place(struct evhttp_request *request)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
    const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
    for (size_t i = 0; path && i < sizeof places / sizeof *places; i++)
        if (strcmp(places[i].path, path) == 0)
            return &places[i];
    return NULL;
}

/* --- who asks -------------------------------------------------------------------------------- */

static void name_user(const char *header, struct user *user)
{
    char text[AUTH_TEXT_MAX];
    snprintf(user->name, sizeof user->name, "-");
    if (header && auth_read_header(header, text))
        snprintf(user->name, sizeof user->name, "%.*s", (int)strcspn(text, ":"), text);
    explicit_bzero(text, sizeof text);
}

/* False: the request has been refused. */
static bool identify(struct pages *pages, struct evhttp_request *request, struct user *user)
{
    const char *header =
        evhttp_find_header(evhttp_request_get_input_headers(request), "Authorization");
    struct evkeyvalq *out = evhttp_request_get_output_headers(request);
    char source[ADDRESS_TEXT_MAX];
    http_server_source(request, source);
    switch (auth_judge(pages->auth, header, source, clock_ms())) {
    case AUTH_ADMIN:
        user->admin = true;
        name_user(header, user);
        return true;
    case AUTH_USER:
        return true;
    case AUTH_LIMITED:
        evhttp_add_header(out, "Retry-After", "1");
        http_server_say(pages->server, request, TOO_MANY_REQUESTS,
                        "too many wrong passwords; wait a second");
        return false;
    case AUTH_NONE:
        break;
    }
    evhttp_add_header(out, "WWW-Authenticate", "Basic realm=\"rpproxy\", charset=\"UTF-8\"");
    http_server_say(pages->server, request, UNAUTHORIZED, "a name and its password are needed");
    return false;
}

void pages_on_request(struct pages *pages, struct evhttp_request *request)
{
    const struct page_place *place = find_place(request);
    struct user user = {.admin = false};
    if (http_server_is_retired(pages->server)) {
        if (place && place->answer == answer_events)
            streams_turn_away(pages->streams, request);
        else
            forwards_add(pages->forwards, request);
    } else if (!place) {
        http_server_say(pages->server, request, HTTP_NOTFOUND, "there is no such page");
    } else if (!(place->methods & (unsigned)evhttp_request_get_command(request))) {
        char text[64];
        snprintf(text, sizeof text, "the method must be %s", place->allow);
        evhttp_add_header(evhttp_request_get_output_headers(request), "Allow", place->allow);
        http_server_say(pages->server, request, HTTP_BADMETHOD, text);
    } else if (place->open || identify(pages, request, &user)) {
        place->answer(pages, request, &user);
    }
}

void pages_on_tick(struct pages *pages)
{
    asking_on_tick(&pages->health);
    asking_on_tick(&pages->ready);
    asking_on_tick(&pages->metrics);
    asking_on_tick(&pages->timeline);
    streams_on_tick(pages->streams);
}

void pages_drop(struct pages *pages)
{
    asking_drop(&pages->health);
    asking_drop(&pages->ready);
    asking_drop(&pages->metrics);
    asking_drop(&pages->timeline);
    streams_drop(pages->streams);
    changes_drop(pages->changes);
    forwards_free(pages->forwards);
    pages->forwards = NULL;
}

/* --- the life of it -------------------------------------------------------------------------- */

struct pages *pages_new(struct http_server *server, struct generation *generation,
                        const struct control_events *events)
{
    struct pages *pages = calloc(1, sizeof *pages);
    if (!pages)
        return NULL;
    pages->server = server;
    pages->generation = generation;
    pages->pulse_check = (struct pulse_check){.on_turned = on_turned, .arg = pages};
    const struct asking asking = {.reply = reply_readiness, .release = free, .arg = pages};
    pages->health = pages->ready = pages->metrics = pages->timeline = asking;
    pages->health.look = look_health;
    pages->ready.look = look_ready;
    pages->metrics.look = look_metrics;
    pages->metrics.reply = reply_metrics;
    pages->metrics.release = scrape_free;
    pages->timeline.look = look_timeline;
    pages->timeline.reply = reply_timeline;
    pages->timeline.release = timeline_free;
    asking_begin(&pages->health, server);
    asking_begin(&pages->ready, server);
    asking_begin(&pages->metrics, server);
    asking_begin(&pages->timeline, server);
    pages->auth = auth_new(&generation->config->metrics_users);
    pages->forwards = forwards_new(server, &generation->config->metrics);
    pages->changes = changes_new(server, generation, events);
    if (pages->changes)
        pages->streams = streams_new(server, generation, changes_token(pages->changes));
    if (pages->auth && pages->forwards && pages->streams)
        return pages;
    pages_free(pages);
    return NULL;
}

void pages_free(struct pages *pages)
{
    if (!pages)
        return;
    pulse_forget(&pages->generation->heartbeats.pulse, &pages->pulse_check);
    asking_end(&pages->health);
    asking_end(&pages->ready);
    asking_end(&pages->metrics);
    asking_end(&pages->timeline);
    streams_free(pages->streams);
    changes_free(pages->changes);
    forwards_free(pages->forwards);
    auth_free(pages->auth);
    free(pages);
}
