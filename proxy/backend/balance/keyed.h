/* source and maglev: sessions with one key go to one server. They differ in the table that the main
 * thread makes and publishes (table.h); the rest is the same:
 *
 * The key's slot has the server. If this one has no share, or is excluded, the key has further
 * slots in an order that only the key decides, so that each worker and each proxy goes on in the
 * same way, and the keys of one server spread over all others. A server with less than its whole
 * share (slow start) in a table_map() has so many of its keys, always the same, and then more.
 *
 * A session without a key (choice->key 0) gets a server by chance, in proportion to the shares. */
#ifndef RPPROXY_PROXY_BACKEND_BALANCE_KEYED_H
#define RPPROXY_PROXY_BACKEND_BALANCE_KEYED_H

#include "proxy/backend/balance/algorithm.h"

extern const struct balance_algorithm balance_source, balance_maglev;

#endif
