/* Certificate revocation lists (RFC 5280), which revoke certificates. */
#ifndef RPPROXY_CONFIG_TLS_REVOCATIONS_H
#define RPPROXY_CONFIG_TLS_REVOCATIONS_H

#include <openssl/types.h>
#include <time.h>

struct stack_st_X509_CRL;

/* A larger file is an error. */
#define REVOCATIONS_BYTES_MAX (64 * 1024 * 1024)

/* Reads a file of lists in PEM, at least one. Returns NULL, and *list is the caller's; or what is
 * wrong, which can follow "FILE ". While a configuration is read: exits if there is no memory. */
const char *revocations_read(const char *path, struct stack_st_X509_CRL **list)
    __attribute__((warn_unused_result));

/* What a person should know: a list is out of date, and every peer ("client") of its authority is
 * refused. NULL: nothing. */
const char *revocations_warning(const struct stack_st_X509_CRL *list, const char *peer, time_t now);

/* Verification of peers by the context looks into the lists as well, which stay the caller's until
 * the context is freed. A certificate whose authority has no list is refused. */
void revocations_use(SSL_CTX *context, struct stack_st_X509_CRL *list);

/* NULL is fine. */
void revocations_free(struct stack_st_X509_CRL *list);

#endif
