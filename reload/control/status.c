#include "reload/control/status.h"

#include "config/base/clock.h"
#include "config/base/log.h"
#include "config/tls/tls_server.h"
#include "reload/base/text.h"
#include "reload/control/figures_json.h"
#include "reload/control/frontends.h"
#include "reload/control/running.h"
#include "reload/control/servers.h"
#include "reload/handover/canary.h"
#include "reload/handover/generation.h"
#include "reload/handover/message.h"
#include "reload/handover/old_side.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

/* Of sessions. */
static void set_counts(json_t *object, const struct figures *figures)
{
    json_object_set_new(object, "sessions_total", json_integer((json_int_t)figures->sessions));
    json_object_set_new(object, "connect_errors",
                        json_integer((json_int_t)figures->connect_errors));
    json_object_set_new(object, "sessions_failed", json_integer((json_int_t)figures->failed));
    json_object_set_new(object, "sessions_cut", json_integer((json_int_t)figures->cut));
}

static void set_figures(json_t *object, const struct figures *figures)
{
    set_counts(object, figures);
    json_object_set_new(object, "sessions_queued", json_integer((json_int_t)figures->queued));
    json_object_set_new(object, "queue_timeouts", json_integer((json_int_t)figures->queue_timeout));
    json_object_set_new(object, "queue_full", json_integer((json_int_t)figures->queue_full));
    json_object_set_new(object, "sessions_killed", json_integer((json_int_t)figures->killed));
    json_object_set_new(object, "client_bytes", json_integer((json_int_t)figures->client_bytes));
    json_object_set_new(object, "server_bytes", json_integer((json_int_t)figures->server_bytes));
}

/* Adds a canary, and what both sides have counted since it began. */
static void set_canary(json_t *object, const struct new_process_view *view)
{
    if (!view->canary)
        return;
    const struct canary_figures figures = canary_figures(view->canary);
    json_t *canary = json_object(), *predecessor = json_object();
    set_counts(canary, &figures.canary);
    set_counts(predecessor, &figures.predecessor);
    json_object_set_new(
        object, "canary",
        json_pack("{s:i, s:i, s:f, s:b, s:I, s:o, s:o}", "generation", (int)view->generation, "pid",
                  (int)view->pid, "percent", view->plan.share * 100.0 / CANARY_WHOLE, "by_source",
                  view->plan.by_source, "left_ms", (json_int_t)canary_left(view->canary), "canary",
                  canary, "predecessor", predecessor));
}

static json_t *milliseconds(uint64_t from, uint64_t to)
{
    return json_integer((json_int_t)(to > from ? to - from : 0));
}

/* Adds to a generation what is known of its configuration and of the end of its drain. */
static void set_plan(json_t *object, uint64_t config_hash, uint64_t deadline, uint64_t now)
{
    char hash[HASH_TEXT_MAX];
    if (config_hash)
        json_object_set_new(object, "config_hash", json_string(hash_text(config_hash, hash)));
    if (deadline == UINT64_MAX)
        json_object_set_new(object, "closes_in_ms", json_null());
    else if (deadline)
        json_object_set_new(object, "closes_in_ms", milliseconds(now, deadline));
}

/* Adds how long the oldest of the sessions has lasted; began: 0 if it is not known. */
static void set_oldest(json_t *object, uint64_t began, uint64_t now)
{
    if (began)
        json_object_set_new(object, "oldest_ms", milliseconds(began / 1000, now));
}

/* Frontends that have sessions: a generation may have some that this one does not know any more. */
static json_t *sessions_by_frontend(const struct stats *stats, uint64_t now)
{
    json_t *list = json_array();
    for (size_t i = 0; i < stats->as.frontends; i++) {
        unsigned live = stats_frontend_live(stats, i);
        size_t length;
        const char *name = stats_frontend_name(stats, i, &length);
        if (!live)
            continue;
        json_t *item =
            json_pack("{s:o, s:I}", "name", text_json(name, length), "sessions", (json_int_t)live);
        set_oldest(item, stats_oldest(stats, i), now);
        json_array_append_new(list, item);
    }
    return list;
}

/* Of all frontends, and of those that are gone. */
static uint64_t oldest_of_all(const struct stats *stats)
{
    uint64_t oldest = 0;
    for (size_t i = 0; i <= stats->as.frontends; i++) {
        uint64_t began = stats_oldest(stats, i);
        if (began && (oldest == 0 || began < oldest))
            oldest = began;
    }
    return oldest;
}

/* What is known of a generation apart from its shared stats. */
struct account {
    uint64_t sessions; /* counts where there is no shared stats */
    uint64_t config_hash, deadline;
};

static void add_generation(json_t *list, unsigned number, pid_t pid, const char *state,
                           struct account known, const struct stats *stats, uint64_t now)
{
    json_t *object =
        json_pack("{s:i, s:i, s:s, s:I}", "generation", (int)number, "pid", (int)pid, "state",
                  state, "sessions", (json_int_t)(stats ? stats_live(stats) : known.sessions));
    if (object && stats) {
        struct figures figures = {0};
        stats_add_workers(stats, &figures);
        json_object_set_new(object, "age_ms", milliseconds(stats->as.started_at, now));
        set_oldest(object, oldest_of_all(stats), now);
        json_object_set_new(object, "frontends", sessions_by_frontend(stats, now));
        set_figures(object, &figures);
        json_object_set_new(object, "sessions_tls",
                            json_integer((json_int_t)(figures.tls_begun - figures.tls_ended)));
    }
    if (object)
        set_plan(object, known.config_hash, known.deadline, now);
    json_array_append_new(list, object);
}

static const struct stats *stats_of(const struct generation *generation, unsigned number, pid_t pid)
{
    const struct peer *peer = peer_stats_find(&generation->peer_stats, number, pid);
    return peer ? &peer->stats : NULL;
}

/* Some channel leads to it. */
static bool is_at_hand(const struct generation *generation, const struct stats_head *head)
{
    pid_t pid = (pid_t)head->pid;
    const struct draining_process *draining_process;
    TAILQ_FOREACH (draining_process, &generation->draining_processes.list, link)
        if (draining_process->generation == head->generation && draining_process->pid == pid)
            return true;
    if ((pid_t)generation->predecessor.pid == pid)
        return true;
    struct new_process_view successor;
    return old_side_view(generation->old_side, &successor) && successor.pid == pid;
}

static json_t *generations(const struct generation *generation)
{
    const uint64_t now = clock_ms(); /* one for all, so that their ages can be compared */
    json_t *list = json_array();
    const struct peer *peer;
    TAILQ_FOREACH (peer, &generation->peer_stats.list, link) {
        const struct stats_head *head = &peer->stats.as;
        if (!peer->gone && !is_at_hand(generation, head))
            add_generation(list, head->generation, (pid_t)head->pid, "draining",
                           (struct account){0}, &peer->stats, now);
    }
    const struct draining_process *draining_process;
    TAILQ_FOREACH (draining_process, &generation->draining_processes.list, link)
        add_generation(list, draining_process->generation, draining_process->pid, "draining",
                       (struct account){draining_process->sessions, draining_process->config_hash,
                                        draining_process->deadline},
                       stats_of(generation, draining_process->generation, draining_process->pid),
                       now);
    const struct message_sessions *before = &generation->predecessor;
    if (before->pid != 0)
        add_generation(
            list, before->generation, (pid_t)before->pid,
            generation_state_name(before->standby ? GENERATION_PROBATION : GENERATION_LINGERING),
            (struct account){before->sessions, before->config_hash, before->deadline},
            stats_of(generation, before->generation, (pid_t)before->pid), now);
    add_generation(
        list, generation->number, getpid(), generation_state_name(generation->state),
        (struct account){0, generation->config_hash, generation->events->deadline(generation)},
        &generation->proxy->stats, now);
    struct new_process_view successor;
    if (old_side_view(generation->old_side, &successor))
        add_generation(list, successor.generation, successor.pid, successor.state,
                       (struct account){0},
                       stats_of(generation, successor.generation, successor.pid), now);
    return list;
}

static const char *handover_name(enum bind_way way)
{
    static const char *const names[] = {[BIND_STEER] = "steer",
                                        [BIND_PASS] = "pass",
                                        [BIND_RENAME] = "rename",
                                        [BIND_ANEW] = "anew"};
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

/* Clients that were refused, all together and by reason, in all processes so far. */
static void set_refusals(json_t *object, const struct refusals *refusals)
{
    static const char *const names[] = {
        [REFUSED_BY_LIST] = "list",     [REFUSED_SESSIONS] = "source_limit",
        [REFUSED_RATE] = "source_rate", [REFUSED_OVERLIMIT] = "over_limit",
        [REFUSED_BY_ROUTE] = "route",   [REFUSED_HEADER] = "proxy_header"};
    json_t *by = json_object();
    uint64_t all = 0;
    for (unsigned i = 0; i < REFUSALS; i++) {
        all += refusals->by[i];
        json_object_set_new(by, names[i], json_integer((json_int_t)refusals->by[i]));
    }
    json_object_set_new(object, "denied", json_integer((json_int_t)all));
    json_object_set_new(object, "denied_by", by);
}

/* The table of sources of this process. */
static void set_sources(json_t *status, const struct proxy *proxy)
{
    if (!proxy->service.sources)
        return;
    const struct sources_figures figures = sources_figures(proxy->service.sources);
    unsigned frontends_in_it = 0;
    for (size_t i = 0; i < proxy->service.config->frontend_count; i++)
        frontends_in_it += proxy->service.config->frontends[i].max_rate.count > 0;
    json_object_set_new(status, "sources",
                        json_pack("{s:I, s:I, s:I}", "max",
                                  (json_int_t)proxy->service.config->max_sources, "live",
                                  (json_int_t)(figures.live - frontends_in_it), "uncounted",
                                  (json_int_t)figures.uncounted));
}

static json_t *frontends(const struct generation *generation, const struct tally_sums *sums)
{
    json_t *list = json_array();
    for (size_t i = 0; i < generation->config->frontend_count; i++) {
        const struct frontend_conf *conf = &generation->config->frontends[i];
        const struct refusals refusals = peer_stats_refusals(&generation->peer_stats, i);
        json_t *object = json_pack("{s:s, s:s?, s:I, s:I}", "name", conf->name, "backend",
                                   conf->backend ? conf->backend->name : NULL, "sessions",
                                   (json_int_t)peer_stats_frontend_live(&generation->peer_stats, i),
                                   "max_sessions", (json_int_t)conf->max_sessions);
        figures_json_frontend(object, &sums->frontends[i]);
        if (object) {
            frontends_json_pause(object, generation, i);
            set_refusals(object, &refusals);
        }
        json_array_append_new(list, object);
    }
    return list;
}

/* What clients are met with, by frontend, in the order of the file. */
static json_t *certificates_json(const struct config *config)
{
    json_t *list = json_array();
    for (size_t i = 0; i < config->frontend_count; i++) {
        const struct tls_server *server = config->frontends[i].tls_server;
        for (size_t j = 0; server && j < tls_server_count(server); j++) {
            const struct certificate *one = tls_server_certificate(server, j);
            json_t *names = json_array();
            for (size_t k = 0; k < one->names.count; k++)
                json_array_append_new(names,
                                      text_json(one->names.list[k], strlen(one->names.list[k])));
            json_array_append_new(
                list, json_pack("{s:s, s:o, s:o, s:o, s:s, s:I, s:I}", "frontend",
                                config->frontends[i].name, "file",
                                text_json(one->path, strlen(one->path)), "names", names, "subject",
                                text_json(one->subject, strlen(one->subject)), "key", one->key_type,
                                "begins_at", (json_int_t)one->not_before, "expires_at",
                                (json_int_t)one->not_after));
        }
    }
    return list;
}

json_t *status_json(const struct generation *generation)
{
    if (!generation->proxy || !generation->binds)
        return json_pack("{s:i, s:s}", "pid", (int)getpid(), "state",
                         generation_state_name(generation->state));
    struct tally_sums sums;
    if (peer_stats_tally(&generation->peer_stats, &sums)) {
        tally_sums_close(&sums);
        return NULL;
    }
    json_t *gone = json_object();
    json_t *status = json_pack("{s:i, s:i, s:s, s:s, s:o, s:i, s:I, s:I, s:o, s:o, s:o, s:o}",
                               "pid", (int)getpid(), "generation", (int)generation->number, "state",
                               generation_state_name(generation->state), "version", RPPROXY_VERSION,
                               "file", text_json(generation->file, strlen(generation->file)),
                               "workers", (int)generation->workers, "uptime_ms",
                               (json_int_t)(clock_ms() - generation->started_at), "sessions",
                               (json_int_t)peer_stats_live(&generation->peer_stats), "generations",
                               generations(generation), "gone", gone, "frontends",
                               frontends(generation, &sums), "binds", binds_json(generation));
    if (status) {
        const struct figures all = peer_stats_figures(&generation->peer_stats),
                             base = peer_stats_base(&generation->peer_stats);
        set_figures(status, &all);
        set_figures(gone, &base);
        json_object_set_new(status, "backends", servers_json(generation->proxy, &sums));
        json_object_set_new(status, "log_dropped", json_integer((json_int_t)log_dropped()));
        json_object_set_new(status, "certificates", certificates_json(generation->config));
        set_sources(status, generation->proxy);
        struct new_process_view successor;
        if (old_side_view(generation->old_side, &successor))
            set_canary(status, &successor);
        char hash[HASH_TEXT_MAX];
        if (generation->config_hash)
            json_object_set_new(status, "config_hash",
                                json_string(hash_text(generation->config_hash, hash)));
    }
    tally_sums_close(&sums);
    if (status)
        json_object_set_new(status, "at", json_integer((json_int_t)time(NULL)));
    if (status && generation->proxy)
        json_object_set_new(status, "max_sessions",
                            json_integer((json_int_t)generation->proxy->max_sessions));
    if (status && generation->last_crash.at)
        json_object_set_new(status, "last_crash", crash_json(&generation->last_crash));
    const struct reload_result *reload = &generation->last_reload;
    if (status && reload->any)
        json_object_set_new(status, "last_reload",
                            json_pack("{s:i, s:i, s:I, s:I, s:o}", "generation",
                                      (int)reload->generation, "exit", (int)reload->status, "at",
                                      (json_int_t)reload->at, "took_ms",
                                      (json_int_t)reload->duration, "result",
                                      text_json(reload->text, strlen(reload->text))));
    return status;
}
