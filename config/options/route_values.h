/* The value of `route`: CONDITION ... BACKEND. */
#ifndef RPPROXY_CONFIG_OPTIONS_ROUTE_VALUES_H
#define RPPROXY_CONFIG_OPTIONS_ROUTE_VALUES_H

#include "config/options/options.h"

/* Of a struct route_list. The names of backends are only kept: config/routes.h finds the backends
 * when all sections have been read, and reads the maps. */
extern const struct option_custom route_values;

#endif
