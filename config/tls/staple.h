/* Responses of OCSP (RFC 6960) that are stapled. */
#ifndef RPPROXY_CONFIG_TLS_STAPLE_H
#define RPPROXY_CONFIG_TLS_STAPLE_H

#include <openssl/types.h>
#include <stddef.h>
#include <time.h>

/* Checks the response, DER. Returns NULL, and *until is when it is out of date; or what is wrong.
 * Its signature is not looked at: clients do that. */
const char *staple_check(const unsigned char *bytes, size_t length, X509 *certificate,
                         time_t *until) __attribute__((warn_unused_result));

#endif
