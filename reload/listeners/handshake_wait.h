/* Waits for clients that had begun to connect: until every handshake that was under way has arrived
 * in the accept queue of its listener, and the queues of the caller are empty. */
#ifndef RPPROXY_RELOAD_LISTENERS_HANDSHAKE_WAIT_H
#define RPPROXY_RELOAD_LISTENERS_HANDSHAKE_WAIT_H

#include "config/model/config.h"
#include "reload/listeners/binds.h"

#include <event2/event.h>
#include <stdbool.h>

struct handshake_wait;

/* Begins, when no new handshake is steered to the listeners in question any more; blocks for a
 * grace period of some ten milliseconds first (steering_grace()). empty is asked from time to time,
 * on_handshakes_over called once, both from the loop; the latter also when timeout is over, with
 * the number of handshakes that have not arrived. NULL when memory is out. */
struct handshake_wait *handshake_wait_start(const struct binds *binds, struct event_base *base,
                                            millis timeout, bool (*empty)(void *arg),
                                            void (*on_handshakes_over)(size_t late, void *arg),
                                            void *arg) __attribute__((warn_unused_result));

/* Frees, also from on_handshakes_over. NULL is fine. */
void handshake_wait_free(struct handshake_wait *handshake_wait);

#endif
