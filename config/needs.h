/* What options need of others to have an effect: a table beside that of the options. */
#ifndef RPPROXY_CONFIG_NEEDS_H
#define RPPROXY_CONFIG_NEEDS_H

#include "config/document.h"
#include "config/model/config.h"

/* A line of a section, with what the section has become. */
struct need_view {
    const struct config *config;
    const struct document *document;
    const struct frontend_conf *frontend; /* NULL: the section is none */
    const struct backend_conf *backend;   /* the same */
};

/* Returns NULL, or what the option needs here and does not have: "without balance = maglev". A
 * value that is the default needs nothing. */
const char *needs_missing(const struct need_view *view, const struct section *section,
                          const struct entry *entry);

/* The same for an attribute of a server. *attribute is its name. NULL: all have an effect. */
const char *needs_missing_of_server(const struct backend_conf *backend,
                                    const struct server_conf *server, const char **attribute);

#endif
