/* The connection of one check: connects to a server, and says how that went.
 *
 * A connection that is established is reset at once, as HAProxy does: no TIME-WAIT is left. A probe
 * decides nothing about the server; checks.h does, and says when a probe begins.
 *
 * For the main thread. */
#ifndef RPPROXY_PROXY_BACKEND_CHECK_PROBE_H
#define RPPROXY_PROXY_BACKEND_CHECK_PROBE_H

#include "config/model/config.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>

struct probe {
    struct event_base *base;
    /* The probe has ended: error is 0, or an errno value (ETIMEDOUT: no answer in time). It may
     * begin again in this call. */
    void (*on_end)(struct probe *probe, int error);
    int fd;                 /* -1: the probe is not under way */
    struct event answer;    /* while fd is open */
    struct address address; /* that the probe connects to, or did last */
};

void probe_init(struct probe *probe, struct event_base *base,
                void (*on_end)(struct probe *probe, int error));

/* Connects to the address. Returns 0: on_end will be called, from the loop, within timeout
 * milliseconds. Or an errno value: the probe has ended already, and on_end is not called.
 * socket_is_shortage() tells an error that says nothing about the server. */
int probe_begin(struct probe *probe, const struct address *address, millis timeout)
    __attribute__((warn_unused_result));

/* Ends it without a call of on_end; harmless when it is not under way. */
void probe_cancel(struct probe *probe);

#endif
