/* Another machine beside that of the test: a network namespace behind a veth(4) pair, whose end
 * here is the interface nbN. Needs network_own() before, and ip(8). For the main thread. */
#ifndef TESTS_SYSTEM_NEIGHBOUR_H
#define TESTS_SYSTEM_NEIGHBOUR_H

#include "tests/system/support/net.h"

struct neighbour {
    unsigned number; /* 1 to 9 */
    int network;     /* /proc/PID/ns/net of the neighbour */
};

/* Makes it, with the addresses 10.78.N.2 and fd78:N::2, routes to everything by 10.78.N.1 and
 * fd78:N::1, which are here, and loopback up. False: not possible here. */
bool neighbour_make(struct neighbour *neighbour, unsigned number);

/* What this thread opens, and the threads and programs that it starts, are the neighbour's, until
 * neighbour_leave(). */
void neighbour_enter(const struct neighbour *neighbour);
void neighbour_leave(void);

/* The address of this machine on the neighbour's link, and of the neighbour. */
struct endpoint neighbour_front(const struct neighbour *neighbour, int family, uint16_t port);
struct endpoint neighbour_address(const struct neighbour *neighbour, int family, uint16_t port);

/* connect_to() in the neighbour. */
int neighbour_connect(const struct neighbour *neighbour, const struct endpoint *where);

/* Makes the pair anew; all sockets of this machine that are bound to the old interface are deaf. */
void neighbour_unplug(const struct neighbour *neighbour);
void neighbour_plug(const struct neighbour *neighbour);

/* Runs ip(8) with these words, separated by blanks; fails the test if ip does. */
void ip_command(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
