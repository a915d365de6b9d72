/* The files of scripts/examples as they are, but for the addresses that are bound. */
#ifndef TESTS_SYSTEM_EXAMPLE_H
#define TESTS_SYSTEM_EXAMPLE_H

#include "tests/system/support/proxy.h"

/* Enters a network namespace of its own, where all addresses 10.0.0.0/8, the servers of the
 * examples, are local. False: not permitted. */
bool example_network(void);

/* Writes the configuration of the proxy: the example, which binds 127.0.0.1 in place of 0.0.0.0,
 * and
 * [::1] in place of [::], so that the servers may have the same ports; with the test's directory in
 * place of /etc/rpproxy, and an access log. global: further lines of [global]. */
void example_configure(const struct proxy *proxy, const char *name, const char *global);

/* Starts a proxy with the example, and two workers. */
void example_start(struct proxy *proxy, const char *name);

/* Makes a certificate that signs itself, cert.pem, and its key, key.pem, in the test's directory.
 * openssl must exist. */
void example_certificate(void);

#endif
