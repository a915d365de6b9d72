#include "proxy/backend/balance/table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* So many slots for each unit of weight: a server with the least weight has a share that is exact
 * to about one percent. */
#define SLOTS_OF_ONE 100u

/* With so many slots, and numbers behind them. */
static struct balance_table *make(uint32_t size, size_t numbers)
{
    struct balance_table *table = malloc(sizeof *table + (size + numbers) * sizeof *table->slots);
    if (table)
        *table = (struct balance_table){.size = size};
    return table;
}

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
    while (b > 0) {
        uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* What the weights have in common; 0: there is none above 0. sum: of the weights. */
static uint32_t divisor_of(const struct table_server *servers, size_t count, uint64_t *sum)
{
    uint32_t divisor = 0;
    *sum = 0;
    for (size_t i = 0; i < count; i++) {
        divisor = common_divisor(divisor, servers[i].weight);
        *sum += servers[i].weight;
    }
    return divisor;
}

uint32_t table_maglev_size(const struct table_server *servers, size_t count)
{
    static const uint32_t primes[] = {1021, 4093, 16381, 65537, 131071, 262139};
    uint64_t sum;
    uint32_t divisor = divisor_of(servers, count, &sum);
    uint64_t wanted = divisor ? sum / divisor * SLOTS_OF_ONE : 0;
    size_t i = 0;
    while (i + 1 < sizeof primes / sizeof *primes && primes[i] < wanted)
        i++;
    return primes[i];
}

/* --- Maglev ---------------------------------------------------------------------------------- */

struct turn {
    uint64_t order; /* a hash of the name */
    const char *name;
    uint32_t server, weight;
    uint32_t at, skip; /* the next slot of its permutation, and the way to the one behind it */
};

/* The heaviest servers first. */
static int by_order(const void *left, const void *right)
{
    const struct turn *a = left;
    const struct turn *b = right;
    if (a->weight != b->weight)
        return a->weight > b->weight ? -1 : 1;
    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* The servers that have a weight, in an order that depends on their names only. */
static size_t list_turns(const struct table_server *servers, size_t count, uint32_t size,
                         struct turn *turns)
{
    size_t listed = 0;
    for (size_t i = 0; i < count; i++) {
        if (servers[i].weight == 0)
            continue;
        XXH128_hash_t hash = XXH3_128bits(servers[i].name, strlen(servers[i].name));
        turns[listed++] = (struct turn){.order = hash.low64 ^ hash.high64,
                                        .name = servers[i].name,
                                        .server = (uint32_t)i,
                                        .weight = servers[i].weight,
                                        .at = (uint32_t)(hash.low64 % size),
                                        .skip = (uint32_t)(hash.high64 % (size - 1)) + 1};
    }
    if (listed > 0)
        qsort(turns, listed, sizeof *turns, by_order);
    return listed;
}

#define FREE_SLOT UINT32_MAX

static void take_slot(struct turn *turn, struct balance_table *table)
{
    bool taken = false;
    while (!taken) {
        uint32_t *slot = &table->slots[turn->at];
        taken = *slot == FREE_SLOT;
        if (taken)
            *slot = turn->server;
        turn->at += turn->skip;
        if (turn->at >= table->size)
            turn->at -= table->size;
    }
}

/* Servers of one weight, which have their turns in the same rounds. */
struct group {
    uint32_t end; /* behind the last of its turns */
    uint32_t weight;
    uint32_t credit; /* a turn costs the largest weight */
};

static size_t make_groups(const struct turn *turns, size_t count, struct group *groups)
{
    size_t made = 0;
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || turns[i].weight != turns[i - 1].weight)
            groups[made++] = (struct group){.weight = turns[i].weight};
        groups[made - 1].end = (uint32_t)i + 1;
    }
    return made;
}

/* Round after round: in each the heaviest servers take a slot, and others as their weight says. */
static void fill(struct balance_table *table, struct turn *turns, size_t count,
                 struct group *groups)
{
    size_t group_count = make_groups(turns, count, groups);
    memset(table->slots, 0xff, table->size * sizeof *table->slots);
    for (uint32_t left = table->size;;)
        for (size_t i = 0; i < group_count; i++) {
            groups[i].credit += groups[i].weight;
            if (groups[i].credit < groups[0].weight)
                continue;
            groups[i].credit -= groups[0].weight;
            for (uint32_t turn = i > 0 ? groups[i - 1].end : 0; turn < groups[i].end; turn++) {
                take_slot(&turns[turn], table);
                if (--left == 0)
                    return;
            }
        }
}

struct balance_table *table_maglev(const struct table_server *servers, size_t count, uint32_t size)
{
    struct turn *turns = malloc((count + 1) * sizeof *turns);
    struct group *groups = malloc((count + 1) * sizeof *groups);
    struct balance_table *table = turns && groups ? make(size, 0) : NULL;
    if (table) {
        size_t listed = list_turns(servers, count, size, turns);
        if (listed > 0)
            fill(table, turns, listed, groups);
        else
            table->size = 0;
    }
    free(turns);
    free(groups);
    return table;
}

/* --- map ------------------------------------------------------------------------------------- */

static uint32_t scale(uint32_t weight, uint32_t divisor, uint64_t whole)
{
    uint64_t slots = weight / divisor;
    if (whole > TABLE_MAP_MOST)
        slots = slots * TABLE_MAP_MOST / whole;
    return weight > 0 && slots == 0 ? 1 : (uint32_t)slots;
}

struct balance_table *table_map(const struct table_server *servers, size_t count)
{
    uint64_t sum;
    uint32_t divisor = divisor_of(servers, count, &sum);
    if (divisor == 0)
        return make(0, 0);
    uint64_t whole = sum / divisor;
    uint32_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += scale(servers[i].weight, divisor, whole);
    struct balance_table *table = make(size, count);
    if (!table)
        return NULL;
    table->map = true;
    uint32_t at = 0;
    for (size_t i = 0; i < count; i++) {
        for (uint32_t slots = scale(servers[i].weight, divisor, whole); slots > 0; slots--)
            table->slots[at++] = (uint32_t)i;
        table->slots[size + i] = servers[i].weight;
    }
    return table;
}
