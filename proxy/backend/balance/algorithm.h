/* What an algorithm of balancing is: the interface between balance.c and the algorithms. */
#ifndef RPPROXY_PROXY_BACKEND_BALANCE_ALGORITHM_H
#define RPPROXY_PROXY_BACKEND_BALANCE_ALGORITHM_H

#include "proxy/backend/balance/place_set.h"
#include "proxy/backend/queue.h"
#include "proxy/backend/server.h"

#include <stdbool.h>
#include <stddef.h>

/* What an algorithm may know of the session that needs a server. */
struct choice {
    struct server *const *tried; /* these have failed the session: any but these */
    size_t tried_count;
    bool passes_full; /* and any but those that have no place free; the backend has a queue */
    uint64_t key; /* of the session's source, destination or server name; only for an algorithm that
                     is keyed; 0: the session has none */
};

/* The part that all algorithms have in common; it is a member of the algorithm's own struct. */
struct balancer {
    const struct balance_algorithm *algorithm;
    const struct backend *backend;
    unsigned version; /* of the backend, as of the last refresh() */
    size_t usable;    /* servers with a share, as of the last refresh() */
};

/* An algorithm sees the servers by refresh() only; it may keep pointers to servers (they live as
 * long as the backend), and not the pointer to the set. */
struct balance_algorithm {
    /* Sessions with one key go to one server: choice->key is set. */
    bool keyed;

    /* server_used() is asked for. */
    bool counts;

    /* Main thread: makes the table that next() looks at (backend->table); NULL: the algorithm has
     * no table. Returns NULL: out of memory. */
    struct balance_table *(*make_table)(const struct server_set *set);

    /* Makes an empty balancer. NULL: out of memory. */
    struct balancer *(*make)(void);
    void (*free)(struct balancer *balancer);

    /* Servers, or their shares, are others than before: looks at all of the set, and counts the
     * usable ones in balancer->usable. False: out of memory; the algorithm goes on with what it
     * knew, and is called again at the next choice. */
    bool (*refresh)(struct balancer *balancer, const struct server_set *set);

    /* The next server that has a share and is not among the tried ones, or NULL. */
    struct server *(*next)(struct balancer *balancer, const struct choice *choice);
};

static inline bool choice_excludes(const struct choice *choice, const struct server *server)
{
    if (choice->passes_full && server_is_full(server))
        return true;
    for (size_t i = 0; i < choice->tried_count; i++)
        if (choice->tried[i] == server)
            return true;
    return false;
}

/* The servers of a word of the set, without those that are known to be full; choice_excludes()
 * decides. */
static inline uint64_t choice_of_word(const struct balancer *balancer, const struct choice *choice,
                                      const struct place_set *set, size_t word)
{
    uint64_t servers = set->words[word];
    if (servers && choice->passes_full)
        servers &= pool_room(&balancer->backend->queue->pool, word);
    return servers;
}

#endif
