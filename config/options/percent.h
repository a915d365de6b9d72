/* A share of a whole, written "50%": an unsigned, 0 to 100. */
#ifndef RPPROXY_CONFIG_OPTIONS_PERCENT_H
#define RPPROXY_CONFIG_OPTIONS_PERCENT_H

#include "config/options/options.h"

extern const struct option_custom option_percent;

#endif
