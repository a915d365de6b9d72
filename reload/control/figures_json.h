/* Figures of frontends, backends and servers as `status --json` has them: of all generations since
 * the first one was started. */
#ifndef RPPROXY_RELOAD_CONTROL_FIGURES_JSON_H
#define RPPROXY_RELOAD_CONTROL_FIGURES_JSON_H

#include "proxy/stats/tally_sums.h"

#include <jansson.h>

/* Each adds members to an object, which may be NULL. */
void figures_json_frontend(json_t *object, const struct frontend_figures *figures);
void figures_json_server(json_t *object, const struct server_figures *figures,
                         const struct server_events *events);

/* Of a backend with a queue. */
void figures_json_queue(json_t *object, const struct backend_figures *figures);

#endif
