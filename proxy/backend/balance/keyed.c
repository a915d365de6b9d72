#include "proxy/backend/balance/keyed.h"

#include "config/base/container_of.h"
#include "proxy/backend/balance/draw.h"
#include "proxy/backend/balance/table.h"

#include <stdlib.h>

/* So many slots are looked at before one of the usable servers is taken regardless of the table:
 * where nine of ten servers are down, one key of a thousand comes to that. */
#define ATTEMPTS 64

struct keyed {
    struct balancer balancer;
    struct draw draw;       /* numbers instead of keys */
    struct server **usable; /* balancer.usable of them, in their order */
    size_t room;
};

static struct keyed *keyed_of(struct balancer *balancer)
{
    return container_of(balancer, struct keyed, balancer);
}

static bool refresh(struct balancer *balancer, const struct server_set *set)
{
    struct keyed *keyed = keyed_of(balancer);
    if (keyed->room < set->count) {
        struct server **usable = realloc(keyed->usable, set->count * sizeof *usable);
        if (!usable)
            return false;
        keyed->usable = usable;
        keyed->room = set->count;
    }
    balancer->usable = 0;
    for (size_t i = 0; i < set->count; i++)
        if (server_share(set->list[i]) > 0)
            keyed->usable[balancer->usable++] = set->list[i];
    return true;
}

static bool takes(const struct balance_table *table, const struct server_set *set, uint32_t place,
                  uint64_t key, const struct choice *choice)
{
    struct server *server = set->list[place];
    unsigned share = server_share(server);
    return share > 0 && table_gives(table, place, key, share) && !choice_excludes(choice, server);
}

static struct server *go_through(const struct keyed *keyed, size_t from,
                                 const struct choice *choice)
{
    size_t count = keyed->balancer.usable;
    for (size_t i = 0; i < count; i++) {
        struct server *server = keyed->usable[(from + i) % count];
        if (server_share(server) > 0 && !choice_excludes(choice, server))
            return server;
    }
    return NULL;
}

static struct server *next(struct balancer *balancer, const struct choice *choice)
{
    const struct backend *backend = balancer->backend;
    /* In this order: the set is at least as new as the table, which has no server beyond it. */
    const struct balance_table *table = atomic_load_explicit(&backend->table, memory_order_acquire);
    const struct server_set *set = backend_servers(backend);
    uint64_t key = choice->key ? choice->key : draw_number(&keyed_of(balancer)->draw);
    if (balancer->usable == 0)
        return NULL;
    for (unsigned i = 0; table && table->size > 0 && i < ATTEMPTS; i++) {
        uint32_t place = table_look_up(table, key, i);
        if (takes(table, set, place, key, choice))
            return set->list[place];
    }
    return go_through(keyed_of(balancer), key % balancer->usable, choice);
}

/* What the servers are called, and the weights that count. */
static struct table_server *list_servers(const struct server_set *set,
                                         uint32_t (*weight)(const struct server *server))
{
    struct table_server *list = malloc((set->count + 1) * sizeof *list);
    for (size_t i = 0; list && i < set->count; i++)
        list[i] = (struct table_server){set->list[i]->name, weight(set->list[i])};
    return list;
}

static uint32_t configured_weight(const struct server *server)
{
    return server->conf->weight;
}

static uint32_t share(const struct server *server)
{
    return server_share(server);
}

/* The size depends on the configuration only, or two proxies that do not see the same servers up
 * would choose very differently. */
static struct balance_table *make_maglev(const struct server_set *set)
{
    struct table_server *servers = list_servers(set, configured_weight);
    if (!servers)
        return NULL;
    uint32_t size = table_maglev_size(servers, set->count);
    for (size_t i = 0; i < set->count; i++)
        servers[i].weight = share(set->list[i]);
    struct balance_table *table = table_maglev(servers, set->count, size);
    free(servers);
    return table;
}

/* Servers that are down stay in the map, so that the keys of others do not move; those that stand
 * by are not in it, nor, while these serve, the ones that they stand in for. */
static uint32_t map_weight(const struct server *server)
{
    const struct backend *backend = server->backend;
    if (backend->elected.backups)
        return server->now.backup && share(server) > 0 ? server->now.weight * SHARE_OF_ONE : 0;
    return server->now.backup ? 0 : server->now.weight * SHARE_OF_ONE;
}

static struct balance_table *make_map(const struct server_set *set)
{
    struct table_server *servers = list_servers(set, map_weight);
    struct balance_table *table = servers ? table_map(servers, set->count) : NULL;
    free(servers);
    return table;
}

static struct balancer *make(void)
{
    struct keyed *keyed = calloc(1, sizeof *keyed);
    return keyed ? &keyed->balancer : NULL;
}

static void dispose(struct balancer *balancer)
{
    struct keyed *keyed = keyed_of(balancer);
    free(keyed->usable);
    free(keyed);
}

const struct balance_algorithm balance_source = {.keyed = true,
                                                 .make_table = make_map,
                                                 .make = make,
                                                 .free = dispose,
                                                 .refresh = refresh,
                                                 .next = next};
const struct balance_algorithm balance_maglev = {.keyed = true,
                                                 .make_table = make_maglev,
                                                 .make = make,
                                                 .free = dispose,
                                                 .refresh = refresh,
                                                 .next = next};
