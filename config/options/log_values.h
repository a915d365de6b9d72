/* Options of the log whose values are more than a word. */
#ifndef RPPROXY_CONFIG_OPTIONS_LOG_VALUES_H
#define RPPROXY_CONFIG_OPTIONS_LOG_VALUES_H

#include "config/options/options.h"

extern const struct option_custom option_log; /* struct log_place */

#endif
