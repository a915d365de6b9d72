/* keepalive: of struct tcp_tuning, without the user timeout. */
#ifndef RPPROXY_CONFIG_OPTIONS_TCP_VALUES_H
#define RPPROXY_CONFIG_OPTIONS_TCP_VALUES_H

#include "config/options/options.h"

extern const struct option_custom keepalive_custom;

#endif
