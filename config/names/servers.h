/* The value of `resolver`: "system", or the addresses of name servers. */
#ifndef RPPROXY_CONFIG_NAMES_SERVERS_H
#define RPPROXY_CONFIG_NAMES_SERVERS_H

#include "config/model/names.h"

#include <stdio.h>

/* Reads "system" or up to RESOLVERS_MOST addresses between blanks: "10.0.0.2", "10.0.0.2:5353",
 * "2001:db8::2", "[2001:db8::2]:5353". Returns NULL, or what is wrong with the value as a static
 * text. Sets only the name servers of conf. */
const char *resolver_read(const char *value, struct resolver_conf *conf)
    __attribute__((warn_unused_result));

void resolver_write(const struct resolver_conf *conf, FILE *out);

#endif
