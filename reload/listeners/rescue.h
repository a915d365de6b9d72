/* Clients that the other process of a reload had not accepted when it was lost: they stand in the
 * queues of its listeners, which are still open, since this process holds duplicates. */
#ifndef RPPROXY_RELOAD_LISTENERS_RESCUE_H
#define RPPROXY_RELOAD_LISTENERS_RESCUE_H

#include "proxy/proxy.h"
#include "reload/listeners/binds.h"
#include "reload/listeners/offer.h"

struct rescue;

/* What serves them; all of it outlives the rescue. */
struct rescue_means {
    struct proxy *proxy;
    const struct binds *binds;
    struct event_base *base;
    unsigned most;         /* sessions, of all that the process has */
    millis linger_timeout; /* of the configuration */
};

/* Begins, when the groups are steered to this process: clients that are in the queues, or still
 * arrive there, are served here, beyond the limits of the configuration too, since they would be
 * reset otherwise; but not beyond the descriptors of this process. Then calls on_over from the
 * loop, for what was kept to be closed and the rescue freed: when all handshakes under way have
 * arrived, or after linger-timeout, or three seconds, since stops and reloads wait for it. NULL
 * when memory is out.
 */
struct rescue *rescue_start(struct offer *kept, const struct rescue_means *means,
                            void (*on_over)(void *arg), void *arg)
    __attribute__((warn_unused_result));

/* Frees, also from on_over, and closes what was kept of addresses that lie under a wildcard bind of
 * this process: their clients come to that one from then on. NULL is fine. */
void rescue_free(struct rescue *rescue);

#endif
