/* The files and folders with certificates that a configuration names. Each is read once, however
 * many lines name it. */
#ifndef RPPROXY_CONFIG_TLS_CERTIFICATE_STORE_H
#define RPPROXY_CONFIG_TLS_CERTIFICATE_STORE_H

#include "config/lists/list_file.h"
#include "config/tls/certificate.h"

#include <stdbool.h>
#include <stddef.h>

/* A file with a certificate; or a folder: all its files *.pem and *.crt, by the order of their
 * names. */
struct certificate_source {
    char *path; /* absolute */
    char *key;  /* of key=FILE; absolute; NULL: not given */
    struct certificate **list;
    size_t count; /* 0: nothing was read, which has been reported unless the store is closed */
};

/* What verify=FILE or verify=system leads to. */
struct certificate_authorities {
    char *which; /* "system", or the absolute path of a file */
    struct x509_store_st *store;
};

/* What crl=FILE leads to. */
struct certificate_revocations {
    char *path; /* absolute */
    struct stack_st_X509_CRL *list;
};

struct key_copies;

struct certificate_store {
    struct key_copies *copies; /* by which files are read, as long as a configuration is; or NULL */
    struct certificate_source **items;
    size_t count, capacity;
    struct certificate_authorities *authorities;
    size_t authority_count, authority_capacity;
    struct certificate_revocations *revocations;
    size_t revocation_count, revocation_capacity;
};

struct certificate_store *certificate_store_new(struct key_copies *copies)
    __attribute__((returns_nonnull, warn_unused_result));

/* Returns what the path names, and reads it if that has not happened before, unless closed. key:
 * NULL, or the file with the key. Mistakes and warnings are reported to origin, once. Never NULL;
 * valid until certificate_store_free(). */
const struct certificate_source *
certificate_store_get(struct certificate_store *store, const char *path, const char *key,
                      bool closed, const struct list_origin *origin)
    __attribute__((returns_nonnull));

/* What another process has read of the source with this path and key, where nothing was read here;
 * takes the certificate. */
void certificate_store_note(struct certificate_store *store, const char *path, const char *key,
                            struct certificate *certificate);

/* The source with that path and key, or NULL. */
const struct certificate_source *certificate_store_find(const struct certificate_store *store,
                                                        const char *path, const char *key);

/* Finds or reads the authorities, of which the store has one copy. Returns NULL, or what is wrong,
 * as authorities_read() does. */
const char *certificate_store_authorities(struct certificate_store *store, const char *which,
                                          struct x509_store_st **authorities)
    __attribute__((warn_unused_result));

/* Finds or reads the revocation lists of the file, of which the store has one copy. Returns NULL,
 * or what is wrong, as revocations_read() does. */
const char *certificate_store_revocations(struct certificate_store *store, const char *path,
                                          struct stack_st_X509_CRL **list)
    __attribute__((warn_unused_result));

/* Whether private keys were read. */
bool certificate_store_has_keys(const struct certificate_store *store);

/* NULL is fine. */
void certificate_store_free(struct certificate_store *store);

#endif
