/* Opens the binds of a configuration, all of them or none. */
#ifndef RPPROXY_RELOAD_LISTENERS_OPENING_H
#define RPPROXY_RELOAD_LISTENERS_OPENING_H

#include "reload/listeners/binds.h"

/* Opens every bind of config, or none: the listeners a sharded bind has are the worker count's, and
 * GROUP_MIN at least, those of a shared one GROUP_MIN (group.h says why); what offer holds
 * descriptors for is taken over, however many they are, and kept where it comes from the service
 * manager and no bind uses it. A Unix socket listens under a temporary name until binds_publish().
 * An address that is not offered (as in a cold start) and on which anybody listens is refused, even
 * where SO_REUSEPORT would let us join. offer may be NULL.
 * On failure tells each error to report ("FILE:LINE: ..."), and returns NULL. */
struct binds *binds_open(const struct config *config, unsigned workers, struct offer *offer,
                         void (*report)(const char *line, void *arg), void *arg)
    __attribute__((warn_unused_result));

#endif
