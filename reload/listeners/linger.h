/* The end of a generation's listeners, without the loss of one connection: no new handshake may
 * begin, those under way arrive, the backlogs are emptied, and only then everything closes. */
#ifndef RPPROXY_RELOAD_LISTENERS_LINGER_H
#define RPPROXY_RELOAD_LISTENERS_LINGER_H

#include "config/model/config.h"
#include "proxy/proxy.h"
#include "reload/listeners/binds.h"

#include <stdbool.h>

struct lingering;

/* Begins. alone: no successor takes the addresses over, they end here. Once the listeners are
 * closed on_over is called from the loop; the linger is still to be freed. timeout bounds the wait
 * for handshakes; what has not arrived by then is lost, and the log says how many.
 * NULL when memory is out. */
struct lingering *lingering_start(struct binds *binds, struct proxy *proxy, struct event_base *base,
                                  millis timeout, bool alone, void (*on_over)(void *arg), void *arg)
    __attribute__((warn_unused_result));

/* The proxy's on_quiet, to be passed on; NULL is fine. */
void lingering_on_quiet(struct lingering *lingering);

/* Frees; before on_over the listeners stay open, and the caller takes them back. NULL is fine. */
void lingering_free(struct lingering *lingering);

#endif
