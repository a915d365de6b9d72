/* The certificates that a peer's certificate must lead to, as OpenSSL has them. */
#ifndef RPPROXY_CONFIG_BASE_AUTHORITIES_H
#define RPPROXY_CONFIG_BASE_AUTHORITIES_H

struct x509_store_st; /* X509_STORE */

/* A larger file is an error. */
#define AUTHORITIES_BYTES_MAX (16 * 1024 * 1024)

/* Reads a file of certificates in PEM, at least one. Returns NULL, and *store is the caller's; or
 * what is wrong, in a static or thread-local text that is valid until the next call. */
const char *authorities_read(const char *path, struct x509_store_st **store)
    __attribute__((warn_unused_result));

/* Those that OpenSSL finds on this system. */
const char *authorities_of_system(struct x509_store_st **store) __attribute__((warn_unused_result));

/* NULL is fine. */
void authorities_free(struct x509_store_st *store);

#endif
