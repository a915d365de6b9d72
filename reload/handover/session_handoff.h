/* Session handoff: established sessions go to the process that serves from now on, over the channel
 * between the two.
 *
 * Flow is controlled by acknowledgement: a fixed number of transfers, each of up to 16 sessions, is
 * under way at a time. What the other side does not take ends here.
 *
 * The first pass comes before the sender's listeners are closed. If the other process is lost in
 * it, the sender serves again, with all sessions that were not taken. Sessions that were still
 * connecting follow when they are established, after the close (handoff_go_on()).
 *
 * A session that was sent is parked until it is acknowledged. If the other side gives no answer, it
 * is killed first (heartbeat.h). Then its parked sessions are taken back where that is sound: after
 * the end of the channel, when all that the other side had acknowledged was heard and none of its
 * threads runs any more. It is not sound where the other side may still run (it cannot be killed,
 * or has sent what nobody understands): two processes would be at work on one connection. Then the
 * sessions are left to it, and are lost with it. */
#ifndef RPPROXY_RELOAD_HANDOVER_SESSION_HANDOFF_H
#define RPPROXY_RELOAD_HANDOVER_SESSION_HANDOFF_H

#include "proxy/proxy.h"
#include "reload/handover/channel.h"

#include <stdbool.h>
#include <stdint.h>

struct handoff;

/* Begins the first pass. on_idle is called once, from the loop, when it is over: all that could
 * move has moved or was refused. The channel outlives it, or handoff_abort() comes before. NULL:
 * out of memory. */
struct handoff *handoff_begin(struct proxy *proxy, struct channel *channel, struct event_base *base,
                              void (*on_idle)(void *arg), void *arg)
    __attribute__((warn_unused_result));

/* After the first pass: all that may move later moves then. Harmless after handoff_end(). NULL is
 * fine. */
void handoff_go_on(struct handoff *handoff);

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

/* Before handoff_go_on(): as handoff_abort(), and frees it when the workers have done with it. */
void handoff_discard(struct handoff *handoff, bool alive);

/* After proxy_free(). NULL is fine. */
void handoff_free(struct handoff *handoff);

/* The other side: takes in what a MESSAGE_HANDOFF brought, no more than room sessions, and answers.
 * Returns how many it took. Nobody may be there to hear the answer: a sender that has died since
 * leaves what it sent to this process. Where the answer cannot be sent at once, none is taken. */
unsigned handoff_receive(struct proxy *proxy, struct channel *channel,
                         const struct received *message, unsigned room);

#endif
