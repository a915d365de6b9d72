/* Times that are more than one duration. */
#ifndef RPPROXY_CONFIG_OPTIONS_TIME_VALUES_H
#define RPPROXY_CONFIG_OPTIONS_TIME_VALUES_H

#include "config/options/options.h"

/* struct session_life: "12h jitter=10%" */
extern const struct option_custom session_life_custom;

/* millis: a duration ("0s": IDLE_FOR_EVER), or "frontend": 0 */
extern const struct option_custom backend_idle_custom;

#endif
