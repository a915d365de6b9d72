#include "reload/http/change.h"

#include "config/base/happening.h"
#include "config/base/log.h"
#include "reload/base/requester.h"
#include "reload/control/control_events.h"
#include "reload/control/frontends.h"
#include "reload/control/servers.h"
#include "reload/handover/generation.h"
#include "reload/handover/old_side.h"
#include "reload/http/form.h"
#include "reload/http/origin.h"
#include "reload/http/server.h"

#include <event2/buffer.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>

/* Changes under way at a time; each takes a turn of the main thread. */
#define CHANGES_MAX 16
#define TOKEN_BYTES 16

struct change {
    struct changes *changes;
    struct evhttp_request *request; /* NULL: the server has ended */
    struct task to_main, to_server;
    char user[80];
    struct change_form form;
    int status;
    char text[SERVERS_TEXT_MAX];
    LIST_ENTRY(change) link;
};

struct changes {
    struct http_server *server;
    struct task_queue *main, *tasks;
    struct generation *generation;
    const struct control_events *events;
    char token[2 * TOKEN_BYTES + 1];
    LIST_HEAD(, change) list;
    unsigned count;
};

/* --- the main thread ------------------------------------------------------------------------- */

static void change_server(struct change *change)
{
    struct generation *generation = change->changes->generation;
    enum exit_status status =
        servers_command(generation->proxy, change->form.server, change->form.set, change->text);
    change->status = status == EXIT_DONE ? HTTP_OK : HTTP_BADREQUEST;
}

static void change_frontend(struct change *change)
{
    const struct change_form *form = &change->form;
    const char *set = form->set[0] ? form->set : "nothing";
    enum exit_status status =
        frontends_command(change->changes->generation, form->frontend, set, change->text);
    change->status = status == EXIT_DONE ? HTTP_OK : HTTP_BADREQUEST;
}

static void decide(struct change *change, bool promote)
{
    const struct changes *changes = change->changes;
    const struct requester by = {.user = change->user};
    const char *wrong = promote ? old_side_promote(changes->generation)
                                : changes->events->abort(changes->generation, &by);
    change->status = wrong ? 409 : HTTP_OK;
    snprintf(change->text, sizeof change->text, "%s",
             wrong     ? wrong
             : promote ? "the canary is promoted"
                       : "the reload is called off");
}

static void run_change(void *arg)
{
    struct change *change = arg;
    const struct requester by = {.user = change->user};
    const struct change_form *form = &change->form;
    char who[REQUESTER_TEXT_MAX];
    happening_by(requester_text(&by, who));
    if (strcmp(form->action, "server") == 0)
        change_server(change);
    else if (strcmp(form->action, "frontend") == 0)
        change_frontend(change);
    else
        decide(change, strcmp(form->action, "promote") == 0);
    happening_by(NULL);
    log_notice("status page: user %s: %s %s %s: %s", change->user, form->action,
               form->frontend[0] ? form->frontend : form->server, form->set, change->text);
    task_queue_post(change->changes->tasks, &change->to_server);
}

/* --- the server's thread --------------------------------------------------------------------- */

static void run_reply(void *arg)
{
    struct change *change = arg;
    struct changes *changes = change->changes;
    http_server_say(changes->server, change->request, change->status, change->text);
    LIST_REMOVE(change, link);
    changes->count--;
    free(change);
}

/* NULL, or why the request does not come from the page. */
static const char *judge(const struct changes *changes, struct evhttp_request *request)
{
    const struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
    const char *host = evhttp_find_header(headers, "Host");
    const char *token = evhttp_find_header(headers, "X-CSRF-Token");
    const char *type = evhttp_find_header(headers, "Content-Type");
    if (!origin_host_is_own(host, &changes->generation->config->metrics_hosts))
        return "the page is open under a name that is not allowed to change anything "
               "(metrics-host)";
    if (!origin_is_host(evhttp_find_header(headers, "Origin"), host))
        return "the request does not come from the status page";
    if (!type || strcmp(type, "application/x-www-form-urlencoded") != 0)
        return "the body is not a form";
    if (!token || strlen(token) != strlen(changes->token) ||
        CRYPTO_memcmp(token, changes->token, strlen(token)) != 0)
        return "the token is not that of this process: try again";
    return NULL;
}

static bool read_form(struct change *change)
{
    struct evbuffer *body = evhttp_request_get_input_buffer(change->request);
    const size_t length = evbuffer_get_length(body);
    const char *bytes = (const char *)evbuffer_pullup(body, -1);
    return bytes && form_read_change(bytes, length, &change->form);
}

void changes_add(struct changes *changes, struct evhttp_request *request, const char *user)
{
    const char *wrong = judge(changes, request);
    if (wrong) {
        http_server_say(changes->server, request, 403, wrong);
        return;
    }
    struct change *change = changes->count < CHANGES_MAX ? calloc(1, sizeof *change) : NULL;
    if (!change) {
        http_server_say(changes->server, request, HTTP_SERVUNAVAIL, "too many changes at once");
        return;
    }
    *change = (struct change){.changes = changes,
                              .request = request,
                              .to_main = {.run = run_change, .arg = change},
                              .to_server = {.run = run_reply, .arg = change}};
    snprintf(change->user, sizeof change->user, "%s", user);
    if (!read_form(change)) {
        free(change);
        http_server_say(changes->server, request, HTTP_BADREQUEST, "the form is not understood");
        return;
    }
    LIST_INSERT_HEAD(&changes->list, change, link);
    changes->count++;
    task_queue_post(changes->main, &change->to_main);
}

/* --- the life of it -------------------------------------------------------------------------- */

void changes_drop(struct changes *changes)
{
    struct change *change;
    LIST_FOREACH (change, &changes->list, link)
        change->request = NULL;
}

const char *changes_token(const struct changes *changes)
{
    return changes->token;
}

struct changes *changes_new(struct http_server *server, struct generation *generation,
                            const struct control_events *events)
{
    unsigned char bytes[TOKEN_BYTES];
    struct changes *changes = calloc(1, sizeof *changes);
    if (!changes || getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) {
        free(changes);
        return NULL;
    }
    changes->server = server;
    changes->main = http_server_main(server);
    changes->tasks = http_server_tasks(server);
    changes->generation = generation;
    changes->events = events;
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(changes->token + 2 * i, 3, "%02x", bytes[i]);
    return changes;
}

void changes_free(struct changes *changes)
{
    if (!changes)
        return;
    while (!LIST_EMPTY(&changes->list)) {
        struct change *change = LIST_FIRST(&changes->list);
        task_queue_withdraw(changes->main, &change->to_main);
        LIST_REMOVE(change, link);
        free(change);
    }
    free(changes);
}
