/* source: a struct source_choice. */
#ifndef RPPROXY_CONFIG_OPTIONS_SOURCE_VALUE_H
#define RPPROXY_CONFIG_OPTIONS_SOURCE_VALUE_H

#include "config/options/options.h"

extern const struct option_custom source_value;

#endif
