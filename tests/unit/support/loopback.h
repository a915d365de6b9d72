/* Listeners and clients on the loopback interface, for the suites that ask the real kernel.
 * Every failure that is not the test's subject fails the test. */
#ifndef RPPROXY_TESTS_UNIT_SUPPORT_LOOPBACK_H
#define RPPROXY_TESTS_UNIT_SUPPORT_LOOPBACK_H

#include "config/base/address.h"

/* The binds to test: 127.0.0.1, 0.0.0.0, [::1], [::]; IPv6 ones are IPv6 only. */
#define LOOPBACK_BINDS 4

/* The i-th bind with port 0. False, the test being counted as skipped, without IPv6 here. */
bool loopback_bind(int i, struct address *address);

/* A non-blocking SO_REUSEPORT listener; port 0 is replaced by the one that the kernel chose. */
int loopback_listen(struct address *address);

/* As loopback_listen(), with TCP_DEFER_ACCEPT: its handshakes stand in SYN_RECV until the client
 * sends data. Loopback is too fast for a test to catch them there otherwise. */
int loopback_listen_deferred(struct address *address);

/* As loopback_listen(), bound only. */
int loopback_bound(struct address *address);

/* A client of whoever listens there, non-blocking; its connect has begun. */
int loopback_connect(const struct address *address);

/* Waits until poll(2) reports the event; fails the test after some long time. */
void loopback_await(int fd, short event);

/* Closes with a reset, so that no TIME-WAIT is left behind. */
void loopback_reset(int fd);

#endif
