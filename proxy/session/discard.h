/* Receiving what nobody is to get. The engine's thread. */
#ifndef RPPROXY_PROXY_SESSION_DISCARD_H
#define RPPROXY_PROXY_SESSION_DISCARD_H

#include "proxy/session/conn.h"

enum discard {
    DISCARD_ALL,    /* that was there */
    DISCARD_MORE,   /* there is more, and the connection had its share: call again, next turn */
    DISCARD_FAILED, /* the connection was reset, or failed otherwise */
};

/* Receives what there is, as it is in the socket, and throws it away. */
enum discard conn_discard(struct conn *from, struct engine *engine);

#endif
