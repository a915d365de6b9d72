/* Clients whom the other process of a reload had not accepted when it was lost: they stand in the
 * queues of its listeners, of which we hold descriptors as well (KEEP), and which therefore are
 * still open. */
#ifndef RPPROXY_RELOAD_RESCUE_H
#define RPPROXY_RELOAD_RESCUE_H

#include "proxy/proxy.h"
#include "reload/binds.h"
#include "reload/offer.h"

#include <event2/event.h>

struct rescue;

/* Begins, when the groups are steered to us: whoever is in the queues, or arrives there yet, is
 * served here, beyond the limits too, since it would be reset otherwise. Then calls on_over from
 * the loop, for what was kept to be closed and the rescue freed. timeout bounds the wait for
 * handshakes. NULL when memory is out. */
struct rescue *rescue_start(struct offer *kept, const struct binds *binds, struct proxy *proxy,
                            struct event_base *base, millis timeout, void (*on_over)(void *arg),
                            void *arg) __attribute__((warn_unused_result));

/* Frees, also from on_over. NULL is fine. */
void rescue_free(struct rescue *rescue);

#endif
