/* The new process's side of a reload: take the offer, prepare, say so, wait for the order to serve.
 * old_side.h is the other side.
 *
 *   NEW_SIDE_EXPECTING  HELLO is sent, the offer is on its way
 *   NEW_SIDE_CHECKING   this process listens; servers of which nothing is known have a first check
 *   NEW_SIDE_PREPARED   READY is sent: this process listens, and receives nothing yet
 *   NEW_SIDE_CANARY     CANARY came: this process accepts its share
 *   NEW_SIDE_BACK       BACK came: the listeners of this process are being closed
 *   NEW_SIDE_SERVING    COMMIT came: this process serves; the old process lingers until CLOSED
 *   NEW_SIDE_ALONE      the old process was lost: this process serves, and with it the clients that
 *                       the old process had not accepted yet
 *
 * If the old process is lost, at any time, this process goes on alone. */
#ifndef RPPROXY_RELOAD_HANDOVER_NEW_SIDE_H
#define RPPROXY_RELOAD_HANDOVER_NEW_SIDE_H

#include "reload/handover/replacement.h"

#include <stdbool.h>

struct backend_conf;
struct frontend;
struct generation;
struct message_server;
struct new_side;
struct server_conf;

/* Takes over the inherited channel, and sends HELLO. generation->new_side is set until the old
 * process has closed its listeners, or is gone and its clients are served. Returns 0 or ENOMEM. */
int new_side_begin(struct generation *generation, int fd) __attribute__((warn_unused_result));

/* To the old process; NULL: it is gone. */
struct channel *new_side_channel(const struct new_side *side);

/* The old process need not stand by any longer. */
void new_side_hurry(struct new_side *side);

/* A server has changed: says so to an old process that stands by or lingers. NULL is fine. */
void new_side_tell_server(struct new_side *side, const struct message_server *record);

/* The same of a frontend that was paused or resumed. */
void new_side_tell_frontend(struct new_side *side, const struct frontend *frontend);

/* This process ends at once, by order: an old process that would serve again stops instead. NULL is
 * fine. */
void new_side_tell_end(struct new_side *side);

/* A canary asks to go back. */
void new_side_ask_back(struct new_side *side);

/* A canary has closed its listeners. Returns the old process, as replacement_begin() takes it. */
struct replacement new_side_returned(struct generation *generation);

/* An error line, for the command that asked for the reload. */
void new_side_progress(struct new_side *side, const char *line);

/* Once the old process has made its offer: it had an address for the name of this server. */
bool new_side_has_address(const struct new_side *side, const struct backend_conf *backend,
                          const struct server_conf *server);

/* NULL is fine. */
void new_side_free(struct new_side *side);

#endif
