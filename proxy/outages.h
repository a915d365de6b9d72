/* Servers that sessions cannot connect: an operator has to hear of them also without checks and
 * without an access log. The figures of the workers are looked at once a second; an outage is
 * logged when it begins, when its reason changes, once a minute while it lasts, and when it is
 * over. Main thread. */
#ifndef RPPROXY_PROXY_OUTAGES_H
#define RPPROXY_PROXY_OUTAGES_H

#include "proxy/session/service.h"

#include <event2/event.h>

struct outages {
    struct service *service;
    struct event *tick;
};

/* Returns 0 or ENOMEM. The service outlives the outages. */
int outages_begin(struct outages *outages, struct service *service, struct event_base *base)
    __attribute__((warn_unused_result));

/* Harmless if they were not begun. */
void outages_end(struct outages *outages);

#endif
