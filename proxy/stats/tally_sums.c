#include "proxy/stats/tally_sums.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- which is which ------------------------------------------------------------------------ */

/* A key of this process, in the order in which it is searched for. */
struct known {
    struct tally_key key;
    uint32_t number;
};

static int compare(const void *left, const void *right)
{
    const struct known *a = left;
    const struct known *b = right;
    return memcmp(&a->key, &b->key, sizeof a->key);
}

/* The number that it has in this process of a backend of the other. */
static uint32_t backend_of(const struct tally *other, const struct tally_map *map, uint64_t number)
{
    return number < other->as.backends ? map->backends[number] : TALLY_NONE;
}

/* For each key of the other process the number of the same key in this one. map: of the backends,
 * for the keys of servers, else NULL. Returns the numbers, or NULL: out of memory. */
static uint32_t *find_all(const struct tally_key *own, size_t own_count, const struct tally *other,
                          const struct tally_key *keys, size_t count, const struct tally_map *map)
{
    struct known *list = calloc(own_count + 1, sizeof *list);
    uint32_t *found = calloc(count + 1, sizeof *found);
    if (!list || !found) {
        free(list);
        free(found);
        return NULL;
    }
    for (size_t i = 0; i < own_count; i++)
        list[i] = (struct known){.key = own[i], .number = (uint32_t)i};
    qsort(list, own_count, sizeof *list, compare);
    for (size_t i = 0; i < count; i++) {
        struct known wanted = {.key = keys[i]};
        if (map)
            wanted.key.of = backend_of(other, map, wanted.key.of);
        const struct known *match = bsearch(&wanted, list, own_count, sizeof *list, compare);
        found[i] = match ? match->number : TALLY_NONE;
    }
    free(list);
    return found;
}

int tally_map_make(struct tally_map *map, const struct tally *own, const struct tally *other)
{
    uint32_t servers_own = tally_servers_used(own), servers_other = tally_servers_used(other);
    if (map->frontends && map->servers_own == servers_own && map->servers_other == servers_other)
        return 0;
    struct tally_map made = {.servers_own = servers_own, .servers_other = servers_other};
    made.frontends = find_all(tally_frontend_keys(own), own->as.frontends, other,
                              tally_frontend_keys(other), other->as.frontends, NULL);
    made.backends = find_all(tally_backend_keys(own), own->as.backends, other,
                             tally_backend_keys(other), other->as.backends, NULL);
    if (made.backends)
        made.servers = find_all(tally_server_keys(own), servers_own, other,
                                tally_server_keys(other), servers_other, &made);
    if (!made.frontends || !made.servers) {
        tally_map_free(&made);
        return ENOMEM;
    }
    tally_map_free(map);
    *map = made;
    return 0;
}

void tally_map_free(struct tally_map *map)
{
    free(map->frontends);
    free(map->backends);
    free(map->servers);
    *map = (struct tally_map){0};
}

/* --- sums ---------------------------------------------------------------------------------- */

int tally_sums_open(struct tally_sums *sums, const struct tally *own)
{
    *sums = (struct tally_sums){.frontend_count = own->as.frontends,
                                .backend_count = own->as.backends,
                                .server_count = own->as.servers};
    sums->frontends = calloc(sums->frontend_count + 1, sizeof *sums->frontends);
    sums->backends = calloc(sums->backend_count + 1, sizeof *sums->backends);
    sums->servers = calloc(sums->server_count + 1, sizeof *sums->servers);
    sums->events = calloc(sums->server_count + 1, sizeof *sums->events);
    return sums->frontends && sums->backends && sums->servers && sums->events ? 0 : ENOMEM;
}

void tally_sums_close(struct tally_sums *sums)
{
    free(sums->frontends);
    free(sums->backends);
    free(sums->servers);
    free(sums->events);
    *sums = (struct tally_sums){0};
}

/* The counters that both know. */
static void add(void *sum, size_t known, const atomic_uint_fast64_t *record, size_t count)
{
    uint64_t *amounts = sum;
    for (size_t i = 0; i < known && i < count; i++)
        amounts[i] += counter_read(&record[i]);
}

static uint32_t number_in(const uint32_t *map, size_t index)
{
    return map ? map[index] : (uint32_t)index;
}

/* A server that this process does not have. */
static void add_to_backend(struct tally_sums *sums, const struct tally *tally,
                           const struct tally_map *map, size_t server,
                           const atomic_uint_fast64_t *record)
{
    uint32_t backend = backend_of(tally, map, tally_server_keys(tally)[server].of);
    if (backend == TALLY_NONE)
        return;
    struct server_figures figures = {0};
    add(&figures, COUNTERS_OF(server_figures), record, tally->as.server);
    sums->backends[backend].bytes_in += figures.bytes_in;
    sums->backends[backend].bytes_out += figures.bytes_out;
    sums->backends[backend].sessions += figures.sessions;
}

static void add_servers(struct tally_sums *sums, const struct tally *tally,
                        const struct tally_map *map, unsigned row, bool with_live)
{
    uint32_t count = map ? map->servers_other : tally_servers_used(tally);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = number_in(map ? map->servers : NULL, i);
        const atomic_uint_fast64_t *record = tally_server(tally, row, i);
        if (number == TALLY_NONE) {
            add_to_backend(sums, tally, map, i, record);
            continue;
        }
        struct server_figures *figures = &sums->servers[number];
        const uint64_t live = figures->live;
        add(figures, COUNTERS_OF(server_figures), record, tally->as.server);
        if (!with_live)
            figures->live = live;
    }
}

static void add_frontend(struct frontend_figures *sum, const atomic_uint_fast64_t *record,
                         size_t count)
{
    const uint64_t most = sum->most;
    sum->most = 0;
    add(sum, COUNTERS_OF(frontend_figures), record, count);
    if (sum->most < most)
        sum->most = most;
}

static void add_backend(struct backend_figures *sum, const atomic_uint_fast64_t *record,
                        size_t count)
{
    const uint64_t most = sum->most_waiting;
    sum->most_waiting = 0;
    add(sum, COUNTERS_OF(backend_figures), record, count);
    if (sum->most_waiting < most)
        sum->most_waiting = most;
}

static void add_row(struct tally_sums *sums, const struct tally *tally, const struct tally_map *map,
                    unsigned row, bool with_live)
{
    for (size_t i = 0; i < tally->as.frontends; i++) {
        uint32_t number = number_in(map ? map->frontends : NULL, i);
        if (number != TALLY_NONE)
            add_frontend(&sums->frontends[number], tally_frontend(tally, row, i),
                         tally->as.frontend);
    }
    for (size_t i = 0; i < tally->as.backends; i++) {
        uint32_t number = number_in(map ? map->backends : NULL, i);
        if (number != TALLY_NONE)
            add_backend(&sums->backends[number], tally_backend(tally, row, i), tally->as.backend);
    }
    add_servers(sums, tally, map, row, with_live);
}

static void add_events(struct tally_sums *sums, const struct tally *tally,
                       const struct tally_map *map, bool base)
{
    uint32_t count = map ? map->servers_other : tally_servers_used(tally);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = number_in(map ? map->servers : NULL, i);
        if (number == TALLY_NONE)
            continue;
        struct server_events *events = &sums->events[number];
        const uint64_t most = events->most, check_time = events->check_time;
        events->most = events->check_time = 0;
        add(events, COUNTERS_OF(server_events), tally_events(tally, i, base), tally->as.event);
        if (events->most < most)
            events->most = most;
        if (map || base)
            events->check_time = check_time; /* the last check is one of this process */
    }
}

void tally_sums_add(struct tally_sums *sums, const struct tally *tally, const struct tally_map *map,
                    unsigned parts)
{
    if (!tally->memory)
        return;
    if (parts & TALLY_OWN) {
        for (unsigned row = 0; row < tally->as.workers; row++)
            add_row(sums, tally, map, row, (parts & TALLY_LIVE) != 0);
        add_events(sums, tally, map, false);
        add(&sums->reloads, COUNTERS_OF(reload_figures), tally_reloads(tally, false),
            tally->as.reload);
    }
    if (parts & TALLY_BASE) {
        add_row(sums, tally, map, tally->as.workers, false);
        add_events(sums, tally, map, true);
        add(&sums->reloads, COUNTERS_OF(reload_figures), tally_reloads(tally, true),
            tally->as.reload);
    }
}

/* --- the base ------------------------------------------------------------------------------ */

static void inherit(atomic_uint_fast64_t *record, const void *sum, size_t count)
{
    const uint64_t *amounts = sum;
    for (size_t i = 0; i < count; i++)
        if (amounts[i])
            counter_add(&record[i], amounts[i]);
}

/* What has to be added to a figure that is no sum, so that it becomes at least that. */
static uint64_t rise_to(uint64_t most, const atomic_uint_fast64_t *figure)
{
    const uint64_t before = counter_read(figure);
    return most > before ? most - before : 0;
}

static void inherit_frontend(struct tally *own, size_t frontend, const struct frontend_figures *sum)
{
    struct frontend_figures figures = *sum;
    atomic_uint_fast64_t *record = tally_frontend(own, own->as.workers, frontend);
    figures.most = rise_to(sum->most, &record[COUNTER_OF(frontend_figures, most)]);
    inherit(record, &figures, COUNTERS_OF(frontend_figures));
}

static void inherit_backend(struct tally *own, size_t backend, const struct backend_figures *sum)
{
    struct backend_figures figures = *sum;
    atomic_uint_fast64_t *record = tally_backend(own, own->as.workers, backend);
    figures.most_waiting =
        rise_to(sum->most_waiting, &record[COUNTER_OF(backend_figures, most_waiting)]);
    inherit(record, &figures, COUNTERS_OF(backend_figures));
}

static void inherit_events(struct tally *own, size_t server, const struct server_events *sum)
{
    struct server_events events = *sum;
    atomic_uint_fast64_t *record = tally_events(own, server, true);
    events.most = rise_to(sum->most, &record[COUNTER_OF(server_events, most)]);
    events.check_time = 0;
    inherit(record, &events, COUNTERS_OF(server_events));
}

void tally_inherit(struct tally *own, const struct tally_sums *sums)
{
    const unsigned base = own->as.workers;
    for (size_t i = 0; i < own->as.frontends; i++)
        inherit_frontend(own, i, &sums->frontends[i]);
    for (size_t i = 0; i < own->as.backends; i++)
        inherit_backend(own, i, &sums->backends[i]);
    for (size_t i = 0; i < own->as.servers; i++) {
        inherit(tally_server(own, base, i), &sums->servers[i], COUNTERS_OF(server_figures));
        inherit_events(own, i, &sums->events[i]);
    }
    inherit(tally_reloads(own, true), &sums->reloads, COUNTERS_OF(reload_figures));
}

/* --- once a second ------------------------------------------------------------------------- */

void tally_add_live(uint64_t *live, const struct tally *tally, const struct tally_map *map)
{
    uint32_t count = map ? map->servers_other : tally_servers_used(tally);
    for (unsigned row = 0; row < tally->as.workers; row++)
        for (uint32_t i = 0; i < count; i++) {
            uint32_t number = number_in(map ? map->servers : NULL, i);
            if (number != TALLY_NONE)
                live[number] +=
                    counter_read(&tally_server(tally, row, i)[COUNTER_OF(server_figures, live)]);
        }
}

static void note(atomic_uint_fast64_t *most, uint64_t now)
{
    counter_add(most, rise_to(now, most));
}

void tally_note_live(struct tally *own, size_t server, uint64_t live)
{
    note(&tally_events(own, server, true)[COUNTER_OF(server_events, most)], live);
}

void tally_note_frontend_live(struct tally *own, size_t frontend, uint64_t live)
{
    note(&tally_frontend(own, own->as.workers, frontend)[COUNTER_OF(frontend_figures, most)], live);
}

void tally_note_waiting(struct tally *own, size_t backend, uint64_t waiting)
{
    note(&tally_backend(own, own->as.workers, backend)[COUNTER_OF(backend_figures, most_waiting)],
         waiting);
}

void tally_note_downtime(struct tally *own, size_t server, uint64_t milliseconds)
{
    counter_add(&tally_events(own, server, true)[COUNTER_OF(server_events, downtime)],
                milliseconds);
}
