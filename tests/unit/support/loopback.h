/* Listeners and clients on the loopback interface, for suites that test the real kernel. A failure
 * of any of these functions fails the test. */
#ifndef RPPROXY_TESTS_UNIT_SUPPORT_LOOPBACK_H
#define RPPROXY_TESTS_UNIT_SUPPORT_LOOPBACK_H

#include "config/base/address.h"

/* The binds to test: 127.0.0.1, 0.0.0.0, [::1], [::]; IPv6 ones are IPv6 only. */
#define LOOPBACK_BINDS 4

/* Makes the i-th bind, with port 0. Returns false, and counts the test as skipped, if there is no
 * IPv6. */
bool loopback_bind(int i, struct address *address);

/* A non-blocking SO_REUSEPORT listener; port 0 is replaced by the port that the kernel chose. */
int loopback_listen(struct address *address);

/* As loopback_listen(), with TCP_DEFER_ACCEPT: handshakes stay in SYN_RECV until the client sends
 * data. Without it they are too short on loopback for a test to see them. */
int loopback_listen_deferred(struct address *address);

/* As loopback_listen(), bound only. */
int loopback_bound(struct address *address);

/* A port, in network byte order, that listeners of the test may have at any address: no other
 * process gets it until the test ends. Returns 0, and counts the test as skipped, if there is no
 * IPv6. */
in_port_t loopback_free_port(void);

/* A non-blocking client of that address; its connect has begun. */
int loopback_connect(const struct address *address);

/* Waits until poll(2) reports the event; fails the test after a long time. */
void loopback_await(int fd, short event);

/* Closes with a reset, so that no socket in TIME-WAIT remains. */
void loopback_reset(int fd);

#endif
