#include "reload/status.h"

#include "reload/clock.h"
#include "reload/handover.h"
#include "reload/message.h"
#include "reload/servers.h"
#include "reload/succession.h"
#include "reload/text.h"

#include <string.h>
#include <unistd.h>

static json_t *generation_json(unsigned number, pid_t pid, const char *state, uint64_t sessions)
{
    return json_pack("{s:i, s:i, s:s, s:I}", "generation", (int)number, "pid", (int)pid, "state",
                     state, "sessions", (json_int_t)sessions);
}

static json_t *generations(const struct generation *generation, uint64_t live)
{
    json_t *list = json_array();
    const struct elder *elder;
    TAILQ_FOREACH (elder, &generation->elders.list, link)
        json_array_append_new(
            list, generation_json(elder->generation, elder->pid, "draining", elder->sessions));
    struct message_sessions before;
    if (succession_predecessor(generation->succession, &before))
        json_array_append_new(list, generation_json(before.generation, (pid_t)before.pid,
                                                    "lingering", before.sessions));
    json_array_append_new(list, generation_json(generation->number, getpid(),
                                                generation_state_name(generation->state), live));
    if (handover_pending(generation->handover))
        json_array_append_new(list,
                              generation_json(generation->number + 1,
                                              handover_pid(generation->handover), "starting", 0));
    return list;
}

static const char *handover_name(enum bind_way way)
{
    static const char *const names[] = {
        [BIND_STEER] = "steer", [BIND_PASS] = "pass", [BIND_RENAME] = "rename"};
    return names[way];
}

static json_t *binds_json(const struct generation *generation)
{
    json_t *list = json_array();
    for (size_t i = 0; i < generation->binds->count; i++) {
        const struct bound *bound = &generation->binds->list[i];
        json_array_append_new(
            list, json_pack("{s:o, s:s, s:i, s:s}", "address",
                            text_json(bound->conf->text, strlen(bound->conf->text)), "frontend",
                            generation->config->frontends[bound->frontend].name, "listeners",
                            (int)bound->sockets, "handover", handover_name(bound->way)));
    }
    return list;
}

static json_t *frontends(const struct generation *generation)
{
    json_t *list = json_array();
    for (size_t i = 0; i < generation->config->frontend_count; i++) {
        const struct frontend *frontend = &generation->proxy->frontends[i];
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:I, s:I}", "name", frontend->conf->name,
                                        "backend", frontend->conf->backend->name, "sessions",
                                        (json_int_t)atomic_load(&frontend->sessions.used),
                                        "max_sessions", (json_int_t)frontend->conf->max_sessions));
    }
    return list;
}

json_t *status_json(const struct generation *generation)
{
    if (!generation->proxy || !generation->binds)
        return json_pack("{s:i, s:s}", "pid", (int)getpid(), "state",
                         generation_state_name(generation->state));
    const struct proxy_totals totals = proxy_totals(generation->proxy);
    json_t *status = json_pack(
        "{s:i, s:i, s:s, s:s, s:o, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "pid",
        (int)getpid(), "generation", (int)generation->number, "state",
        generation_state_name(generation->state), "version", RPPROXY_VERSION, "file",
        text_json(generation->file, strlen(generation->file)), "workers", (int)generation->workers,
        "uptime_ms", (json_int_t)(clock_ms() - generation->started_at), "sessions",
        (json_int_t)totals.live, "sessions_total", (json_int_t)totals.sessions, "connect_errors",
        (json_int_t)totals.connect_errors, "sessions_failed", (json_int_t)totals.failed,
        "client_bytes", (json_int_t)totals.client_bytes, "server_bytes",
        (json_int_t)totals.server_bytes, "generations", generations(generation, totals.live),
        "frontends", frontends(generation), "binds", binds_json(generation));
    if (status)
        json_object_set_new(status, "backends", servers_json(generation->proxy));
    if (status && generation->last_reload.any)
        json_object_set_new(status, "last_reload",
                            json_pack("{s:i, s:I, s:I}", "exit",
                                      (int)generation->last_reload.status, "at",
                                      (json_int_t)generation->last_reload.at, "took_ms",
                                      (json_int_t)generation->last_reload.duration));
    return status;
}
