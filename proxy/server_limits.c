#include "proxy/server_limits.h"

#include "proxy/backend/queue.h"
#include "proxy/core/limit_shares.h"

#include <stdlib.h>

/* What others say of one server. */
struct views {
    struct share_view *list;
    size_t count;
    unsigned maxconn; /* of the youngest process */
    unsigned youngest;
    enum stats_role role; /* of that process */
};

/* The claim is read before the count: a place that is taken before the claim falls is counted. */
static struct share_view view_of(const struct stats_server *record)
{
    struct share_view view = {.claim = atomic_load(&record->claim)};
    view.used = atomic_load(&record->sessions.used);
    view.wanted = atomic_load(&record->wanted);
    view.accepts = atomic_load(&record->role) != STATS_RETIRED;
    return view;
}

/* Older processes first: a session that moves to a younger one is counted there before it is gone
 * from here, so that it is seen at least once. */
static void look_at(struct views *views, const struct seat *seat, const struct limits_peer *peers,
                    size_t count, size_t guess)
{
    views->count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct stats_server *record =
            stats_find_server(peers[i].stats, seat->record->key, guess);
        if (!record)
            continue;
        struct share_view *view = &views->list[views->count++];
        *view = view_of(record);
        view->elder = peers[i].elder;
        unsigned generation = peers[i].stats->as.generation;
        if (!view->elder && generation >= views->youngest) {
            views->youngest = generation;
            views->maxconn = atomic_load(&record->maxconn);
            views->role = (enum stats_role)atomic_load(&record->role);
        }
    }
}

/* Whether all processes that may have a claim are known. A process that accepts knows all: the
 * older ones from its start, and it launches the younger ones itself. */
static bool knows_all(const struct proxy *proxy, const struct views *views)
{
    return proxy->accepts_clients || views->youngest == 0 || views->role == STATS_ALONE;
}

static void raise_share(struct proxy *proxy, struct queue *queue, struct seat *seat,
                        const struct limits_peer *peers, size_t count, size_t guess,
                        struct views *views, unsigned limit, unsigned target)
{
    struct stats_server *record = seat->record;
    unsigned before = atomic_load(&record->sessions.max);
    atomic_store(&record->claim, target);
    look_at(views, seat, peers, count, guess);
    unsigned ceiling = share_ceiling(limit, views->list, views->count);
    if (!knows_all(proxy, views))
        ceiling = before;
    if (target > ceiling)
        target = ceiling;
    if (target < before)
        target = before;
    atomic_store(&record->claim, target);
    queue_allow(queue, seat, target);
}

static void share(struct proxy *proxy, struct queue *queue, struct seat *seat,
                  const struct limits_peer *peers, size_t count, size_t guess, struct views *views)
{
    struct stats_server *record = seat->record;
    unsigned limit = atomic_load(&record->maxconn);
    views->youngest = 0;
    views->role = STATS_RETIRED;
    views->maxconn = limit;
    look_at(views, seat, peers, count, guess);
    limit = views->maxconn;
    seat->others = 0;
    for (size_t i = 0; i < views->count; i++)
        seat->others += views->list[i].used;
    if (limit == LIMIT_NONE) {
        atomic_store(&record->claim, 0);
        queue_allow(queue, seat, limit);
        return;
    }
    unsigned wanted = pool_waiting(&queue->pool) ? pool_wanting(&queue->pool, &seat->member) : 0;
    if (atomic_load(&record->wanted) != wanted)
        atomic_store(&record->wanted, wanted);
    struct share_view own = view_of(record);
    own.accepts = proxy->accepts_clients;
    unsigned target = share_target(limit, &own, views->list, views->count);
    unsigned before = atomic_load(&record->sessions.max);
    if (target > before) {
        raise_share(proxy, queue, seat, peers, count, guess, views, limit, target);
        return;
    }
    queue_allow(queue, seat, target);
    target = atomic_load(&record->sessions.max); /* a worker may have lowered it further */
    if (atomic_load(&record->claim) != target)
        atomic_store(&record->claim, target);
}

static enum stats_role role_of(const struct proxy *proxy, const struct limits_peer *peers,
                               size_t count)
{
    if (!proxy->accepts_clients)
        return STATS_RETIRED;
    for (size_t i = 0; i < count; i++)
        if (!peers[i].elder)
            return STATS_BESIDE;
    return STATS_ALONE;
}

/* transfer.c does not send sessions of a backend for whose places others wait. */
static void let_sessions_move(struct proxy *proxy)
{
    bool waits = !proxy->accepts_clients && server_limits_wait(proxy);
    for (unsigned i = 0; proxy->holds_back && !waits && i < proxy->worker_count; i++)
        worker_let_move(&proxy->workers[i]);
    proxy->holds_back = waits;
}

/* Sessions that wait in the queue of the backend in another process. */
static unsigned line_in(const struct stats *peer, const struct server_set *set, size_t guess)
{
    const struct stats_server *record = NULL;
    for (size_t i = 0; i < set->count && !record; i++)
        if (set->list[i]->seat)
            record = stats_find_server(peer, set->list[i]->seat->record->key, guess + i);
    return record ? atomic_load(&record->line) : 0;
}

/* max-queue counts those that wait in all processes. */
static void share_line(const struct backend *backend, const struct limits_peer *peers, size_t count,
                       size_t guess)
{
    const struct server_set *set = backend_servers(backend);
    struct queue *queue = backend->queue;
    unsigned own = pool_waiting(&queue->pool), most = backend->conf->max_queue;
    for (size_t i = 0; i < set->count; i++)
        if (set->list[i]->seat && atomic_load(&set->list[i]->seat->record->line) != own)
            atomic_store(&set->list[i]->seat->record->line, own);
    if (most == 0)
        return;
    for (size_t i = 0; i < count && most > 0; i++) {
        unsigned line = line_in(peers[i].stats, set, guess);
        most -= line < most ? line : most;
    }
    if (most != queue->pool.most)
        pool_set_most(&queue->pool, most);
}

void server_limits_look(struct proxy *proxy, const struct limits_peer *peers, size_t count)
{
    let_sessions_move(proxy);
    stats_set_role(&proxy->stats, role_of(proxy, peers, count));
    struct views views = {.list = calloc(count + 1, sizeof *views.list)};
    size_t guess = 0;
    for (size_t i = 0; views.list && i < proxy->service.config->backend_count; i++) {
        struct backend *backend = &proxy->service.backends[i];
        if (!backend->queue)
            continue;
        backend->queue->alone = count == 0;
        const struct server_set *set = backend_servers(backend);
        share_line(backend, peers, count, guess);
        for (size_t j = 0; j < set->count; j++)
            if (set->list[j]->seat)
                share(proxy, backend->queue, set->list[j]->seat, peers, count, guess++, &views);
    }
    free(views.list);
}

bool server_limits_wait(const struct proxy *proxy)
{
    for (size_t i = 0; i < proxy->service.config->backend_count; i++)
        if (proxy->service.backends[i].queue &&
            pool_waiting(&proxy->service.backends[i].queue->pool) > 0)
            return true;
    return false;
}

bool server_limits_exist(const struct proxy *proxy)
{
    for (size_t i = 0; i < proxy->service.config->backend_count; i++)
        if (proxy->service.backends[i].queue)
            return true;
    return false;
}
