/* What the options of checks demand of each other. */
#ifndef RPPROXY_CONFIG_CHECK_RULES_H
#define RPPROXY_CONFIG_CHECK_RULES_H

#include "config/document.h"
#include "config/model/config.h"

/* After the section of the backend was read, with its servers. Options that came from [defaults],
 * and are for another kind of checks, are dropped. */
void check_rules_backend(const struct section *section, struct backend_conf *backend,
                         struct problems *problems);

/* After all backends were read: the servers that check-track names exist and are checked, and none
 * follows itself. places: of the lines of all servers, in the order of backends and servers. */
void check_rules_tracks(const struct config *config, const struct place *places,
                        struct problems *problems);

#endif
