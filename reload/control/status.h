/* What `rpproxy status` shows, as the JSON object that --json prints. Names and meanings are
 * stable; more may come. */
#ifndef RPPROXY_RELOAD_CONTROL_STATUS_H
#define RPPROXY_RELOAD_CONTROL_STATUS_H

#include <jansson.h>

struct generation;

/* A new reference, or NULL when memory is out. */
json_t *status_json(const struct generation *generation) __attribute__((warn_unused_result));

#endif
