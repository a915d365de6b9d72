/* Opens the binds of a configuration, all of them or none. */
#ifndef RPPROXY_RELOAD_LISTENERS_OPENING_H
#define RPPROXY_RELOAD_LISTENERS_OPENING_H

#include "reload/listeners/binds.h"

/* How many listening sockets a bind that is not passed gets. */
unsigned opening_sockets(const struct bind_conf *bind, unsigned workers);

/* Opens every bind of config, or none: a sharded bind has one listener for each worker, and
 * GROUP_MIN at least, those of a shared one GROUP_MIN (group.h says why); what offer holds
 * descriptors for is taken over, however many they are, and kept where it comes from the service
 * manager and no bind uses it. A Unix socket listens under a temporary name until binds_publish().
 * An address that is not offered (as in a cold start) and on which a program listens is refused,
 * even where SO_REUSEPORT would let this process join. offer and duplicates may be NULL.
 *
 * The old process may listen there. This process has duplicates of the listening sockets that
 * the old process does not pass. Where the new configuration has an address, and the old process
 * the wildcard of its port, the new listeners wait until COMMIT (binds_listen_late()), and so do
 * others that would take clients from the old process (listen_address_takes()). Where both
 * processes have two binds of one IPv4 address, one of them for a single interface, the sockets of
 * this bind begin to listen right after those of the other bind. In between a few clients of the
 * interface may come to the other bind. Where the new configuration has the wildcard, and only the
 * old process the address, the duplicates stay open, and serve the wildcard bind (bound->covered):
 * closing them would delay or reset clients that are about to come. Where both have an address that
 * is not on this machine now, or an interface that is not, the duplicates are used, for its return
 * (bound->absent).
 *
 * On failure passes each error to report ("FILE:LINE: ..."), and returns NULL. */
struct binds *binds_open(const struct config *config, unsigned workers, struct offer *offer,
                         struct offer *duplicates, void (*report)(const char *line, void *arg),
                         void *arg) __attribute__((warn_unused_result));

/* This process serves from now on: the listeners that wait listen. An error is logged. */
void binds_listen_late(struct binds *binds);

#endif
