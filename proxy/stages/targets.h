/* The backends that sessions of a frontend may come to: its own, and those of its routes. */
#ifndef RPPROXY_PROXY_STAGES_TARGETS_H
#define RPPROXY_PROXY_STAGES_TARGETS_H

#include "config/model/config.h"

/* Whether `is` is true for one of them. */
bool targets_any(const struct config *config, const struct frontend_conf *frontend,
                 bool (*is)(const struct backend_conf *backend));

#endif
