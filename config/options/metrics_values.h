/* Values of the options about the HTTP server of the proxy itself. */
#ifndef RPPROXY_CONFIG_OPTIONS_METRICS_VALUES_H
#define RPPROXY_CONFIG_OPTIONS_METRICS_VALUES_H

#include "config/options/options.h"

/* A struct metrics_addresses, a struct metrics_users, and a struct words. */
extern const struct option_custom metrics_addresses_value, metrics_auth_value, words_value;

/* Adds the user of a line "NAME:HASH" or "NAME:HASH:admin", which it splits. Returns NULL, or what
 * is wrong, as a list_taker does. users: a struct metrics_users. */
const char *metrics_user_add(void *users, char *line);

#endif
