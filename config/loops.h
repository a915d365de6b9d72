/* Finds servers that are binds of the same proxy. A backend may use another frontend of the same
 * proxy as a server. But if the sessions return to the same backend, each session opens a further
 * one until no places and no descriptors are left. */
#ifndef RPPROXY_CONFIG_LOOPS_H
#define RPPROXY_CONFIG_LOOPS_H

#include "config/model/config.h"
#include "config/syntax/problems.h"

/* Adds a problem for each server that is part of such a loop. A server is recognised as a bind if
 * it has the bind's address or path, or if the bind is a wildcard with the same port and the
 * server's address is one of this machine (the function reads them from the kernel). The addresses
 * of activated sockets are not known. places: one for each server, in the order of the backends.
 * The backend of a frontend may be NULL. */
void loops_check(const struct config *config, const struct place *places,
                 struct problems *problems);

/* --- for addresses that come later -------------------------------------------------------- */

struct loops;

/* For a configuration, which must outlive it, before the process serves. Exits without memory. */
struct loops *loops_new(const struct config *config)
    __attribute__((returns_nonnull, warn_unused_result));
void loops_free(struct loops *loops);

/* The address of the n-th server of a backend (by its index) now; length 0: it has none. NULL:
 * there is no n-th server. */
typedef const struct address *loops_address(size_t backend, size_t n, void *arg);

/* Returns the bind of this proxy that would accept a connection of backend `from` to that address,
 * if its sessions would return to `from` by the addresses that servers have now; *frontend is the
 * bind's. NULL: there is no such loop. */
const struct bind_conf *loops_find(struct loops *loops, size_t from, const struct address *address,
                                   loops_address *addresses, void *arg,
                                   const struct frontend_conf **frontend);

#endif
