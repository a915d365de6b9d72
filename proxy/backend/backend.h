/* Backends: how they are made, and how servers are added. server.h has what a backend is.
 *
 * All functions are for the main thread. */
#ifndef RPPROXY_PROXY_BACKEND_BACKEND_H
#define RPPROXY_PROXY_BACKEND_BACKEND_H

#include "proxy/backend/balance/balance.h"
#include "proxy/backend/server.h"

/* The servers of conf, READY and UP, and a balancer for each of so many workers. conf and reclaimer
 * must outlive the backend. Returns 0 or ENOMEM; backend_close() is needed in either case. */
int backend_open(struct backend *backend, const struct backend_conf *conf, unsigned workers,
                 struct reclaimer *reclaimer) __attribute__((warn_unused_result));

/* Before the workers start: the servers are counted in the tally, also those that come later.
 * number: of the backend in the configuration. */
void backend_count(struct backend *backend, struct tally *tally, size_t number);

/* From now on base, which is the main loop, makes the changes that time brings: the steps of a slow
 * start, and the ends of ejections. base must outlive the backend. */
void backend_start(struct backend *backend, struct event_base *base);

/* The threads of the workers have ended. Harmless on a backend of zeros. */
void backend_close(struct backend *backend);

/* The server of that name, or NULL. */
struct server *backend_find(const struct backend *backend, const char *name);

/* Adds a server while the workers run; conf is the line of the file that it comes from (several
 * servers may come from one). address may be NULL: none yet. NULL: out of memory. */
struct server *backend_add(struct backend *backend, const struct server_conf *conf,
                           const char *name, const struct address *address)
    __attribute__((warn_unused_result));

#endif
