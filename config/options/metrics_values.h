/* Values of the options about the HTTP server of the proxy itself. */
#ifndef RPPROXY_CONFIG_OPTIONS_METRICS_VALUES_H
#define RPPROXY_CONFIG_OPTIONS_METRICS_VALUES_H

#include "config/options/options.h"

/* A struct metrics_addresses; and a struct words with names of backends. */
extern const struct option_custom metrics_addresses_value, ready_backends_value;

#endif
