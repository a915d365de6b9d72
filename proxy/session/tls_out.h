/* The TLS handshake with a server whose line has tls=yes: a part of the attempt to connect, within
 * connect-timeout. A PROXY header goes before it, as it is. The worker's thread. */
#ifndef RPPROXY_PROXY_SESSION_TLS_OUT_H
#define RPPROXY_PROXY_SESSION_TLS_OUT_H

#include "proxy/session/session.h"

enum tls_out {
    TLS_OUT_WAITS,
    TLS_OUT_OPEN,   /* the session speaks TLS with the server; what that has said already, if
                       anything, is owed to the client */
    TLS_OUT_FAILED, /* the server's reason is noted; the attempt has failed */
    TLS_OUT_NO_MEMORY,
};

/* The server's socket is connected, and nothing was sent to it yet. */
enum tls_out tls_out_begin(struct session *session) __attribute__((warn_unused_result));

/* The handshake is under way. */
bool tls_out_is_under_way(const struct session *session);

/* An event of the server's socket, while the handshake is under way. */
enum tls_out tls_out_go_on(struct session *session) __attribute__((warn_unused_result));

#endif
