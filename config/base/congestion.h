/* Congestion control by name, as tcp(7)'s TCP_CONGESTION knows it. */
#ifndef RPPROXY_CONFIG_BASE_CONGESTION_H
#define RPPROXY_CONFIG_BASE_CONGESTION_H

#include <stdbool.h>

#define CONGESTION_MAX 16 /* the kernel's TCP_CA_NAME_MAX, the NUL included */

/* Whether sockets of this network namespace may be given that algorithm: asks the kernel with a
 * socket that is neither bound nor connected. A privileged caller has the kernel load the module
 * of a name that is not there yet. unprivileged: those who will use it have no CAP_NET_ADMIN,
 * whatever the caller has. Returns NULL, or a static or thread-local text that says what is wrong,
 * valid until the next call; NULL also where there is no TCP to ask. */
const char *congestion_check(const char *name, bool unprivileged)
    __attribute__((warn_unused_result));

#endif
