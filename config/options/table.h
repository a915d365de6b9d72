/* What the tables of options share; for table_*.c only. A row is an option, or an
 * attribute of a bind or server line. Each table ends with a row without a name. */
#ifndef RPPROXY_CONFIG_OPTIONS_TABLE_H
#define RPPROXY_CONFIG_OPTIONS_TABLE_H

#include "config/model/config.h"
#include "config/options/options.h"

#include <limits.h>
#include <stddef.h>

/* Without the row at the end. */
#define OPTIONS_IN(table) (sizeof(table) / sizeof *(table)-1)

#define SECOND 1000ULL
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)

#define SUN_PATH_MAX 107

#define FRONTENDS (IN(SECTION_FRONTEND) | IN(SECTION_LISTEN))
#define BACKENDS  (IN(SECTION_BACKEND) | IN(SECTION_LISTEN))

#define OF_CONFIG(member) .owner = OWNER_CONFIG, .offset = offsetof(struct config, member)
#define OF_FRONTEND(member)                                                                        \
    .owner = OWNER_FRONTEND, .offset = offsetof(struct frontend_conf, member)
#define OF_BACKEND(member) .owner = OWNER_BACKEND, .offset = offsetof(struct backend_conf, member)
#define OF_BIND(member)    .owner = OWNER_BIND, .offset = offsetof(struct bind_conf, member)
#define OF_SERVER(member)  .owner = OWNER_SERVER, .offset = offsetof(struct server_conf, member)

/* [listen] and [defaults] set these for the frontend and for the backend. */
#define OF_SIDE(member) .owner = OWNER_SIDE, .offset = offsetof(struct frontend_conf, member)
_Static_assert(offsetof(struct frontend_conf, congestion) ==
                       offsetof(struct backend_conf, congestion) &&
                   offsetof(struct frontend_conf, tcp) == offsetof(struct backend_conf, tcp),
               "OWNER_SIDE needs one offset for both structs");

#endif
