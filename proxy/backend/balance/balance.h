/* Which server of a backend is next: one balancer for each worker and backend, so that a choice
 * takes no lock.
 *
 * balance.c notices changes of the backend and calls the algorithm of the configuration. Changes
 * are rare, and cost the next choice one look at all servers; any other choice costs one atomic
 * read besides the algorithm. A new algorithm is a module in this folder and a line in the table of
 * balance.c. */
#ifndef RPPROXY_PROXY_BACKEND_BALANCE_BALANCE_H
#define RPPROXY_PROXY_BACKEND_BALANCE_BALANCE_H

#include "proxy/backend/balance/algorithm.h"

/* For backend.c. */
const struct balance_algorithm *balance_algorithm(enum balance balance);

/* For backend.c. The balancer of a worker; the worker's index staggers the balancers of a backend,
 * so that workers do not all begin with the first server. NULL: out of memory. */
struct balancer *balancer_new(const struct backend *backend, unsigned worker)
    __attribute__((warn_unused_result));
void balancer_free(struct balancer *balancer); /* NULL is fine */

/* The server that the session is to be connected to, or NULL: no server has a share, or all that
 * have one are among the tried ones. On the worker's thread. */
struct server *balancer_next(struct balancer *balancer, const struct choice *choice);

/* A server has a share now; looks at the servers if they have changed. On the worker's thread. */
bool balancer_has_usable(struct balancer *balancer);

/* balancer_next() needs the session's key. */
static inline bool balancer_is_keyed(const struct balancer *balancer)
{
    return balancer->algorithm->keyed;
}

/* After balancer_next(): no server at all has a share. */
static inline bool balancer_is_empty(const struct balancer *balancer)
{
    return balancer->usable == 0;
}

#endif
