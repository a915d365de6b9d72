#include "reload/control/frontends.h"

#include "config/base/happening.h"
#include "config/syntax/suggest.h"
#include "reload/base/text.h"
#include "reload/control/client.h"
#include "reload/control/done.h"
#include "reload/handover/generation.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* The number of the frontend in the configuration. False: there is none. */
static bool find(const struct generation *generation, const char *name, size_t *index,
                 char text[static FRONTENDS_TEXT_MAX])
{
    const struct config *config = generation->config;
    char hint[SUGGEST_TEXT_MAX];
    struct suggestion suggestion = suggest_begin(name);
    for (*index = 0; *index < config->frontend_count; ++*index) {
        if (strcmp(config->frontends[*index].name, name) == 0)
            return true;
        suggest_offer(&suggestion, config->frontends[*index].name);
    }
    snprintf(text, FRONTENDS_TEXT_MAX, "there is no frontend '%s'%s", name,
             suggest_text(&suggestion, hint));
    return false;
}

static uint64_t paused_at(const struct generation *generation, size_t frontend)
{
    return atomic_load(&generation->proxy->service.frontends[frontend].paused_at);
}

static void say_state(const struct generation *generation, size_t frontend,
                      char text[static FRONTENDS_TEXT_MAX])
{
    const char *name = generation->config->frontends[frontend].name;
    char sessions[SESSIONS_TEXT_MAX], waiting[64] = "";
    int count = binds_waiting(generation->binds, frontend);
    bool paused = paused_at(generation, frontend) > 0;
    if (paused && count >= 0)
        snprintf(waiting, sizeof waiting, ", %d client%s wait%s in the backlog", count,
                 count == 1 ? "" : "s", count == 1 ? "s" : "");
    snprintf(text, FRONTENDS_TEXT_MAX, "%.512s: %s%s, %s", name, paused ? "paused" : "accepting",
             waiting,
             sessions_text(peer_stats_frontend_live(&generation->peer_stats, frontend), sessions));
}

enum exit_status frontends_command(const struct generation *generation, const char *name,
                                   const char *set, char text[static FRONTENDS_TEXT_MAX])
{
    size_t index;
    if (!find(generation, name ? name : "", &index, text))
        return EXIT_OTHER;
    if (set && strcmp(set, "pause") == 0) {
        proxy_pause(generation->proxy, index, (uint64_t)time(NULL));
    } else if (set && strcmp(set, "resume") == 0) {
        proxy_pause(generation->proxy, index, 0);
    } else if (set) {
        snprintf(text, FRONTENDS_TEXT_MAX, "'%s' must be pause or resume", set);
        return EXIT_OTHER;
    }
    say_state(generation, index, text);
    return EXIT_DONE;
}

void frontends_json_pause(json_t *object, const struct generation *generation, size_t frontend)
{
    uint64_t at = paused_at(generation, frontend);
    int waiting = at ? binds_waiting(generation->binds, frontend) : -1;
    json_object_set_new(object, "paused", json_boolean(at > 0));
    json_object_set_new(object, "paused_at", at ? json_integer((json_int_t)at) : json_null());
    json_object_set_new(object, "waiting", waiting < 0 ? json_null() : json_integer(waiting));
}

void frontends_answer(struct client *client, const json_t *request)
{
    char text[FRONTENDS_TEXT_MAX], who[REQUESTER_TEXT_MAX];
    const struct requester by = client_requester(client);
    happening_by(requester_text(&by, who));
    enum exit_status status = frontends_command(
        client->generation, json_string_value(json_object_get(request, "frontend")),
        json_string_value(json_object_get(request, "set")), text);
    happening_by(NULL);
    if (status == EXIT_DONE)
        done_answer(client, text, true);
    else
        client_send_result(client, status, text);
}
