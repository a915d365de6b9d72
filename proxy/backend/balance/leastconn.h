/* leastconn: the server with the fewest sessions in proportion to its share. random: the better of
 * two servers that are drawn at random, a server with twice the share twice as often.
 *
 * The sessions of all workers and processes count (server_used()). Up to LEASTCONN_SCAN servers
 * leastconn looks at all of them; beyond, at two drawn ones as random does, which is nearly as good
 * (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing") and costs the same for
 * any number of servers. Servers that are equal take turns, as many as their shares say. */
#ifndef RPPROXY_PROXY_BACKEND_BALANCE_LEASTCONN_H
#define RPPROXY_PROXY_BACKEND_BALANCE_LEASTCONN_H

#include "proxy/backend/balance/algorithm.h"

#define LEASTCONN_SCAN 16

extern const struct balance_algorithm balance_leastconn, balance_random;

#endif
