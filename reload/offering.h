/* What a predecessor tells its successor of itself before that opens anything (struct offer is what
 * the successor makes of it). */
#ifndef RPPROXY_RELOAD_OFFERING_H
#define RPPROXY_RELOAD_OFFERING_H

#include <stdbool.h>

struct channel;
struct generation;

/* Sends OFFER_BIND for each bind, with its listening sockets where they are passed, and for each
 * activated socket that none uses; what it knows of each server; and OFFER, which ends it. minor:
 * the successor's version of the protocol. highest: the highest generation number that was given
 * out, but for the successor's. */
void offering_send(const struct generation *generation, struct channel *successor, unsigned minor,
                   unsigned highest, bool forced);

#endif
