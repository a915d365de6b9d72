/* Which server of a backend is next: weighted round robin, one balancer a worker and backend.
 *
 * Earliest deadline first: each server's turns come 1/weight apart, and the server whose turn is
 * due first is taken. Turns of different servers interleave as evenly as they can, and a choice
 * costs O(log servers), so that a backend may have thousands.
 *
 * Servers come, go and change their weights while this goes on. That is rare, and costs the next
 * choice one pass over all of the backend's servers; any other choice costs it one atomic read.
 * Who joins has its first turn as though it had just had one: it has nothing to catch up with. */
#ifndef RPPROXY_PROXY_BACKEND_BALANCE_H
#define RPPROXY_PROXY_BACKEND_BALANCE_H

#include "proxy/backend/server.h"

#include <stddef.h>
#include <stdint.h>

struct turn {
    uint64_t due;
    uint32_t server; /* index in the backend */
    uint32_t share;  /* as it was when the balancer last looked; 0: it has no turns */
};

struct balancer {
    const struct backend *backend;
    struct turn *turns; /* of all servers; those that have a share are a heap, the least (due,
                           server) first, and the others stand behind it */
    size_t count;       /* of the heap */
    uint64_t now;       /* no turn that was taken was due later */
    unsigned version;   /* of the backend, when the balancer last looked */
};

#define BALANCE_NONE UINT32_MAX

/* offset (a worker's index) staggers the balancers of one backend, so that workers do not all
 * begin with the first server. Returns 0 or ENOMEM. */
int balancer_open(struct balancer *balancer, const struct backend *backend, unsigned offset)
    __attribute__((warn_unused_result));
void balancer_close(struct balancer *balancer);

/* The index of the next server that may be used and is not among the tried_count in tried, or
 * BALANCE_NONE. A server of tried that is passed over keeps its turn. */
uint32_t balancer_next(struct balancer *balancer, const uint32_t *tried, size_t tried_count);

/* balancer_next() found that no server at all may be used. */
static inline bool balancer_is_empty(const struct balancer *balancer)
{
    return balancer->count == 0;
}

#endif
