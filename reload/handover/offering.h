/* The offer: what the old process says of itself before the new process opens anything (the new
 * process makes a struct offer of it); and the duplicates of listening sockets that each process
 * gives the other. */
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
 * activated socket that no bind uses; DUPLICATES for each bind whose sockets are not passed, unless
 * the new process is of another major version; what is known of each server; the paused frontends;
 * the sockets of the HTTP server; the keys of session tickets; and OFFER, which ends the offer.
 * From OFFER on this process may end in any way, and its descriptors may close in any order: the
 * new process has the clients in the queues of this process, and none of its own listeners moves in
 * its group before it can steer past. highest: the highest generation number that was given out
 * before that of the new process. refused: hash of a configuration that the new process must not
 * serve; 0: none. */
void offering_send(const struct generation *generation, struct channel *successor, unsigned highest,
                   bool forced, bool canary, uint64_t refused);

/* Before anything is steered to the new process: notes of which binds it keeps the listening
 * sockets of this process, which are those of which it has listeners; none where it is of another
 * major version. */
void offering_note_kept(struct binds *binds, const struct channel *successor);

/* The new process: sends DUPLICATES for each bind of which it has sockets of its own, and which is
 * offered or lies under an offered wildcard. The old process holds these listening sockets as well:
 * if the new process fails, the clients in their queues are not lost. */
void offering_send_ours(const struct binds *binds, const struct offer *offer,
                        struct channel *predecessor);

/* OFFER_BIND or DUPLICATES has come: its bind, in offer, with as many of its descriptors as could
 * be taken. NULL: out of memory. */
struct offered *offering_take(struct offer *offer, const struct received *message)
    __attribute__((warn_unused_result));

/* Closes the duplicates of a bind of the new process, unless they are all that it has there: this
 * process is out of descriptors then, and needs them for its clients. True: there was such a bind.
 */
bool offering_close_partial(struct offer *kept, const struct binds *binds);

/* Closes the old process's duplicates of binds that this process does not have: they would stay
 * open here after the old process has closed its own, take clients once more, and reset them. */
void offering_close_foreign(struct offer *kept, const struct binds *binds);

#endif
