/* Which stages the sessions of a frontend pass, and in which order (session/stage.h): the access
 * list, the PROXY header, the first bytes and the route, the queue for a place of a server. The
 * configuration decides; a frontend that asks for none has no list.
 *
 * A module of this folder has a function that makes its stage for a frontend; stage_list.c has them
 * in a table. */
#ifndef RPPROXY_PROXY_STAGES_STAGE_LIST_H
#define RPPROXY_PROXY_STAGES_STAGE_LIST_H

#include "proxy/session/service.h"
#include "proxy/session/stage.h"

/* Makes frontend->stages; before the workers start. Returns 0, or an errno value: there is no list.
 */
int stage_list_open(const struct service *service, struct frontend *frontend)
    __attribute__((warn_unused_result));

/* After the workers have stopped; harmless where there is no list. */
void stage_list_close(struct frontend *frontend);

#endif
