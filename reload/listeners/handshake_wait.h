/* Waits for clients that had begun to connect: until every handshake that was under way has arrived
 * in the accept queue of its listener, and the queues of the caller are empty. */
#ifndef RPPROXY_RELOAD_LISTENERS_HANDSHAKE_WAIT_H
#define RPPROXY_RELOAD_LISTENERS_HANDSHAKE_WAIT_H

#include "config/model/config.h"
#include "reload/listeners/binds.h"

#include <event2/event.h>
#include <stdbool.h>

struct handshake_wait;

/* Begins, when no new handshake is steered to the listeners in question any more. A thread of its
 * own waits for a grace period (steering_grace()), and then asks the kernel, so that the loop is
 * not held up. empty is asked from time to time, on_handshakes_over called once, both from the
 * loop; the latter also when timeout is over, even if the thread hangs, with the number of
 * handshakes that have not arrived. The wait has a copy of what it needs of binds. NULL when memory
 * is out. */
struct handshake_wait *handshake_wait_start(const struct binds *binds, struct event_base *base,
                                            millis timeout, bool (*empty)(void *arg),
                                            void (*on_handshakes_over)(size_t late, void *arg),
                                            void *arg) __attribute__((warn_unused_result));

/* Frees, also from on_handshakes_over. A look that is under way ends by itself. NULL is fine. */
void handshake_wait_free(struct handshake_wait *handshake_wait);

#endif
