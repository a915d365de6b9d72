/* The sinks (steering.h) of a reuseport group when its listening sockets are about to close. */
#ifndef RPPROXY_RELOAD_LISTENERS_SINKS_H
#define RPPROXY_RELOAD_LISTENERS_SINKS_H

#include "config/base/listen_address.h"

struct sinks {
    int *fds;
    unsigned count; /* 0: none */
};

/* From now on no handshake begins on the group: listener is one of its sockets, of which there are
 * so many and no others. Returns 0, or an errno value; there are no sinks then. */
int sinks_open(struct sinks *sinks, const struct listen_address *at, int listener, unsigned sockets)
    __attribute__((warn_unused_result));

/* Closes them: after the group's own sockets. Harmless without sinks. */
void sinks_close(struct sinks *sinks);

#endif
