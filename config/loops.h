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

#endif
