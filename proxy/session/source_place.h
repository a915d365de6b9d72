/* What a session counts for at the source of its client (core/sources.h), and the rate of its
 * frontend. Any worker; the main thread for sessions that arrive. */
#ifndef RPPROXY_PROXY_SESSION_SOURCE_PLACE_H
#define RPPROXY_PROXY_SESSION_SOURCE_PLACE_H

#include "proxy/core/sources.h"
#include "proxy/session/service.h"

/* A session of the frontend with this source wants to come in. now: nanoseconds. *counted: whether
 * source_place_leave() is due when the session has ended, or another process has it. */
enum source_verdict source_place_enter(struct service *service, const struct frontend *frontend,
                                       const struct sockaddr *source, uint64_t now, bool *counted);

/* A session has arrived from another process, regardless of the limits. Returns whether it is
 * counted. */
bool source_place_arrive(struct service *service, const struct frontend *frontend,
                         const struct sockaddr *source);

void source_place_leave(struct service *service, const struct frontend *frontend,
                        const struct sockaddr *source);

/* Before the workers start: the frontend is found in the table of sources from now on. */
void frontend_rate_open(struct service *service, struct frontend *frontend);

/* For a frontend with max-rate: takes one from its bucket, as sources_take() does. */
bool frontend_rate_take(struct service *service, const struct frontend *frontend, uint64_t now,
                        uint64_t *taken);
void frontend_rate_give_back(struct service *service, const struct frontend *frontend, uint64_t now,
                             uint64_t taken);

#endif
