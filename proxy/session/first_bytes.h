/* What a client says before its session has a server. The worker's thread. */
#ifndef RPPROXY_PROXY_SESSION_FIRST_BYTES_H
#define RPPROXY_PROXY_SESSION_FIRST_BYTES_H

#include "proxy/session/session.h"

#include <stdbool.h>
#include <stddef.h>

/* At most so many bytes are received then. */
#define FIRST_BYTES_MAX (64u * 1024)

static inline size_t first_bytes_count(const struct session *session)
{
    return session->first_bytes ? session->first_bytes->length : 0;
}

/* Appends to session->first_bytes, which belongs to the session. False: out of memory. */
bool first_bytes_keep(struct session *session, const unsigned char *bytes, size_t length)
    __attribute__((warn_unused_result));

/* Receives and keeps what the client has sent, until there are `enough` bytes or more, 1 to
 * FIRST_BYTES_MAX. The end of the client's stream is noted in the stream. False: the client has
 * reset the connection, or there is no memory; the session is closed. */
bool first_bytes_receive(struct session *session, size_t enough)
    __attribute__((warn_unused_result));

#endif
