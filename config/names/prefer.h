/* Which address of several is tried first: RFC 6724, as far as it decides between addresses of one
 * name. */
#ifndef RPPROXY_CONFIG_NAMES_PREFER_H
#define RPPROXY_CONFIG_NAMES_PREFER_H

#include "config/names/answer.h"

/* Sorts items: first addresses that this machine has a route to from an address of the same kind
 * (a global address is not reached well from a unique local one), then others with a route, then
 * the rest; of these IPv6 before IPv4, else in the order as it was. Asks the kernel by sockets that
 * send nothing. */
void prefer_sort(struct answer_item *items, size_t count);

#endif
