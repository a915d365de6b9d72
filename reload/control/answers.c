#include "reload/control/answers.h"

#include "config/base/happening.h"
#include "reload/control/client.h"
#include "reload/control/done.h"
#include "reload/control/events.h"
#include "reload/control/frontends.h"
#include "reload/control/history.h"
#include "reload/control/reopen.h"
#include "reload/control/running.h"
#include "reload/control/servers.h"
#include "reload/control/sessions.h"
#include "reload/control/status.h"
#include "reload/handover/generation.h"
#include "reload/handover/old_side.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Refuses a reload where the user has named a file, and this process would read another one: the
 * user would read "reloaded", and what the named file says would not be in force. */
static bool refuse_other_file(struct client *client, const json_t *request)
{
    const struct generation *generation = client->generation;
    json_t *asked = json_object_get(request, "file");
    if (running_reads(generation, asked))
        return false;
    json_t *ours = running_file(generation);
    char text[2 * PATH_MAX + 256];
    snprintf(text, sizeof text,
             "pid %d reads %s, which is another file than %s: nothing was done (-s SOCKET reloads "
             "what the process reads; to change the file, start the proxy with it)",
             (int)getpid(), ours ? json_string_value(ours) : generation->file,
             json_string_value(json_object_get(asked, "path")));
    json_decref(ours);
    client_send_result(client, EXIT_OTHER, text);
    return true;
}

/* plan: of a canary, or NULL. */
static void order_reload(struct client *client, const json_t *request, const char *plan,
                         unsigned stored)
{
    struct generation *generation = client->generation;
    struct reload_order order = {.wanted = true,
                                 .stored = stored,
                                 .forced = json_is_true(json_object_get(request, "force"))};
    const char *wrong = plan ? canary_read(plan, &order.canary) : NULL;
    if (wrong) {
        client_send_result(client, EXIT_OTHER, wrong);
        return;
    }
    if (refuse_other_file(client, request))
        return;
    client_wait_for_long(client);
    client->awaits_reload = true; /* before it begins: it may be over at once */
    const struct requester by = client_requester(client);
    requester_text(&by, order.by);
    enum exit_status status = client->events->reload(generation, &order);
    if (status == EXIT_DONE)
        return;
    client->awaits_reload = false;
    client_wait_shortly(client);
    client_send_result(client, status,
                       status == EXIT_BUSY ? "another reload is in progress"
                                           : "this process does not serve any more");
}

static void decide(struct client *client, bool promote)
{
    struct generation *generation = client->generation;
    client_wait_for_long(client);
    client->awaits_reload = promote;
    client->awaits_abort = !promote;
    const struct requester by = client_requester(client);
    const char *wrong =
        promote ? old_side_promote(generation) : client->events->abort(generation, &by);
    if (!wrong)
        return;
    client->awaits_reload = client->awaits_abort = false;
    client_wait_shortly(client);
    client_send_result(client, EXIT_OTHER, wrong);
}

static void answer_server(struct client *client, const json_t *request)
{
    char text[SERVERS_TEXT_MAX], who[REQUESTER_TEXT_MAX];
    const struct requester by = client_requester(client);
    happening_by(requester_text(&by, who));
    enum exit_status status = servers_command(
        client->generation->proxy, json_string_value(json_object_get(request, "server")),
        json_string_value(json_object_get(request, "set")), text);
    happening_by(NULL);
    if (status == EXIT_DONE)
        done_answer(client, text, false);
    else
        client_send_result(client, status, text);
}

static void answer_reload(struct client *client, const json_t *request)
{
    order_reload(client, request, NULL, 0);
}

static void answer_canary(struct client *client, const json_t *request)
{
    const char *plan = json_string_value(json_object_get(request, "plan"));
    order_reload(client, request, plan ? plan : "", 0);
}

static void answer_rollback(struct client *client, const json_t *request)
{
    char text[PATH_MAX + 128];
    json_int_t asked = json_integer_value(json_object_get(request, "generation"));
    unsigned stored = history_choose(client->generation, asked, text, sizeof text);
    if (stored)
        order_reload(client, request, NULL, stored);
    else
        client_send_result(client, EXIT_OTHER, text);
}

static void answer_abort(struct client *client, const json_t *request)
{
    (void)request;
    decide(client, false);
}

static void answer_promote(struct client *client, const json_t *request)
{
    (void)request;
    decide(client, true);
}

static void answer_status(struct client *client, const json_t *request)
{
    (void)request;
    client_send(client, json_pack("{s:o}", "status", status_json(client->generation)));
}

static void answer_config(struct client *client, const json_t *request)
{
    (void)request;
    client_send(client, json_pack("{s:o}", "config", running_json(client->generation)));
}

static void answer_stop(struct client *client, const json_t *request)
{
    (void)request;
    client_wait_for_long(client);
    client_send_result(client, EXIT_DONE, "stopping");
    const struct requester by = client_requester(client);
    client->events->stop(client->generation, &by);
}

static const struct {
    const char *name;
    void (*answer)(struct client *client, const json_t *request);
} commands[] = {
    {"reload", answer_reload},   {"canary", answer_canary},      {"abort", answer_abort},
    {"promote", answer_promote}, {"status", answer_status},      {"server", answer_server},
    {"config", answer_config},   {"stop", answer_stop},          {"rollback", answer_rollback},
    {"reopen", reopen_answer},   {"history", history_answer},    {"sessions", sessions_answer},
    {"events", events_answer},   {"kill", sessions_answer_kill}, {"frontend", frontends_answer},
};

void answer_command(struct client *client, const char *line)
{
    struct generation *generation = client->generation;
    json_t *request = json_loads(line, 0, NULL);
    const char *command = json_string_value(json_object_get(request, "command"));
    client_send(client, json_pack("{s:i, s:i, s:o}", "pid", (int)getpid(), "generation",
                                  (int)generation->number, "file", running_file(generation)));
    size_t i = 0, count = sizeof commands / sizeof *commands;
    while (i < count && !(command && strcmp(commands[i].name, command) == 0))
        i++;
    if (i < count)
        commands[i].answer(client, request);
    else
        client_send_result(client, EXIT_OTHER, "unknown command");
    json_decref(request);
}
