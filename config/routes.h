/* The backends that routes name, and the files of their maps. */
#ifndef RPPROXY_CONFIG_ROUTES_H
#define RPPROXY_CONFIG_ROUTES_H

#include "config/backend_names.h"
#include "config/syntax/problems.h"

/* When all sections have been read: finds the backends, and reads the maps. What is wrong is added
 * to problems. */
void routes_resolve(struct config *config, const struct backend_names *names,
                    struct problems *problems);

#endif
