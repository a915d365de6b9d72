/* Options of the log whose values are more than a word. */
#ifndef RPPROXY_CONFIG_OPTIONS_LOG_VALUES_H
#define RPPROXY_CONFIG_OPTIONS_LOG_VALUES_H

#include "config/options/options.h"

extern const struct option_custom option_log;        /* struct log_place */
extern const struct option_custom option_log_format; /* struct log_format */
extern const struct option_custom option_access_log; /* struct access_log_conf */

#endif
