/* One end of a session: a socket, what it last said of itself, and what still has to go out on
 * it. The two ends of a session are alike; relay() moves bytes from one to the other.
 *
 * This is the seam between sessions and the kernel: everything that touches a socket for each
 * byte is behind it. Sessions, limits, half-close and handover see flags and counts only.
 *
 * An end is registered once, for reading, writing and early close, edge-triggered, for as long
 * as the descriptor lives. Interest never changes; flags do. */
#ifndef RPPROXY_PROXY_END_H
#define RPPROXY_PROXY_END_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct unsent {
    size_t offset, length; /* of what is left, in bytes */
    unsigned char bytes[];
};

struct end {
    struct event event;
    struct end *peer;
    struct unsent *unsent; /* exists only while the socket takes no more */
    uint64_t received;     /* bytes */
    int fd;                /* -1: none */
    bool readable : 1;     /* a receive may give something */
    bool writable : 1;     /* a send may take something */
    bool thorough : 1;     /* a short read is not the last word: read until EAGAIN or the end */
    bool doubtful : 1;     /* a short read was taken for the last word: see end_look_again() */
    bool ended : 1;        /* the end of its stream was received */
    bool shut : 1;         /* the end of its peer's stream was passed on to it */
};

/* Registers fd with base; on_event gets the end as its argument, and passes what on to end_note().
 * thorough: reads on fd may be short though there is more (a Unix socket whose peer passes
 * descriptors). The end owns fd from here on. Returns 0 or an errno value (fd is still the
 * caller's then). */
int end_open(struct end *end, struct event_base *base, int fd, bool thorough,
             event_callback_fn on_event) __attribute__((warn_unused_result));

/* Unregisters and closes. reset: the peer is to see a reset. Harmless on an end without fd. */
void end_close(struct end *end, bool reset);

/* Takes over what an event said. */
void end_note(struct end *end, short what);

/* A short read is taken to have emptied the socket, which spares a receive for each message. Two
 * things it hides, and no event tells of them later: a reset that was there already (libevent
 * reports it as bytes are reported), and bytes behind TCP urgent data, where a receive stops.
 * So a doubtful end is to be looked at again some time later: the next relay() reads it, be there
 * an event or not. */
void end_look_again(struct end *end);

enum relay {
    RELAY_OK,          /* all that could be moved was moved */
    RELAY_MORE,        /* from still has bytes, and had its share: call again, next turn */
    RELAY_FROM_FAILED, /* from was reset, or failed otherwise */
    RELAY_TO_FAILED,   /* to was; see relay_last() */
    RELAY_NO_MEMORY,
};

/* Moves what can be moved from one end to its peer: first what the peer did not take last time,
 * then what arrives, then the end of the stream (shutdown(2) on the peer). Reads nothing while
 * the peer takes no more, so that a peer that stalls is felt by the sender (backpressure), and
 * memory is bounded by one scratch buffer a direction. A byte that TCP marks as urgent is not
 * moved: it is outside the stream that recv(2) sees. */
enum relay relay(struct end *from, unsigned char *scratch, size_t scratch_size)
    __attribute__((warn_unused_result));

/* Of an end that failed when it was sent to: moves what it had said until then, as far as its peer
 * takes it at once, but no end of the stream. */
void relay_last(struct end *from, unsigned char *scratch, size_t scratch_size);

/* Both directions have ended and were passed on. */
static inline bool end_pair_done(const struct end *a)
{
    return a->shut && a->peer->shut;
}

#endif
