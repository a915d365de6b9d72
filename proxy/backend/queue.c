#include "proxy/backend/queue.h"

#include <errno.h>
#include <stdlib.h>

/* Waiters that a worker calls in one turn, so that its other sessions have their turn soon. */
#define CALLS_MAX 32

static void deliver(void *arg)
{
    struct queue_desk *desk = arg;
    pool_deliver(&desk->queue->pool, &desk->desk, CALLS_MAX);
}

static void wake(void *arg)
{
    struct queue_desk *desk = arg;
    task_queue_post(desk->tasks, &desk->task);
}

/* Servers of the backend, at any time. */
static size_t servers_at_most(const struct backend_conf *conf)
{
    size_t most = 0;
    for (size_t i = 0; i < conf->server_count; i++)
        most += conf->servers[i].what == RESOLVE_ALL ? conf->servers[i].max : 1;
    return most;
}

static struct queue *make_queue(const struct backend *backend, struct stats *stats)
{
    struct queue *queue = aligned_alloc(_Alignof(struct queue), sizeof *queue);
    struct queue_desk *desks = calloc(backend->workers, sizeof *desks);
    unsigned most = backend->conf->max_queue;
    if (queue)
        *queue = (struct queue){.stats = stats, .desks = desks, .workers = backend->workers};
    if (!queue || !desks ||
        pool_open(&queue->pool, most ? most : POOL_NO_END, servers_at_most(backend->conf))) {
        free(queue);
        free(desks);
        return NULL;
    }
    for (unsigned i = 0; i < queue->workers; i++) {
        desks[i].queue = queue;
        desks[i].task = (struct task){.run = deliver, .arg = &desks[i]};
        pool_desk_init(&desks[i].desk, wake, &desks[i]);
    }
    return queue;
}

int queue_open(struct backend *backend, struct stats *stats)
{
    if (!backend_is_limited(backend->conf))
        return 0;
    backend->queue = make_queue(backend, stats);
    if (!backend->queue)
        return ENOMEM;
    backend->on_share = queue_on_share;
    const struct server_set *set = backend_servers(backend);
    for (size_t i = 0; i < set->count; i++)
        if (queue_add(backend->queue, set->list[i]))
            return ENOMEM;
    return 0;
}

void queue_close(struct backend *backend)
{
    struct queue *queue = backend->queue;
    if (!queue)
        return;
    const struct server_set *set = backend_servers(backend);
    for (size_t i = 0; i < set->count; i++) {
        free(set->list[i]->seat);
        set->list[i]->seat = NULL;
    }
    pool_close(&queue->pool);
    free(queue->desks);
    free(queue);
    backend->queue = NULL;
    backend->on_share = NULL;
}

void queue_set_worker(struct queue *queue, unsigned worker, struct task_queue *tasks)
{
    if (queue)
        queue->desks[worker].tasks = tasks;
}

int queue_add(struct queue *queue, struct server *server)
{
    struct seat *seat = aligned_alloc(_Alignof(struct seat), sizeof *seat);
    if (!seat)
        return ENOMEM;
    *seat = (struct seat){.own = {.maxconn = LIMIT_NONE}};
    seat->record = stats_add_server(queue->stats, server->backend->conf->name, server->name);
    if (!seat->record)
        seat->record = &seat->own;
    atomic_store(&seat->record->sessions.max, 0);
    if (pool_add(&queue->pool, &seat->member, &seat->record->sessions, server)) {
        free(seat);
        return ENOMEM;
    }
    server->seat = seat;
    atomic_store(&seat->record->maxconn, 0); /* not set yet */
    queue_on_share(server, 100);
    return 0;
}

/* Rounded up: a server that has a place has one from the beginning. */
static unsigned part_of(unsigned maxconn, unsigned percent)
{
    return maxconn ? (unsigned)(((uint64_t)maxconn * percent + 99) / 100) : LIMIT_NONE;
}

void queue_on_share(struct server *server, unsigned percent)
{
    struct seat *seat = server->seat;
    if (!seat)
        return;
    struct queue *queue = server->backend->queue;
    unsigned maxconn = part_of(server_maxconn(server), percent);
    bool usable = server_share(server) > 0;
    if (maxconn == atomic_load(&seat->record->maxconn) && usable == seat->usable)
        return;
    seat->usable = usable;
    atomic_store(&seat->record->maxconn, maxconn);
    if (seat->record == &seat->own || queue->alone)
        queue_allow(queue, seat, maxconn);
    pool_set_usable(&queue->pool, &seat->member, usable);
}

void queue_allow(struct queue *queue, struct seat *seat, unsigned max)
{
    pool_set_max(&queue->pool, &seat->member, max);
}
