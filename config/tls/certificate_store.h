/* The files and folders with certificates that a configuration names. Each is read once, however
 * many lines name it. */
#ifndef RPPROXY_CONFIG_TLS_CERTIFICATE_STORE_H
#define RPPROXY_CONFIG_TLS_CERTIFICATE_STORE_H

#include "config/lists/address_file.h"
#include "config/syntax/problems.h"
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

/* Zero at first. */
struct certificate_store {
    struct certificate_source **items;
    size_t count, capacity;
};

/* Returns what the path names, and reads it if that has not happened before, unless files->closed.
 * Mistakes and warnings are reported to origin, once. Never NULL; valid until
 * certificate_store_free(). The files that were read are added to `files`. */
const struct certificate_source *
certificate_store_get(struct certificate_store *store, const char *path, const char *key,
                      struct address_files *files, const struct list_origin *origin)
    __attribute__((returns_nonnull));

void certificate_store_free(struct certificate_store *store);

#endif
