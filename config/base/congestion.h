/* Names of congestion control algorithms (TCP_CONGESTION in tcp(7)). */
#ifndef RPPROXY_CONFIG_BASE_CONGESTION_H
#define RPPROXY_CONFIG_BASE_CONGESTION_H

#include <stdbool.h>

#define CONGESTION_MAX 16 /* the kernel's TCP_CA_NAME_MAX, the NUL included */

/* Checks whether sockets of this network namespace may use the algorithm, by setting it on a socket
 * that is neither bound nor connected. If the caller is privileged, the kernel may load the module
 * of the algorithm. unprivileged: the process that will use the algorithm has no CAP_NET_ADMIN,
 * even if the caller has. Returns NULL, or a static or thread-local text that says what is wrong,
 * valid until the next call. Returns NULL too if no TCP socket can be opened. */
const char *congestion_check(const char *name, bool unprivileged)
    __attribute__((warn_unused_result));

#endif
