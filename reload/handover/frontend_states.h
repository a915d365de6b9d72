/* Which frontends are paused, from process to process: MESSAGE_FRONTEND. Main thread. */
#ifndef RPPROXY_RELOAD_HANDOVER_FRONTEND_STATES_H
#define RPPROXY_RELOAD_HANDOVER_FRONTEND_STATES_H

#include "proxy/proxy.h"

#include <stddef.h>
#include <stdint.h>

struct channel;
struct received;

struct known_frontend {
    char *name;
    uint64_t paused_at;
};

/* What the old process says before there is a proxy here. */
struct frontend_states {
    struct known_frontend *list;
    size_t count;
};

void frontend_states_send(struct channel *peer, const struct frontend *frontend);

/* Returns 0 or ENOMEM. */
int frontend_states_add(struct frontend_states *states, const struct received *message)
    __attribute__((warn_unused_result));

/* The proxy's frontends of these names are paused, before it begins to accept. */
void frontend_states_apply(const struct frontend_states *states, struct proxy *proxy);

/* The frontend of the message, if there is one of that name here, is paused or resumed. */
void frontend_states_hear(const struct received *message, struct proxy *proxy);

void frontend_states_free(struct frontend_states *states);

#endif
