/* Local ports of connections to servers.
 *
 * A connection that the proxy ends first leaves a TIME_WAIT behind, for a minute, and so does each
 * session whose client closes first. With many of them towards one server connect(2) searches long
 * for a port: the kernel begins at a random place and looks at one port after the other. Where that
 * is so, each connection is given a window of eight ports (IP_LOCAL_PORT_RANGE, Linux 6.3), and the
 * windows take turns, so that the ports that were released longest ago are tried first.
 *
 * There is an order of turns for each pair of server address and source address, and all workers
 * share it. Pairs are found by a hash, and two pairs may have the same order: then each of them
 * sees only some of its turns, which does no harm. Windows are used while the TIME_WAITs of a pair
 * hold a good part of the ports. They are counted as they arise; those of other processes are not
 * known, so that a new process begins without windows.
 *
 * The system's range and its reserved ports are read again once a second while windows are used,
 * and else once a minute, if there are new TIME_WAITs. */
#ifndef RPPROXY_PROXY_ENGINE_PORTS_H
#define RPPROXY_PROXY_ENGINE_PORTS_H

#include "config/base/address.h"
#include "proxy/engine/port_windows.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* A power of two. */
#define PORT_ORDERS      1024u
#define PORT_ORDERS_LOG2 10

/* TIME_WAITs that a worker counts before it looks whether windows are worth it. */
#define PORTS_NOTED_AT_ONCE 16

/* The kernel keeps a TIME_WAIT for 60 s: four whole periods, and the one that has begun. */
#define PORT_PERIOD_MS 15000u
#define PORT_PERIODS   5u

struct port_order {
    atomic_uint turn;    /* the next window's, modulo their number */
    atomic_bool in_turn; /* windows are used */
    /* Under the lock: */
    unsigned waits[PORT_PERIODS]; /* TIME_WAITs that arose, by periods */
    unsigned period;              /* the one that has begun: counted since the machine started */
};

/* What the workers share. */
struct port_orders {
    pthread_mutex_t lock;
    atomic_bool refused; /* the kernel does not know windows: none are used */
    unsigned ports;      /* of the system, at the start */
    struct port_order list[PORT_ORDERS + 1];
};

/* ports: how many the system has. NULL: out of memory. Freed when no worker uses it any more. */
struct port_orders *port_orders_new(unsigned ports) __attribute__((warn_unused_result));
void port_orders_free(struct port_orders *orders);

/* A worker's part; its thread only. */
struct ports {
    struct port_orders *orders;  /* NULL: the kernel always chooses */
    struct port_windows windows; /* none before they are needed */
    uint64_t read_at;            /* milliseconds: when the system's settings were read */
    unsigned char noted[PORT_ORDERS + 1];
};

void ports_open(struct ports *ports, struct port_orders *orders);
void ports_close(struct ports *ports);

/* A socket, and what it has of ports. */
struct port_use {
    struct ports *ports; /* NULL: the kernel chooses */
    unsigned order;      /* of the pair of addresses: 1 to PORT_ORDERS; 0: there is none */
    bool confined;       /* the socket has a window */
};

/* The order of a pair of addresses; source: NULL, the kernel chooses. 0: a Unix address. */
static inline unsigned ports_order_of(const struct address *server, const struct address *source);

/* Finds the order. True: ports_connect() is to be called in place of connect(2). */
static inline bool ports_take_part(struct port_use *use, const struct address *server,
                                   const struct address *source);

/* As connect(2), with a port of the window whose turn it is; if there is none, of the next ones;
 * in the end of the whole range. Returns 0 or an errno value: EADDRNOTAVAIL, no port is free, or
 * there is no source address. */
int ports_connect(struct port_use *use, int fd, const struct address *server)
    __attribute__((warn_unused_result));

/* Counts what was noted of an order, and looks whether windows are worth it. now: milliseconds. */
void ports_review(struct ports *ports, unsigned order, uint64_t now);

/* The same, now. */
void ports_count(struct ports *ports, unsigned order);

/* A connection has left a TIME_WAIT. Order 0: it is not counted. */
static inline void ports_note(struct ports *ports, unsigned order)
{
    if (order && ports->orders && ++ports->noted[order] >= PORTS_NOTED_AT_ONCE)
        ports_count(ports, order);
}

static inline uint64_t ports_key(const struct address *address)
{
    uint64_t halves[2];
    if (address->any.sa_family == AF_INET)
        return (uint64_t)address->in.sin_addr.s_addr << 16 | address->in.sin_port;
    memcpy(halves, &address->in6.sin6_addr, sizeof halves);
    return halves[0] ^ (halves[1] << 29 | halves[1] >> 35) ^ address->in6.sin6_port;
}

static inline unsigned ports_order_of(const struct address *server, const struct address *source)
{
    const uint64_t spread = UINT64_C(0x9e3779b97f4a7c15);
    if (address_is_unix(server))
        return 0;
    uint64_t key = ports_key(server) * spread;
    if (source)
        key = (key ^ key >> 32 ^ ports_key(source)) * spread;
    return 1 + (unsigned)(key >> (64 - PORT_ORDERS_LOG2));
}

static inline bool ports_take_part(struct port_use *use, const struct address *server,
                                   const struct address *source)
{
    if (!use->ports || !use->ports->orders)
        return false;
    use->order = ports_order_of(server, source);
    return use->confined || atomic_load_explicit(&use->ports->orders->list[use->order].in_turn,
                                                 memory_order_relaxed);
}

#endif
