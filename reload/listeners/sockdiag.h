/* What the kernel knows about the TCP sockets of this network namespace (sock_diag(7)): who
 * listens where, and which handshakes are under way.
 *
 * Needs no privilege. Every call opens and closes a netlink socket of its own, may be made from
 * any thread, and is answered by the kernel without waiting. Listeners are found at once. What
 * looks for other sockets walks the kernel's whole table of connections, once or twice for each
 * family: measured, 1.4 to 7 ms a walk for a table of 262,144 slots, most of a quiet reload's CPU
 * time. All calls return 0 or an errno
 * value: EPROTONOSUPPORT when this kernel has no inet_diag (as some sandboxes), EAFNOSUPPORT for
 * a Unix address, EAGAIN when the kernel's tables changed under every one of several attempts. */
#ifndef RPPROXY_RELOAD_LISTENERS_SOCKDIAG_H
#define RPPROXY_RELOAD_LISTENERS_SOCKDIAG_H

#include "config/base/listen_address.h"

#include <stdbool.h>
#include <stddef.h>

/* members[i] is how many sockets are in the reuseport group of list[i]: listen there, exactly.
 * 0.0.0.0 and 127.0.0.1 are two groups, and so are 0.0.0.0 and [::], [::] with and without IPv4
 * clients, and each interface. No socket is counted on a Unix address, and none of an interface
 * that is not there. All are counted in one walk of the kernel's listeners for each family, however
 * many they are; no two of the list may be equal. ENOMEM is possible. After an error members has no
 * meaning. */
int sockdiag_listeners(const struct listen_address *const list[], size_t count, size_t members[])
    __attribute__((warn_unused_result));

/* Sockets of this process and of the old one: the inodes of their descriptors, of fstat(2). */
struct known_sockets {
    uint32_t *inodes;
    size_t count;
};

/* Whether any socket but those listens there, or at an address that stands in its way, as 0.0.0.0
 * does for 127.0.0.1: EADDRINUSE where one does, 0 where none does. */
int sockdiag_strangers(const struct listen_address *at, const struct known_sockets *known)
    __attribute__((warn_unused_result));

/* Longest text sockdiag_holder() writes, its NUL included. */
#define SOCKDIAG_HOLDER_MAX 320

/* For the message when a bind fails with EADDRINUSE: names the socket that holds the address, or
 * one that stands in its way, as 0.0.0.0 does for 127.0.0.1. A listener, or a socket that is only
 * bound, is named by its owner: "user www-data (uid 33), process 1234 (nginx)"; *is_connection is
 * false. A connection is named as such, with its peer and its owner; *is_connection is true. It is
 * called an outgoing one where its local port is one that the kernel chooses for those
 * (net.ipv4.ip_local_port_range). The process is left out where this user may not see it. A known
 * socket is passed over. ENOENT when no other socket stands in the way (any more). Searches all of
 * /proc: for a program that is about to end. */
int sockdiag_holder(const struct listen_address *at, const struct known_sockets *known,
                    char text[static SOCKDIAG_HOLDER_MAX], bool *is_connection)
    __attribute__((warn_unused_result));

/* The handshakes that stood in SYN_RECV at one moment. */
struct handshakes;

/* More than so many are not remembered (about 2 MB); see handshakes_left(). */
#define HANDSHAKES_MAX ((size_t)1 << 18)

/* Remembers every handshake now in SYN_RECV towards any of the list; a wildcard stands for
 * all addresses of its family, or of both. Unix addresses are passed over. On success *handshakes
 * is the caller's, to free by handshakes_free(); ENOMEM is possible. */
int handshakes_take(const struct listen_address *list, size_t count, struct handshakes **handshakes)
    __attribute__((warn_unused_result));

/* Forgets those that have been completed, reset or given up since, and says how many are left.
 * What has begun after the snapshot is never counted, not even from the same client port. When
 * there were more than HANDSHAKES_MAX, *left never falls to 0 and a time limit has to decide. A
 * completed handshake may need steering_grace() to be seen in the accept queue. */
int handshakes_left(struct handshakes *handshakes, size_t *left)
    __attribute__((warn_unused_result));

/* How many there were when handshakes_take() or handshakes_left() last succeeded. */
size_t handshakes_seen(const struct handshakes *handshakes);

/* NULL is allowed. */
void handshakes_free(struct handshakes *handshakes);

#endif
