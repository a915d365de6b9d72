/* The answer to `rpproxy events`: events as they come, until the command hangs up. */
#ifndef RPPROXY_RELOAD_CONTROL_EVENTS_H
#define RPPROXY_RELOAD_CONTROL_EVENTS_H

#include <jansson.h>

struct client;

/* request: {"last": 5}: beginning with the last 5; or {"instance": "...", "after": 17}, of a
 * command that has heard of number 17 from another process: beginning with number 18. The answer:
 *
 *   {"events": {"instance": "...", "newest": 17, "lost": 0}}   lost: not kept any more
 *   {"number": 18, "event": "server-down", ...}
 *
 * A command that does not take what it is sent is told so by a result, and cut off. */
void events_answer(struct client *client, const json_t *request);

#endif
