/* Active checks: each server of a backend that asks for it is connected to, again and again, and
 * server.h says what follows from how that went.
 *
 * The main loop does it, never a worker's. The checks of thousands of servers are spread over the
 * interval; CHECKS_MOST connections at most are under way, and what is due beyond that waits for
 * its turn, so that with many servers that do not answer at all the interval becomes longer. A
 * check needs no memory of its own.
 *
 * A connection that comes about is reset at once (as HAProxy does): it leaves no TIME-WAIT behind.
 * A shortage of our own (descriptors, local ports) says nothing of the server, and neither does the
 * full backlog of a Unix socket. A server in MAINT is not connected to. */
#ifndef RPPROXY_PROXY_BACKEND_CHECK_H
#define RPPROXY_PROXY_BACKEND_CHECK_H

#include "proxy/backend/server.h"

#include <event2/event.h>
#include <stddef.h>

#define CHECKS_MOST 256

struct checks;

/* Descriptors that the checks of config take at most. */
unsigned checks_descriptors(const struct config *config);

/* Makes what the servers of these backends need to be checked; both must outlive it. NULL and errno
 * on failure. */
struct checks *checks_new(struct backend *backends, size_t count, struct event_base *base)
    __attribute__((warn_unused_result));

/* Begins. A server whose next check is planned (server_state) has it then, others somewhen within
 * their interval. */
void checks_begin(struct checks *checks);

/* Begins likewise, but with all servers at once of which nothing is known yet. on_met is called
 * once, from the loop: when each of these has been checked, or when `most` milliseconds are over.
 */
void checks_begin_meeting(struct checks *checks, millis most, void (*on_met)(void *arg), void *arg);

/* Ends them; the servers stay as they are. NULL is fine. */
void checks_free(struct checks *checks);

#endif
