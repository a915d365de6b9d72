/* The values of the options that decide which clients of a frontend come in. */
#ifndef RPPROXY_CONFIG_OPTIONS_ADMISSION_VALUES_H
#define RPPROXY_CONFIG_OPTIONS_ADMISSION_VALUES_H

#include "config/options/options.h"

/* allow and deny: both add to one struct address_rules, in the order of the file, with the values
 * ACCESS_ALLOW and ACCESS_DENY. */
extern const struct option_custom access_allow, access_deny;

/* struct rate */
extern const struct option_custom rate_custom;

#endif
