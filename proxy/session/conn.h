/* One side of a session: its connection, and what still has to be sent on it. Both sides are alike,
 * and each knows the other; relay.h moves bytes from one to the other.
 *
 * Sessions see flags and counts of the stream only; the engine touches the kernel. */
#ifndef RPPROXY_PROXY_SESSION_CONN_H
#define RPPROXY_PROXY_SESSION_CONN_H

#include "proxy/engine/engine.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct unsent {
    size_t offset, length; /* of what is left, in bytes */
    unsigned char bytes[];
};

struct conn {
    struct stream stream;
    struct conn *peer;
    struct unsent *unsent; /* bytes that a send did not take; NULL: none; see sealed_send() */
    /* Where the bytes that it receives are counted: the frontend's, the server's and the worker's
     * counter of this direction (session_set_count()). */
    uint32_t frontend_place, server_place;
    uint16_t total_place;
    unsigned char bulk; /* large reads in a row, up to what proves its stream bulky */
    bool shut;          /* the end of its peer's stream was passed on to it */
    bool is_client;     /* it is the client's */
    bool sealed;        /* one of the two sides speaks TLS, or both: sealed.h moves the bytes */
    bool cut;           /* under TLS: its stream cannot be heard any more, and has not ended */
    bool has_answered;  /* of a server: a byte of it came, and is not the first to come any more */
};

/* There is a connection. */
static inline bool conn_is_open(const struct conn *conn)
{
    return conn->stream.fd >= 0;
}

/* Bytes for it wait until it takes them. */
static inline bool conn_is_owed(const struct conn *conn)
{
    return conn->unsent;
}

/* What waits for it is thrown away. */
static inline void conn_forget_unsent(struct conn *conn)
{
    free(conn->unsent);
    conn->unsent = NULL;
}

/* Nothing of the connection is received, because its peer takes no more. */
static inline bool conn_is_held_up(const struct conn *conn)
{
    return conn_is_owed(conn->peer) || (conn->bulk && !conn->peer->stream.writable);
}

/* Bytes for it are kept here, or unread in the socket of its peer, because it takes no more. */
static inline bool conn_misses_bytes(const struct conn *conn)
{
    return conn_is_owed(conn) || (conn->peer->stream.readable && conn_is_held_up(conn->peer));
}

/* The stream of its peer is whole, and the last of it was given to the socket. */
static inline bool conn_was_sent_all(const struct conn *conn)
{
    return conn->peer->stream.ended && !conn->peer->cut && !conn_is_owed(conn);
}

/* Both directions have ended and were passed on. */
static inline bool conn_pair_done(const struct conn *a)
{
    return a->shut && a->peer->shut;
}

/* Closes, and throws away what waits for it. `done`: as for engine_close(); not called, and nothing
 * happens, where there is no connection. */
static inline void conn_close(struct conn *conn, struct engine *engine, bool reset,
                              void (*done)(struct stream *stream))
{
    if (!conn_is_open(conn))
        return;
    conn_forget_unsent(conn);
    engine_close(engine, &conn->stream, reset, done);
}

/* Closes a connection that another process has. */
static inline void conn_leave(struct conn *conn)
{
    engine_leave(&conn->stream);
    conn_forget_unsent(conn);
}

#endif
