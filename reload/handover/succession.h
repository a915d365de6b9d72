/* The successor's part of a reload: take the offer, prepare, say so, wait for the word.
 *
 *   SUCCESSION_EXPECTING  HELLO is sent, the offer is on its way
 *   SUCCESSION_CHECKING   we listen; servers of which nothing is known have their first check
 *   SUCCESSION_PREPARED   READY is sent: we listen, and receive nothing yet
 *   SUCCESSION_CANARY     CANARY came: we accept what the predecessor lets us have
 *   SUCCESSION_BACK       BACK came: our listeners are being closed
 *   SUCCESSION_SERVING    COMMIT came: we serve; the predecessor lingers until CLOSED
 *   SUCCESSION_ALONE      the predecessor was lost: we serve, and the clients that it had not
 * accepted yet as well
 *
 * If the predecessor is lost, at any time, we go on alone. */
#ifndef RPPROXY_RELOAD_HANDOVER_SUCCESSION_H
#define RPPROXY_RELOAD_HANDOVER_SUCCESSION_H

#include "reload/handover/replacement.h"

#include <stdbool.h>

struct generation;
struct message_server;
struct succession;

/* Takes over the inherited channel and greets. generation->succession is set until the predecessor
 * has closed its listeners, or is gone and its clients are served. False: out of memory. */
bool succession_begin(struct generation *generation, int fd) __attribute__((warn_unused_result));

/* To the predecessor; NULL: it is gone. */
struct channel *succession_channel(const struct succession *succession);

/* The predecessor need not stand by any longer. */
void succession_hurry(struct succession *succession);

/* A server has changed: a predecessor that lingers is told so. NULL is fine. */
void succession_tell_server(struct succession *succession, const struct message_server *record);

/* We end at once, by order: a predecessor that would serve again stops instead. NULL is fine. */
void succession_tell_end(struct succession *succession);

/* A canary does not want to go on. */
void succession_ask_back(struct succession *succession);

/* A canary has closed its listeners. Returns the predecessor, as replacement_begin() takes it. */
struct replacement succession_returned(struct generation *generation);

/* An error line, for the command that asked for the reload. */
void succession_progress(struct succession *succession, const char *line);

/* NULL is fine. */
void succession_free(struct succession *succession);

#endif
