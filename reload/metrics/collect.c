#include "reload/metrics/snapshot.h"

#include "proxy/backend/queue.h"
#include "reload/handover/canary.h"
#include "reload/handover/generation.h"
#include "reload/handover/old_side.h"

#include <stdlib.h>
#include <string.h>

/* Names of at most this size in all. */
static size_t size_of_texts(const struct proxy *proxy)
{
    const struct config *config = proxy->service.config;
    size_t size = 0;
    for (size_t i = 0; i < config->frontend_count; i++)
        size += strlen(config->frontends[i].name) + 1;
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

static struct metrics_server server_now(const struct server *server, char **texts)
{
    const struct server_sessions sessions = server_count_sessions(server);
    unsigned maxconn = server->seat ? atomic_load(&server->seat->record->maxconn) : LIMIT_NONE;
    return (struct metrics_server){.name = keep(texts, server->name),
                                   .live = sessions.live,
                                   .sessions = sessions.all,
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

static bool collect_backend(const struct backend *backend, struct metrics_backend *item,
                            char **texts)
{
    const struct server_set *set = backend_servers(backend);
    *item = (struct metrics_backend){.name = keep(texts, backend->conf->name),
                                     .usable = backend->usable,
                                     .all = set->count,
                                     .has_queue = backend->queue != NULL};
    if (backend->queue)
        item->waiting = pool_waiting(&backend->queue->pool);
    item->servers = calloc(set->count + 1, sizeof *item->servers);
    if (!item->servers)
        return false;
    item->server_count = set->count;
    for (size_t i = 0; i < set->count; i++)
        item->servers[i] = server_now(set->list[i], texts);
    return true;
}

static bool collect_parts(const struct generation *generation, struct metrics_snapshot *snapshot)
{
    const struct config *config = generation->proxy->service.config;
    snapshot->frontends = calloc(config->frontend_count + 1, sizeof *snapshot->frontends);
    snapshot->backends = calloc(config->backend_count + 1, sizeof *snapshot->backends);
    snapshot->texts = malloc(size_of_texts(generation->proxy) + 1);
    if (!snapshot->frontends || !snapshot->backends || !snapshot->texts)
        return false;
    char *texts = snapshot->texts;
    for (size_t i = 0; i < config->frontend_count; i++)
        snapshot->frontends[snapshot->frontend_count++] =
            (struct metrics_frontend){.name = keep(&texts, config->frontends[i].name),
                                      .live = peer_stats_frontend_live(&generation->peer_stats, i),
                                      .max_sessions = config->frontends[i].max_sessions,
                                      .refusals = peer_stats_refusals(&generation->peer_stats, i)};
    for (size_t i = 0; i < config->backend_count; i++)
        if (!collect_backend(&generation->proxy->service.backends[i],
                             &snapshot->backends[snapshot->backend_count++], &texts))
            return false;
    return true;
}

static const char *result_name(enum exit_status status)
{
    switch (status) {
    case EXIT_DONE:
        return "done";
    case EXIT_INVALID:
        return "invalid";
    case EXIT_BIND:
        return "no-bind";
    case EXIT_REFUSED:
        return "refused";
    case EXIT_FAILED:
        return "failed";
    default:
        return "other";
    }
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
                                          .reload_result = result_name(reload->status),
                                          .reload_at = reload->at,
                                          .reload_duration = reload->duration,
                                          .crashed_at = generation->last_crash.at,
                                          .server_series = true};
    collect_canary(generation, &snapshot->canary);
    if (!collect_parts(generation, snapshot)) {
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
    free(snapshot->texts);
    free(snapshot);
}
