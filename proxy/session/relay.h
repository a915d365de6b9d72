/* Moving bytes from one side of a session to the other. The engine's thread. */
#ifndef RPPROXY_PROXY_SESSION_RELAY_H
#define RPPROXY_PROXY_SESSION_RELAY_H

#include "proxy/session/conn.h"

enum relay {
    RELAY_OK,          /* all that could be moved was moved */
    RELAY_MORE,        /* from still has bytes, and had its share: call again, next turn */
    RELAY_FROM_FAILED, /* from was reset, or failed otherwise */
    RELAY_TO_FAILED,   /* to was; see relay_last() */
    RELAY_NO_MEMORY,
};

/* Moves what can be moved from one side to its peer: first what the peer did not take last time,
 * then what arrives, then the end of the stream. Reads nothing while the peer takes no more, so
 * that a peer that stalls is felt by the sender (backpressure). What a peer does not take is kept
 * in memory; that is little (engine_room()), mostly less than 64 KiB. Adds the bytes that were
 * received and sent to engine->moved.
 *
 * A direction that proves bulky reads more at a time, and then moves through a pipe if the engine
 * can, which spares both copies; until it is small or idle again. A byte that TCP marks as urgent
 * is not moved: it is outside the stream that recv(2) sees. */
enum relay relay(struct conn *from, struct engine *engine) __attribute__((warn_unused_result));

/* Sends what its connection did not take, as far as it takes it now. */
enum relay relay_flush(struct conn *to, struct engine *engine) __attribute__((warn_unused_result));

/* Of a connection that was reset, as a send to it has found: moves what it had said until then, as
 * far as its peer takes it at once, but no end of the stream. */
void relay_last(struct conn *from, struct engine *engine);

#endif
