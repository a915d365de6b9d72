/* The address of a host to which the log goes, looked up by getaddrinfo(3) on a thread of its own:
 * name servers that do not answer hold up nothing but this thread. The system's resolver is asked,
 * not the resolver of the configuration: the log has to work before it is read. */
#ifndef RPPROXY_CONFIG_BASE_LOG_HOST_H
#define RPPROXY_CONFIG_BASE_LOG_HOST_H

#include "config/base/address.h"

#include <stdbool.h>

struct log_host;

/* where: "NAME:PORT", "1.2.3.4:PORT" or "[::1]:PORT". Returns 0 or an errno value. */
int log_host_new(const char *where, struct log_host **host) __attribute__((warn_unused_result));

/* NULL is fine. A lookup that is under way goes on, and frees what is left. */
void log_host_free(struct log_host *host);

enum log_host_state {
    LOG_HOST_KNOWN,
    LOG_HOST_ASKED,  /* the first lookup is under way */
    LOG_HOST_UNKNOWN /* it has failed, or there was none */
};

/* The address; *version is another one when it has changed. looks_up: starts a lookup where one is
 * due, each minute, or ten seconds after one that has failed. */
enum log_host_state log_host_address(struct log_host *host, bool looks_up, struct address *address,
                                     unsigned *version);

#endif
