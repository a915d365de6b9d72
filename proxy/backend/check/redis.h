/* check = redis: PING, after AUTH where the file has a password, and ROLE where it asks for a role.
 * All commands are sent at once, so that a check takes one round trip.
 *
 * Passes on +PONG and the role that is wanted. Every error fails, in the words of the server:
 * LOADING (the data is not there yet), MASTERDOWN (a replica without its master that is not to
 * serve old data), NOAUTH as well: a server that wants a password says so also while it is loading,
 * so the check would not know whether it can be used.
 *
 * The protocol is RESP2: redis.io/docs/latest/develop/reference/protocol-spec. */
#ifndef RPPROXY_PROXY_BACKEND_CHECK_REDIS_H
#define RPPROXY_PROXY_BACKEND_CHECK_REDIS_H

#include "proxy/backend/check/dialogue.h"

extern const struct dialogue_kind redis_dialogue;

#endif
