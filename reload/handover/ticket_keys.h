/* The keys of session tickets, as they go from process to process (config/tls/ticket_ring.h):
 * MESSAGE_TICKETS, once, before OFFER. The first process with a frontend that needs keys makes
 * them; a process that needs none passes them on as well. Main thread. */
#ifndef RPPROXY_RELOAD_HANDOVER_TICKET_KEYS_H
#define RPPROXY_RELOAD_HANDOVER_TICKET_KEYS_H

struct channel;
struct generation;
struct received;

/* The new process: MESSAGE_TICKETS has come, and generation->ticket_keys has them. What cannot be
 * taken is made anew. */
void ticket_keys_hear(struct generation *generation, const struct received *message);

/* There is a configuration, and no worker runs: gives its frontends the keys. Returns 0 or an errno
 * value. */
int ticket_keys_begin(struct generation *generation) __attribute__((warn_unused_result));

/* The old process: to the new one. */
void ticket_keys_send(const struct generation *generation, struct channel *successor);

/* No connection is left. */
void ticket_keys_end(struct generation *generation);

#endif
