/* What a predecessor tells its successor of itself before that opens anything (struct offer is what
 * the successor makes of it); and the listening sockets that either gives the other to keep. */
#ifndef RPPROXY_RELOAD_HANDOVER_OFFERING_H
#define RPPROXY_RELOAD_HANDOVER_OFFERING_H

#include <stdbool.h>
#include <stdint.h>

struct binds;
struct channel;
struct generation;
struct offer;
struct offered;
struct received;

/* Sends OFFER_BIND for each bind, with its listening sockets where they are passed, and for each
 * activated socket that none uses; KEEP for each bind whose sockets are not passed, unless the
 * successor is of another major version; what it knows of each server; and OFFER, which ends it.
 * However we end from OFFER on, and in whatever order our descriptors close, the successor has who
 * is in our queues, and none of its own listeners is moved in its group before it is there to steer
 * past. highest: the highest generation number that was given out, but for the successor's. */
void offering_send(const struct generation *generation, struct channel *successor, unsigned highest,
                   bool forced, bool canary, uint64_t refused);

/* Before the successor is steered to: notes of which binds it keeps our listening sockets, which
 * are those of which it has listeners; none where it is of another major version. */
void offering_note_kept(struct binds *binds, const struct channel *successor);

/* The successor's part: sends KEEP for each bind of which we have our own sockets, and which is
 * offered or lies under an offered wildcard. The predecessor holds our listening sockets as well:
 * if we fail, who is in their queues is not lost. */
void offering_send_ours(const struct binds *binds, const struct offer *offer,
                        struct channel *predecessor);

/* OFFER_BIND or KEEP has come: its bind, in offer, with its descriptors, as many as could be taken.
 * NULL: out of memory. */
struct offered *offering_take(struct offer *offer, const struct received *message)
    __attribute__((warn_unused_result));

/* Closes what the successor gave us to keep of a bind, unless it is all that it has there: we are
 * out of descriptors then, and need them for our clients. True: there was such a bind. */
bool offering_close_partial(struct offer *kept, const struct binds *binds);

/* Closes what the predecessor gave us to keep of binds that we do not have: open in our hands, they
 * would outlive its closing, take clients once more, and reset them. */
void offering_close_foreign(struct offer *kept, const struct binds *binds);

#endif
