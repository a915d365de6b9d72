/* Reads the lines of which a section has many: binds and servers. */
#ifndef RPPROXY_CONFIG_MEMBERS_H
#define RPPROXY_CONFIG_MEMBERS_H

#include "config/model/config.h"
#include "config/options/attributes.h"

/* What all binds of a configuration are read with. */
struct bind_means {
    const char *user;                     /* what the process will become, or NULL */
    const struct resolver_conf *resolver; /* for binds with a name: */
    bool no_answer; /* no name server answers: set by bind_read(), which then asks no more */
};

/* ADDRESS [ATTRIBUTE ...]. Blocks while a name is resolved, at most four times the resolver's
 * timeout. Returns false, and has added what is wrong to context->problems: nothing is to be freed
 * then. */
bool bind_read(const char *value, struct bind_means *means, struct bind_conf *bind,
               const struct option_context *context) __attribute__((warn_unused_result));

/* NAME ADDRESS [ATTRIBUTE ...]; the same, but names are not resolved. The caller frees name, host
 * and where. */
bool server_read(const char *value, struct server_conf *server,
                 const struct option_context *context) __attribute__((warn_unused_result));

#endif
