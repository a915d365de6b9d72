/* Session handoff: a generation that drains sends its established sessions to the one that serves,
 * over the channel between them.
 *
 * Flow is controlled by acknowledgement: a fixed number of transfers, each of up to 16 sessions,
 * is under way at a time. What may still be connecting follows once it is established; what the
 * other side does not take ends here. */
#ifndef RPPROXY_RELOAD_HANDOVER_SESSION_HANDOFF_H
#define RPPROXY_RELOAD_HANDOVER_SESSION_HANDOFF_H

#include "proxy/proxy.h"
#include "reload/handover/channel.h"

#include <stdbool.h>
#include <stdint.h>

struct handoff;

/* Begins. The channel outlives it, or handoff_abort() comes before. NULL: out of memory. */
struct handoff *handoff_begin(struct proxy *proxy, struct channel *channel, struct event_base *base)
    __attribute__((warn_unused_result));

/* MESSAGE_TAKEN has come. */
void handoff_on_taken(struct handoff *handoff, const struct received *message);

/* No more sessions are to move: those that were not sent go on here. Of those that were the other
 * side still decides, so handoff_on_taken() and handoff_abort() are to be called as before. */
void handoff_end(struct handoff *handoff);

/* The other side is gone, and all that it said was heard: those that it has not taken go on. Or it
 * lives (alive) and cannot be understood: it may have any that was sent, so that none of these goes
 * on here. */
void handoff_abort(struct handoff *handoff, bool alive);

/* Something is sent, and the other side's answer is due. */
bool handoff_is_waiting(const struct handoff *handoff);

/* Sessions that moved. */
uint64_t handoff_moved(const struct handoff *handoff);

/* After proxy_free(). NULL is fine. */
void handoff_free(struct handoff *handoff);

/* The other side: takes in what a MESSAGE_HANDOFF brought, no more than room sessions, and answers.
 * *arrived: how many it took. Nobody may be there to hear the answer: a sender that has died since
 * leaves what it sent to us. False: it could not answer a sender that lives, has taken none, and
 * the channel must be closed so that the sender knows. */
bool handoff_receive(struct proxy *proxy, struct channel *channel, const struct received *message,
                     unsigned room, unsigned *arrived) __attribute__((warn_unused_result));

#endif
