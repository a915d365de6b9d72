/* One end of a session: a socket, what it last said of itself, and what still has to go out on
 * it. The two ends of a session are alike; relay() moves bytes from one to the other.
 *
 * This is the seam between sessions and the kernel: everything that touches a socket for each
 * byte is behind it. Sessions, limits, half-close and handover see flags and counts only.
 *
 * Another engine, io_uring(7), would stand behind the same functions: conn_open() arms a multishot
 * receive into the ring's provided buffers; relay() takes what completions left where it now calls
 * recv(2), queues sends, and keeps in `unsent` what a completion says was not taken, so that one
 * send is under way at a time; poller_turn() is io_uring_enter(2), and what stays with epoll is
 * polled from the ring. conn_close() cancels, and the last completion frees, as reap() does now at
 * the end of a turn. Sockets stay ordinary descriptors: shutdown(2) and reloads want them.
 *
 * An end is registered once, for reading, writing, early close and urgent data, edge-triggered, for
 * as long as the descriptor lives. Interest never changes; flags do. */
#ifndef RPPROXY_PROXY_SESSION_CONN_H
#define RPPROXY_PROXY_SESSION_CONN_H

#include "proxy/engine/poller.h"
#include "proxy/session/relay_buffers.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct unsent {
    size_t offset, length; /* of what is left, in bytes */
    unsigned char bytes[];
};

struct conn {
    struct watch watch;
    struct conn *peer;
    struct unsent *unsent; /* exists only while the socket takes no more */
    /* The worker's, which counts the bytes of all such ends as they come. */
    atomic_uint_fast64_t *counter;
    uint64_t received;  /* bytes */
    int fd;             /* -1: none */
    unsigned char bulk; /* large reads in a row, up to what proves its stream bulky */
    bool readable : 1;  /* a receive may give something */
    bool writable : 1;  /* a send may take something */
    bool thorough : 1;  /* a short read is not the last word: read until EAGAIN or the end */
    bool hung_up : 1;   /* the end of its stream is in the socket: a short read reaches it */
    bool ended : 1;     /* the end of its stream was received */
    bool shut : 1;      /* the end of its peer's stream was passed on to it */
    bool prompt : 1;    /* TCP_NODELAY is set, or there is no such thing */
    bool spoken_to : 1; /* something was sent */
    bool shared : 1;    /* another process may have the descriptor, too: closing is not enough */
    bool first_out : 1; /* the end of its peer's stream was sent before its own had come */
    bool closed : 1;    /* so has its own, and the kernel owes the other side nothing more */
};

/* What kind of socket an end gets. */
enum conn_kind {
    CONN_ACCEPTED,  /* TCP_NODELAY is inherited from the listener */
    CONN_CONNECTED, /* TCP_NODELAY is still to be set */
    CONN_UNIX,      /* a read may be short though there is more: when descriptors are passed */
};

/* Registers fd; end->watch.on_ready is set already, and passes what it is told on to conn_note();
 * so is end->counter. The end owns fd from here on. Returns 0 or an errno value (fd is still the
 * caller's then). */
int conn_open(struct conn *conn, struct poller *poller, int fd, enum conn_kind kind)
    __attribute__((warn_unused_result));

/* Closes. reset: the peer is to see a reset. Harmless on an end without fd. */
void conn_close(struct conn *conn, struct poller *poller, bool reset);

/* Where it can be done without cutting anything short, an end whose streams are both over is kept
 * for another connection: its socket stays open and registered, connected to nobody, and its watch
 * is told of events that mean nothing. That spares socket(2), epoll_ctl(2) and close(2), a
 * twentieth of the proxy's CPU time for a short session. False: close it. */
bool conn_disconnect(struct conn *conn) __attribute__((warn_unused_result));

/* For a session that is to move to another process. suspend: nothing is told of the end any more.
 * resume: it is again, of all that holds then, for an end whose members are as they were, here or
 * in another process; returns 0 or an errno value. leave: closes a suspended end whose descriptor
 * another process has; the peer sees nothing of it. */
void conn_suspend(struct conn *conn, struct poller *poller);
int conn_resume(struct conn *conn, struct poller *poller) __attribute__((warn_unused_result));
void conn_leave(struct conn *conn);

/* Before such an end's socket is connected again: forgets all else, and those events. */
void conn_renew(struct conn *conn, struct poller *poller);

/* Bytes for it wait until it takes them. */
static inline bool conn_is_owed(const struct conn *conn)
{
    return conn->unsent;
}

/* Both streams are over, the kernel says, and not by a reset. Where we ended first it is likely to
 * hold nothing but the other end: a look finds that as well as a receive does, and says at the same
 * time whether the socket can be kept. */
void conn_look(struct conn *conn);

/* Takes over what the poller said. */
static inline void conn_note(struct conn *conn, uint32_t events)
{
    if (events & EPOLLIN)
        conn->readable = true;
    if (events & EPOLLOUT)
        conn->writable = true;
    /* The end of the stream is in the socket, and comes with no further event. A reset is told in
     * the same way, but as an error as well. */
    if (events & EPOLLRDHUP) {
        conn->readable = true;
        conn->hung_up |= !(events & EPOLLERR);
    }
    /* Nor does an error, or what lies behind urgent data, at which a read stops short. */
    if (events & (EPOLLERR | EPOLLPRI))
        conn->readable = conn->thorough = true;
    if (events & EPOLLHUP)
        conn_look(conn);
}

/* Nothing of the connection is received, because its peer takes no more. */
static inline bool conn_is_held_up(const struct conn *conn)
{
    return conn_is_owed(conn->peer) || (conn->bulk && !conn->peer->writable);
}

/* Bytes for it are kept here, or unread in the socket of its peer, because it takes no more. */
static inline bool conn_misses_bytes(const struct conn *conn)
{
    return conn_is_owed(conn) || (conn->peer->readable && conn_is_held_up(conn->peer));
}

enum relay {
    RELAY_OK,          /* all that could be moved was moved */
    RELAY_MORE,        /* from still has bytes, and had its share: call again, next turn */
    RELAY_FROM_FAILED, /* from was reset, or failed otherwise */
    RELAY_TO_FAILED,   /* to was; see relay_last() */
    RELAY_NO_MEMORY,
};

/* Moves what can be moved from one end to its peer: first what the peer did not take last time,
 * then what arrives, then the end of the stream (shutdown(2) on the peer). Reads nothing while
 * the peer takes no more, so that a peer that stalls is felt by the sender (backpressure). What a
 * peer does not take is kept in memory; that is little (socket_room()), mostly less than 64 KiB.
 *
 * A direction that proves bulky reads more at a time, and then moves by splice(2) if both ends and
 * the system let it, which spares both copies; until it is small or idle again. A byte that TCP
 * marks as urgent is not moved: it is outside the stream that recv(2) sees. */
enum relay relay(struct conn *from, struct relay_buffers *buffers)
    __attribute__((warn_unused_result));

/* Of a connection that was reset, as a send to it has found: moves what it had said until then, as
 * far as its peer takes it at once, but no end of the stream. */
void relay_last(struct conn *from, struct relay_buffers *buffers);

/* Receives what there is, and throws it away. RELAY_OK, RELAY_MORE or RELAY_FROM_FAILED. */
enum relay conn_discard(struct conn *conn, struct relay_buffers *buffers);

/* What waits for it is thrown away. */
void conn_forget_unsent(struct conn *conn);

/* Of a TCP connection that was reset: the end of its stream had come before, and was received or is
 * in the socket, behind bytes that can still be received. */
bool conn_is_whole(const struct conn *conn);

/* The stream of its peer is whole, and the last of it was given to the socket. */
static inline bool conn_was_sent_all(const struct conn *conn)
{
    return conn->peer->ended && !conn_is_owed(conn);
}

/* Both directions have ended and were passed on. */
static inline bool conn_pair_done(const struct conn *a)
{
    return a->shut && a->peer->shut;
}

#endif
