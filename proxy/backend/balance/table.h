/* Tables for the algorithms that choose by a key: each slot has a server, and the key's hash
 * decides which slot is looked at. Pure: a table is made of names and weights, and of nothing else,
 * so that two proxies with the same servers have the same table.
 *
 * Two kinds:
 *
 * table_maglev(): consistent hashing as in "Maglev: A Fast and Reliable Software Network Load
 * Balancer" (NSDI 2016, section 3.4). The size is a prime number. Each server has a permutation of
 * the slots, from two hashes of its name, and the servers take turns at taking the next free slot
 * of their permutation. A server with half the weight of the heaviest one has every other turn.
 * Each server has its share of the slots, to about one percent; a server that leaves frees its own
 * slots, and few others change. The order of the servers does not matter.
 *
 * table_map(): the slots of a server lie side by side, as many as its weight; the servers stand in
 * their order. The shares are exact. A map knows the weights, see table_gives(). Another weight, or
 * another number of servers, moves most keys; so the caller lets servers stay in the map while they
 * are down. */
#ifndef RPPROXY_PROXY_BACKEND_BALANCE_TABLE_H
#define RPPROXY_PROXY_BACKEND_BALANCE_TABLE_H

#include "proxy/core/reclaim.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table_server {
    const char *name;
    uint32_t weight; /* 0: the server has no slots */
};

/* Never changes once it is made; free(3) frees it. */
struct balance_table {
    struct retired retired;
    uint32_t size; /* 0: no server has a weight */
    bool map;
    uint32_t slots[]; /* indexes of the servers; behind them, in a map, the weight of each server */
};

/* The size of a Maglev table for servers of these weights: a prime number, so large that the share
 * of each server is exact to about one percent; 262139 at most. */
uint32_t table_maglev_size(const struct table_server *servers, size_t count);

/* size: a prime number above 2. NULL: out of memory. */
struct balance_table *table_maglev(const struct table_server *servers, size_t count, uint32_t size)
    __attribute__((warn_unused_result));

/* NULL: out of memory. Weights are divided by what they have in common; beyond TABLE_MAP_MOST slots
 * they are scaled down, to 1 at least. */
#define TABLE_MAP_MOST 65536u
struct balance_table *table_map(const struct table_server *servers, size_t count)
    __attribute__((warn_unused_result));

/* The server at which a key looks at its n-th attempt (0, 1, ...). The table is not empty. */
static inline uint32_t table_look_up(const struct balance_table *table, uint64_t key,
                                     unsigned attempt)
{
    if (attempt > 0) {
        /* splitmix64 */
        key += attempt * UINT64_C(0x9e3779b97f4a7c15);
        key = (key ^ (key >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        key = (key ^ (key >> 27)) * UINT64_C(0x94d049bb133111eb);
        key ^= key >> 31;
    }
    /* The key's upper half, scaled to the size: no division. */
    return table->slots[((key >> 32) * table->size) >> 32];
}

/* A server that has only a part of its weight in the map, as its share, gets this part of its keys:
 * true, the key is one of them. */
static inline bool table_gives(const struct balance_table *table, uint32_t server, uint64_t key,
                               uint32_t share)
{
    if (!table->map)
        return true;
    uint64_t weight = table->slots[table->size + server];
    return (((key & UINT32_MAX) * weight) >> 32) < share;
}

#endif
