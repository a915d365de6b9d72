#include "reload/metrics/snapshot.h"

#include "config/base/clock.h"
#include "config/base/log.h"
#include "config/tls/tls_server.h"
#include "proxy/backend/queue.h"
#include "reload/base/exit_status.h"
#include "reload/handover/canary.h"
#include "reload/handover/generation.h"
#include "reload/handover/old_side.h"

#include <stdlib.h>
#include <string.h>

static size_t certificates_of(const struct frontend_conf *frontend)
{
    return frontend->tls_server ? tls_server_count(frontend->tls_server) : 0;
}

static const char *name_of(const struct certificate *certificate)
{
    return certificate->names.count > 0 ? certificate->names.list[0] : certificate->subject;
}

static size_t size_of_certificates(const struct frontend_conf *frontend)
{
    size_t size = 0;
    for (size_t i = 0; i < certificates_of(frontend); i++) {
        const struct certificate *certificate = tls_server_certificate(frontend->tls_server, i);
        size += strlen(certificate->path) + strlen(name_of(certificate)) + 2;
    }
    return size;
}

/* Names of at most this size in all. */
static size_t size_of_texts(const struct proxy *proxy)
{
    const struct config *config = proxy->service.config;
    size_t size = 0;
    for (size_t i = 0; i < config->frontend_count; i++)
        size += strlen(config->frontends[i].name) + 1 + size_of_certificates(&config->frontends[i]);
    for (size_t i = 0; i < config->backend_count; i++) {
        const struct server_set *set = backend_servers(&proxy->service.backends[i]);
        size += strlen(config->backends[i].name) + 1;
        for (size_t j = 0; j < set->count; j++)
            size += strlen(set->list[j]->name) + 1;
    }
    return size;
}

/* Copies a text to *at, which goes behind it. */
static const char *keep(char **at, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = memcpy(*at, text, size);
    *at += size;
    return copy;
}

static struct metrics_server server_now(const struct server *server, const struct tally_sums *sums,
                                        char **texts)
{
    unsigned maxconn = server->seat ? atomic_load(&server->seat->record->maxconn) : LIMIT_NONE;
    return (struct metrics_server){.name = keep(texts, server->name),
                                   .figures = sums->servers[server->record],
                                   .events = sums->events[server->record],
                                   .maxconn = maxconn == LIMIT_NONE ? 0 : maxconn,
                                   .admin = server_admin_name(server->now.admin),
                                   .check = server_check_name(server),
                                   .is_checked = strcmp(server_check_name(server), "off") != 0,
                                   .check_up = server->now.check == CHECK_UP,
                                   .usable = server_share(server) > 0,
                                   .ejected = ejection_holds(&server->now.ejection),
                                   .backup = server->now.backup,
                                   .weight = server->now.weight,
                                   .changed_at = server->now.changed_at};
}

static bool speaks_tls(const struct backend_conf *conf)
{
    for (size_t i = 0; i < conf->server_count; i++)
        if (conf->servers[i].tls)
            return true;
    return false;
}

static bool collect_backend(const struct backend *backend, const struct tally_sums *sums,
                            struct metrics_backend *item, char **texts)
{
    const struct server_set *set = backend_servers(backend);
    *item = (struct metrics_backend){.name = keep(texts, backend->conf->name),
                                     .figures = sums->backends[backend->number],
                                     .usable = backend->usable,
                                     .all = set->count,
                                     .has_tls = speaks_tls(backend->conf),
                                     .has_queue = backend->queue != NULL};
    if (backend->queue) {
        item->waiting = pool_waiting(&backend->queue->pool);
        item->max_waiting = backend->conf->max_queue;
    }
    item->servers = calloc(set->count + 1, sizeof *item->servers);
    if (!item->servers)
        return false;
    item->server_count = set->count;
    for (size_t i = 0; i < set->count; i++) {
        item->servers[i] = server_now(set->list[i], sums, texts);
        item->live += item->servers[i].figures.live;
        item->figures.bytes_in += item->servers[i].figures.bytes_in;
        item->figures.bytes_out += item->servers[i].figures.bytes_out;
        item->figures.sessions += item->servers[i].figures.sessions;
    }
    return true;
}

static bool collect_certificates(const struct config *config, struct metrics_snapshot *snapshot,
                                 char **texts)
{
    size_t count = 0;
    for (size_t i = 0; i < config->frontend_count; i++)
        count += certificates_of(&config->frontends[i]);
    snapshot->certificates = calloc(count + 1, sizeof *snapshot->certificates);
    if (!snapshot->certificates)
        return false;
    for (size_t i = 0; i < config->frontend_count; i++)
        for (size_t j = 0; j < certificates_of(&config->frontends[i]); j++) {
            const struct certificate *certificate =
                tls_server_certificate(config->frontends[i].tls_server, j);
            snapshot->certificates[snapshot->certificate_count++] = (struct metrics_certificate){
                .frontend = snapshot->frontends[i].name,
                .file = keep(texts, certificate->path),
                .name = keep(texts, name_of(certificate)),
                .expires_at = certificate->not_after > 0 ? (uint64_t)certificate->not_after : 0};
        }
    return true;
}

static bool collect_parts(const struct generation *generation, const struct tally_sums *sums,
                          struct metrics_snapshot *snapshot)
{
    const struct config *config = generation->proxy->service.config;
    snapshot->frontends = calloc(config->frontend_count + 1, sizeof *snapshot->frontends);
    snapshot->backends = calloc(config->backend_count + 1, sizeof *snapshot->backends);
    snapshot->texts = malloc(size_of_texts(generation->proxy) + 1);
    if (!snapshot->frontends || !snapshot->backends || !snapshot->texts)
        return false;
    char *texts = snapshot->texts;
    for (size_t i = 0; i < config->frontend_count; i++)
        snapshot->frontends[snapshot->frontend_count++] = (struct metrics_frontend){
            .name = keep(&texts, config->frontends[i].name),
            .live = peer_stats_frontend_live(&generation->peer_stats, i),
            .max_sessions = config->frontends[i].max_sessions,
            .paused = atomic_load(&generation->proxy->service.frontends[i].paused_at) > 0,
            .figures = sums->frontends[i],
            .has_tls = config->frontends[i].tls_server,
            .refusals = peer_stats_refusals(&generation->peer_stats, i)};
    for (size_t i = 0; i < config->backend_count; i++)
        if (!collect_backend(&generation->proxy->service.backends[i], sums,
                             &snapshot->backends[snapshot->backend_count++], &texts))
            return false;
    return collect_certificates(config, snapshot, &texts);
}

/* Frontends, backends, servers and certificates. */
static bool collect_all(const struct generation *generation, struct metrics_snapshot *snapshot)
{
    struct tally_sums sums;
    bool done = peer_stats_tally(&generation->peer_stats, &sums) == 0 &&
                collect_parts(generation, &sums, snapshot);
    snapshot->reloads = sums.reloads;
    snapshot->reload_count = sums.reloads.results[EXIT_DONE];
    tally_sums_close(&sums);
    return done;
}

static const char *name_of_result(enum exit_status status)
{
    const char *name = metrics_result_name((unsigned)status);
    return name ? name : metrics_result_name(EXIT_OTHER);
}

static void collect_canary(const struct generation *generation, struct metrics_canary *canary)
{
    struct new_process_view view;
    if (!old_side_view(generation->old_side, &view) || !view.canary)
        return;
    const struct canary_figures figures = canary_figures(view.canary);
    *canary = (struct metrics_canary){.any = true,
                                      .left = canary_left(view.canary),
                                      .share = (uint64_t)view.plan.share * 10000 / CANARY_WHOLE,
                                      .canary = figures.canary,
                                      .predecessor = figures.predecessor};
}

/* What generations before this one still have to do. */
static void collect_drain(const struct generation *generation, struct metrics_snapshot *snapshot)
{
    const uint64_t now = clock_ms();
    const struct draining_process *process;
    TAILQ_FOREACH (process, &generation->draining_processes.list, link) {
        const struct peer *peer =
            peer_stats_find(&generation->peer_stats, process->generation, process->pid);
        snapshot->drains = true;
        snapshot->draining += peer ? stats_live(&peer->stats) : process->sessions;
        if (process->deadline == 0 || process->deadline == UINT64_MAX)
            continue;
        uint64_t left = process->deadline > now ? process->deadline - now : 0;
        snapshot->drain_ends = true;
        if (snapshot->drain_left < left)
            snapshot->drain_left = left;
    }
}

/* Processes that live, this one among them. */
static unsigned count_generations(const struct generation *generation)
{
    unsigned count = 1;
    const struct peer *peer;
    TAILQ_FOREACH (peer, &generation->peer_stats.list, link)
        count += !peer->gone;
    return count;
}

struct metrics_snapshot *metrics_collect(const struct generation *generation)
{
    struct metrics_snapshot *snapshot = generation->proxy ? calloc(1, sizeof *snapshot) : NULL;
    if (!snapshot)
        return NULL;
    const struct reload_result *reload = &generation->last_reload;
    *snapshot = (struct metrics_snapshot){.version = RPPROXY_VERSION,
                                          .generation = generation->number,
                                          .workers = generation->workers,
                                          .state = generation_state_name(generation->state),
                                          .generations = count_generations(generation),
                                          .live = peer_stats_live(&generation->peer_stats),
                                          .max_sessions = generation->config->max_sessions,
                                          .figures = peer_stats_figures(&generation->peer_stats),
                                          .reloaded = reload->any,
                                          .reload_result = name_of_result(reload->status),
                                          .reload_at = reload->at,
                                          .reload_duration = reload->duration,
                                          .crashed_at = generation->last_crash.at,
                                          .log_dropped = log_dropped(),
                                          .server_series = generation->config->metrics_servers};
    collect_canary(generation, &snapshot->canary);
    collect_drain(generation, snapshot);
    if (!collect_all(generation, snapshot)) {
        metrics_free(snapshot);
        return NULL;
    }
    return snapshot;
}

void metrics_free(struct metrics_snapshot *snapshot)
{
    if (!snapshot)
        return;
    for (size_t i = 0; i < snapshot->backend_count; i++)
        free(snapshot->backends[i].servers);
    free(snapshot->backends);
    free(snapshot->frontends);
    free(snapshot->certificates);
    free(snapshot->texts);
    free(snapshot);
}

const char *metrics_result_name(unsigned status)
{
    static const char *const names[] = {
        [EXIT_DONE] = "done",    [EXIT_OTHER] = "other",     [EXIT_INVALID] = "invalid",
        [EXIT_BIND] = "no-bind", [EXIT_REFUSED] = "refused", [EXIT_FAILED] = "failed"};
    return status < sizeof names / sizeof *names ? names[status] : NULL;
}
