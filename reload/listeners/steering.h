/* Which listener of a reuseport group gets a new connection, and when the last of the connections
 * that were under way at a change has arrived. No privilege is needed for any of it.
 *
 * A listener is retired without loss in this order:
 *   1. steering_set() to others of the group: the successor's listeners or, when the bind ends, to
 *      sinks; then steering_grace(): no new handshake begins here.
 *   2. sockdiag's snapshot of the handshakes in SYN_RECV; go on accepting until none is left.
 *   3. steering_grace() once more: the last of them may just be on its way from SYN_RECV into the
 *      accept queue, and stand in neither.
 *   4. accept until socket_accept_queue() is 0; close, in the order that group.h gives. */
#ifndef RPPROXY_RELOAD_LISTENERS_STEERING_H
#define RPPROXY_RELOAD_LISTENERS_STEERING_H

#include "config/base/cpus.h"
#include "config/base/listen_address.h"
#include "reload/listeners/group.h"

#include <stdbool.h>
#include <stdint.h>

/* New connections to the group of listener_fd go to a random index of range, whichever member of
 * the group listener_fd is. At an index without a listener the kernel chooses itself,
 * by hash, among all members. The socket must be listening: one that is only bound is
 * in no group yet. Handshakes that have begun stay where they began; the final ACK of one that
 * was answered by a SYN cookie goes to the new range, and is good there.
 * Returns 0 or an errno value (EINVAL for an empty range); the earlier program stays then. */
int steering_set(int listener_fd, struct steer_range range) __attribute__((warn_unused_result));

/* The listeners of a range by the CPUs of their workers; group.h says which is which worker's. */
struct steer_cpus {
    const struct cpus *cpus; /* the workers', at least one */
    unsigned workers;        /* 1 to the range's count */
    unsigned rotation;       /* of the range */
};

/* The same, but a connection goes to the listener of the worker on the CPU that took its SYN, to
 * any of them if they are several. A CPU without a worker has its number's, modulo the workers.
 * EINVAL also for more CPUs with workers than fit into a program (some 600). */
int steering_set_by_cpu(int listener_fd, struct steer_range range, const struct steer_cpus *by)
    __attribute__((warn_unused_result));

/* A share of the connections, for a canary. */
struct steer_split {
    unsigned share; /* of STEER_WHOLE: 1 to STEER_WHOLE - 1 */
    struct steer_range to;
    bool by_source; /* by the client's address, so that a client is always on the same side; ... */
    uint32_t salt;  /* ... and by this, so that it is not always the same clients */
};

#define STEER_WHOLE 10000u

/* That share goes to a random index of split->to; the rest as by steering_set(), or, unless by is
 * NULL, as by steering_set_by_cpu(). The choice by source is one of a hash: of few clients the
 * share may have none, or all. */
int steering_split(int listener_fd, const struct steer_split *split, struct steer_range range,
                   const struct steer_cpus *by) __attribute__((warn_unused_result));

/* Opens a sink: a listener of the group that hears nothing. A SYN steered to it is
 * dropped without an answer; the client repeats it after a second, and meets the listener that
 * stands there then, or is refused when there is none. It takes the place of a successor where
 * there is none: group_sinks() of them are opened, one is steered to while the bind's own listeners
 * close, and they are closed last. A sink demands packets whose TTL or hop limit is 255 (IP_MINTTL,
 * RFC 5082). Clients that send 255 and are on the same link would be let in, and reset when the
 * sink closes; few systems do. A socket filter that drops SYNs would spare none, but on a TCP
 * socket it needs CAP_NET_ADMIN since Linux 6.18. Returns the descriptor, close-on-exec, or -errno.
 */
int steering_sink(const struct listen_address *at) __attribute__((warn_unused_result));

/* Returns when every packet that the kernel was working on at the call is done with, so that none
 * still follows an earlier program (synchronize_rcu() by way of membarrier(2)). Blocks
 * for some ten milliseconds. Returns 0, or an errno value where the kernel does not offer it:
 * ENOSYS, EPERM (seccomp), EINVAL (nohz_full); a wait of some hundred milliseconds is then the
 * next best. */
int steering_grace(void) __attribute__((warn_unused_result));

#endif
