/* Weighted round robin: earliest deadline first.
 *
 * The turns of a server come 1/share apart, and the server with the earliest turn is next. Turns of
 * different servers interleave as evenly as they can, and a choice costs O(log servers), so that a
 * backend may have thousands.
 *
 * A server that joins, or joins again, waits for its first turn as if it had just had one: it does
 * not catch up on turns of the past. A server that is passed over, since it was tried or is full,
 * keeps its turn. Full servers rest outside of the heap, so that a choice does not meet them again,
 * and return to it when they may have room (pool_room()). */
#ifndef RPPROXY_PROXY_BACKEND_BALANCE_ROUNDROBIN_H
#define RPPROXY_PROXY_BACKEND_BALANCE_ROUNDROBIN_H

#include "proxy/backend/balance/algorithm.h"

extern const struct balance_algorithm balance_roundrobin;

#endif
