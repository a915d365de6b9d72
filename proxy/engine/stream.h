/* What an engine (engine.h) and those that use it both know: something that is watched, a
 * connection, and a listening socket. */
#ifndef RPPROXY_PROXY_ENGINE_STREAM_H
#define RPPROXY_PROXY_ENGINE_STREAM_H

#include <stdbool.h>
#include <stdint.h>

/* What on_ready is told; other bits are the engine's own. */
enum engine_event {
    ENGINE_WRITABLE = 4, /* of a connection that was begun: it is there now, unless it failed */
    ENGINE_FAILED = 8,   /* engine_error() may say why */
};

/* Part of what is watched. */
struct watch {
    void (*on_ready)(struct watch *watch, uint32_t what);
};

/* A connection. Its owner sets watch.on_ready, and reads the first group of members; only the
 * engine writes. */
struct stream {
    struct watch watch;
    uint64_t received; /* bytes */
    int fd;            /* -1: there is no connection */
    bool readable : 1; /* a receive may give something, or the end */
    bool writable : 1; /* a send may take something */
    bool ended : 1;    /* the end of its stream was received */

    /* The engine's own. */
    bool thorough : 1;  /* a short read is not the last word: read until EAGAIN or the end */
    bool hung_up : 1;   /* the end of its stream is in the socket: a short read reaches it */
    bool prompt : 1;    /* TCP_NODELAY is set, or there is no such thing */
    bool spoken_to : 1; /* something was sent */
    bool shared : 1;    /* another process may have the descriptor, too: closing is not enough */
    bool first_out : 1; /* this side's end was sent before the other's came */
    bool closed : 1;    /* both ends have come, and the kernel owes the other side nothing more */
    bool failed : 1;    /* a send told so: recv(2) calls it an end, and it is none */
    bool idle : 1;      /* connected to nobody: events mean nothing */
    bool confined : 1;  /* to a window of local ports (ports.h) */
    uint16_t order;     /* of local ports, for the pair of its addresses; 0: none */
};

/* What kind of socket a stream gets. */
enum stream_kind {
    STREAM_ACCEPTED,  /* TCP_NODELAY is inherited from the listener */
    STREAM_CONNECTED, /* TCP_NODELAY is still to be set */
    STREAM_UNIX,      /* a read may be short though there is more: when descriptors are passed */
};

/* A listening socket. Its owner sets all but `watched`. */
struct accept_watch {
    struct watch watch;
    int fd;
    bool shared;  /* other workers, of this process or another, watch the same socket */
    bool watched; /* the engine's own */
};

#endif
