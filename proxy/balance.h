/* Which server of a backend is next: weighted round robin, one balancer a worker and backend.
 *
 * Earliest deadline first: each server's turns come 1/weight apart, and the server whose turn is
 * due first is taken. Turns of different servers interleave as evenly as they can, and a choice
 * costs O(log servers), so that a backend may have thousands. */
#ifndef RPPROXY_PROXY_BALANCE_H
#define RPPROXY_PROXY_BALANCE_H

#include "config/config.h"

#include <stddef.h>
#include <stdint.h>

struct turn {
    uint64_t due;
    uint32_t server; /* index in the backend */
};

struct balancer {
    const struct backend_conf *backend;
    struct turn *heap; /* servers of weight > 0, the least (due, server) first */
    size_t count;
};

#define BALANCE_NONE UINT32_MAX

/* offset (a worker's index) staggers the balancers of one backend, so that workers do not all
 * begin with the first server. Returns 0 or ENOMEM. */
int balancer_open(struct balancer *balancer, const struct backend_conf *backend, unsigned offset)
    __attribute__((warn_unused_result));
void balancer_close(struct balancer *balancer);

/* The next server's index that is not among the tried_count in tried, or BALANCE_NONE. A server
 * that is passed over keeps its turn. */
uint32_t balancer_next(struct balancer *balancer, const uint32_t *tried, size_t tried_count);

#endif
