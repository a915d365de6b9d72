/* The successor's part of a reload: take the offer, prepare, say so, wait for the word.
 *
 *   NEW_SIDE_EXPECTING  HELLO is sent, the offer is on its way
 *   NEW_SIDE_CHECKING   we listen; servers of which nothing is known have their first check
 *   NEW_SIDE_PREPARED   READY is sent: we listen, and receive nothing yet
 *   NEW_SIDE_CANARY     CANARY came: we accept what the predecessor lets us have
 *   NEW_SIDE_BACK       BACK came: our listeners are being closed
 *   NEW_SIDE_SERVING    COMMIT came: we serve; the predecessor lingers until CLOSED
 *   NEW_SIDE_ALONE      the predecessor was lost: we serve, and the clients that it had not
 * accepted yet as well
 *
 * If the predecessor is lost, at any time, we go on alone. */
#ifndef RPPROXY_RELOAD_HANDOVER_NEW_SIDE_H
#define RPPROXY_RELOAD_HANDOVER_NEW_SIDE_H

#include "reload/handover/replacement.h"

#include <stdbool.h>

struct generation;
struct message_server;
struct new_side;

/* Takes over the inherited channel and greets. generation->new_side is set until the predecessor
 * has closed its listeners, or is gone and its clients are served. False: out of memory. */
bool new_side_begin(struct generation *generation, int fd) __attribute__((warn_unused_result));

/* To the predecessor; NULL: it is gone. */
struct channel *new_side_channel(const struct new_side *side);

/* The predecessor need not stand by any longer. */
void new_side_hurry(struct new_side *side);

/* A server has changed: a predecessor that lingers is told so. NULL is fine. */
void new_side_tell_server(struct new_side *side, const struct message_server *record);

/* We end at once, by order: a predecessor that would serve again stops instead. NULL is fine. */
void new_side_tell_end(struct new_side *side);

/* A canary does not want to go on. */
void new_side_ask_back(struct new_side *side);

/* A canary has closed its listeners. Returns the predecessor, as replacement_begin() takes it. */
struct replacement new_side_returned(struct generation *generation);

/* An error line, for the command that asked for the reload. */
void new_side_progress(struct new_side *side, const char *line);

/* NULL is fine. */
void new_side_free(struct new_side *side);

#endif
