#include "proxy/backend/backend.h"

#include "config/base/clock.h"
#include "proxy/backend/passive.h"
#include "proxy/backend/queue.h"
#include "proxy/backend/weights.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

/* A set with room for count servers, which begins with those of another set (NULL: none). */
static struct server_set *make_set(const struct server_set *begin, size_t count)
{
    struct server_set *set = malloc(sizeof *set + count * sizeof *set->list);
    if (!set)
        return NULL;
    set->count = begin ? begin->count : 0;
    if (set->count > 0)
        memcpy(set->list, begin->list, set->count * sizeof *set->list);
    return set;
}

/* Makes the next server of a set that is not published yet. */
static bool append(struct server_set *set, struct backend *backend, const struct server_conf *conf,
                   const char *name, const struct address *address)
{
    struct server *server = server_new(backend, conf, name, address, (uint32_t)set->count);
    if (!server)
        return false;
    server->failures_task = (struct task){.run = passive_on_failures, .arg = server};
    if (backend->tally)
        server->record = tally_add_server(backend->tally, backend->number, name);
    set->list[set->count++] = server;
    return true;
}

static void weigh(struct backend *backend, bool tell)
{
    weights_publish(backend, clock_ms(), tell);
}

static int open_balancers(struct backend *backend)
{
    backend->balancers = calloc(backend->workers, sizeof *backend->balancers);
    if (!backend->balancers)
        return ENOMEM;
    for (unsigned i = 0; i < backend->workers; i++) {
        backend->balancers[i] = balancer_new(backend, i);
        if (!backend->balancers[i])
            return ENOMEM;
    }
    return 0;
}

static bool prepares(const struct backend_conf *conf)
{
    bool begins = false;
    for (size_t i = 0; i < conf->server_count; i++)
        begins |= conf->servers[i].send_proxy != 0 || conf->servers[i].tls;
    return begins || tcp_tuning_is_given(&conf->tcp) || conf->source.kind != SOURCE_ANY;
}

int backend_open(struct backend *backend, const struct backend_conf *conf, unsigned workers,
                 struct reclaimer *reclaimer)
{
    *backend = (struct backend){.conf = conf,
                                .workers = workers,
                                .algorithm = balance_algorithm(conf->balance),
                                .weigh = weigh,
                                .reclaimer = reclaimer};
    backend->counts = backend->algorithm->counts ? BACKEND_COUNTS_SERVERS : 0;
    backend->prepares = prepares(conf);
    struct server_set *set = make_set(NULL, conf->server_count);
    if (!set)
        return ENOMEM;
    atomic_store(&backend->set, set);
    for (size_t i = 0; i < conf->server_count; i++) {
        const struct server_conf *server = &conf->servers[i];
        if (server->what == RESOLVE_ALL)
            continue; /* proxy/names makes its servers */
        const struct address *address = server->sni_port || server->host ? NULL : &server->address;
        if (!append(set, backend, server, server->name, address))
            return ENOMEM;
    }
    weigh(backend, false);
    return open_balancers(backend);
}

void backend_close(struct backend *backend)
{
    for (unsigned i = 0; backend->balancers && i < backend->workers; i++)
        balancer_free(backend->balancers[i]);
    free(backend->balancers);
    struct server_set *set = atomic_load(&backend->set);
    for (size_t i = 0; set && i < set->count; i++)
        server_free(set->list[i]);
    free(set);
    free(atomic_load(&backend->table));
    if (backend->has_timer)
        event_del(&backend->timer);
}

void backend_count(struct backend *backend, struct tally *tally, size_t number)
{
    const struct server_set *set = backend_servers(backend);
    backend->tally = tally;
    backend->number = number;
    backend->tally_place = (uint32_t)(number * COUNTERS_OF(backend_figures));
    for (size_t i = 0; i < set->count; i++)
        set->list[i]->record = tally_add_server(tally, number, set->list[i]->name);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    weigh(arg, true);
}

void backend_start(struct backend *backend, struct event_base *base)
{
    backend->has_timer = evtimer_assign(&backend->timer, base, on_timer, backend) == 0;
    weigh(backend, false);
}

struct server *backend_find(const struct backend *backend, const char *name)
{
    const struct server_set *set = backend_servers(backend);
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->list[i]->name, name) == 0)
            return set->list[i];
    return NULL;
}

struct server *backend_add(struct backend *backend, const struct server_conf *conf,
                           const char *name, const struct address *address)
{
    struct server_set *before = atomic_load(&backend->set);
    struct server_set *set = make_set(before, before->count + 1);
    if (!set || !append(set, backend, conf, name, address)) {
        free(set);
        return NULL;
    }
    if (backend->queue && queue_add(backend->queue, set->list[before->count])) {
        server_free(set->list[before->count]);
        free(set);
        return NULL;
    }
    atomic_store_explicit(&backend->set, set, memory_order_release);
    weigh(backend, true);
    atomic_fetch_add_explicit(&backend->version, 1, memory_order_release);
    reclaim(backend->reclaimer, &before->retired);
    return set->list[set->count - 1];
}
