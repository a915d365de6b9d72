/* The conditions of .if and .elif in a haproxy.cfg. */
#ifndef RPPROXY_CONFIG_IMPORT_HAPROXY_CONDITION_H
#define RPPROXY_CONFIG_IMPORT_HAPROXY_CONDITION_H

#include "config/import/haproxy/environment.h"

/* Judges the condition, as a HAProxy of version 2.8 with all its parts would; what depends on that
 * is noted. A condition that is not understood is lost, and false. */
bool hap_condition(struct import *import, const struct hap_environment *environment,
                   struct origin origin, const char *text);

#endif
