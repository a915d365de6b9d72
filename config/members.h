/* Reads the lines of which a section has many: binds and servers. */
#ifndef RPPROXY_CONFIG_MEMBERS_H
#define RPPROXY_CONFIG_MEMBERS_H

#include "config/model/config.h"
#include "config/options/attributes.h"

/* ADDRESS [ATTRIBUTE ...]. user: what the process will become, or NULL. Returns false, and has
 * added what is wrong to context->problems: nothing is to be freed then. */
bool bind_read(const char *value, const char *user, struct bind_conf *bind,
               const struct option_context *context) __attribute__((warn_unused_result));

/* NAME ADDRESS [ATTRIBUTE ...]; the same. */
bool server_read(const char *value, struct server_conf *server,
                 const struct option_context *context) __attribute__((warn_unused_result));

#endif
