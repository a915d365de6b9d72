/* What a frontend and a server have in common: versions, ciphers, curves, ALPN. */
#ifndef RPPROXY_CONFIG_TLS_TLS_CONTEXT_H
#define RPPROXY_CONFIG_TLS_TLS_CONTEXT_H

#include "config/model/metrics.h"
#include "config/model/tls.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

/* Makes a context without compression, renegotiation and early data. NULL: tls_reason() says why.
 */
SSL_CTX *tls_context_new(const struct ssl_method_st *method) __attribute__((warn_unused_result));

/* Versions as OpenSSL numbers them. */
int tls_context_version(enum tls_version version);

bool tls_context_set_curves(SSL_CTX *context, const char *curves);

/* Checks the value of tls-ciphers, tls-ciphersuites or tls-curves, each word of it: OpenSSL itself
 * passes over ciphers that it does not know. Returns NULL, or what is wrong, as tls_complain() has
 * it. */
const char *tls_check_ciphers(const char *value) __attribute__((warn_unused_result));
const char *tls_check_ciphersuites(const char *value) __attribute__((warn_unused_result));
const char *tls_check_curves(const char *value) __attribute__((warn_unused_result));

/* The protocol names as RFC 7301 has them on the wire. NULL, and *length 0, where there are none;
 * the caller frees them. */
unsigned char *tls_alpn_wire(const struct words *names, unsigned *length);

#endif
