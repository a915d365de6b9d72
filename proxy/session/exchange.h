/* State ESTABLISHED: bytes move both ways, until both streams have ended, or one side fails. The
 * worker's thread. */
#ifndef RPPROXY_PROXY_SESSION_EXCHANGE_H
#define RPPROXY_PROXY_SESSION_EXCHANGE_H

#include "proxy/session/session.h"

/* Moves what can be moved both ways, first what `first` sends. May end the session. */
void exchange_move(struct session *session, struct conn *first);

/* An event of one side. */
void exchange_on_event(struct session *session, struct conn *conn, uint32_t what);

#endif
