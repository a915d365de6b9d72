/* Keys for the algorithms that choose by one (source, maglev): hashes with a fixed seed, so that
 * all workers, and all proxies, have the same. A key is never 0. Pure. */
#ifndef RPPROXY_PROXY_BACKEND_BALANCE_KEY_H
#define RPPROXY_PROXY_BACKEND_BALANCE_KEY_H

#include <stdint.h>
#include <sys/socket.h>

/* Of an address, without its port: of all IPv4 addresses, and of the first `prefix` bits (1 to 128)
 * of an IPv6 address. An IPv4-mapped address counts as IPv4. 0: another family. */
uint64_t key_of_source(const struct sockaddr *address, unsigned prefix);

/* Of an address and its port. 0: another family. */
uint64_t key_of_destination(const struct sockaddr *address);

/* Of a server name, in lower case. */
uint64_t key_of_name(const char *name);

#endif
