/* The option resolver. */
#ifndef RPPROXY_CONFIG_OPTIONS_RESOLVER_OPTION_H
#define RPPROXY_CONFIG_OPTIONS_RESOLVER_OPTION_H

#include "config/options/options.h"

extern const struct option_custom option_resolver; /* struct resolver_conf, its name servers */

#endif
