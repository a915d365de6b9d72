/* Servers that are the proxy's own binds. One proxy may use another frontend of its own as a
 * server; but where sessions come back to the backend from which they went, each of them takes
 * places and descriptors until there are none left. */
#ifndef RPPROXY_CONFIG_LOOPS_H
#define RPPROXY_CONFIG_LOOPS_H

#include "config/model/config.h"
#include "config/syntax/problems.h"

/* Adds a problem for each server that is part of such a loop, as far as it can be known: an address
 * of this machine (which are asked for now) on a port of a wildcard bind, the address of a bind, or
 * a Unix bind's path. It is not known what address an activated socket has. places: of all servers,
 * those of the first backend first. A frontend may lack its backend. */
void loops_check(const struct config *config, const struct place *places,
                 struct problems *problems);

#endif
