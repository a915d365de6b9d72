/* Certificates with their keys, as PEM files have them.
 *
 * The first certificate of a file is the one that is shown; those after it are its chain. Its key
 * is in the same file, or in the file beside it of the same name and ".key": "site.pem.key" or
 * "site.key" for "site.pem". A response of OCSP beside it, "site.pem.ocsp" or "site.ocsp", is
 * stapled. */
#ifndef RPPROXY_CONFIG_TLS_CERTIFICATE_H
#define RPPROXY_CONFIG_TLS_CERTIFICATE_H

#include "config/model/metrics.h"

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

struct key_copies;
struct stack_st_X509;

/* A larger file is an error. */
#define CERTIFICATE_BYTES_MAX (1024 * 1024)

/* Hexadecimal SHA-256, with a NUL. */
#define CERTIFICATE_PRINT_MAX 65

/* Of another process (certificate_store_note()) only path, names, not_after and print are known. */
struct certificate {
    char *path;                  /* of the file; absolute */
    X509 *x509;                  /* what is shown, ... */
    EVP_PKEY *key;               /* ... its key, ... */
    struct stack_st_X509 *chain; /* ... and its chain, which may be empty */
    struct words names; /* dNSName of the subjectAltName, in lower case; "*.NAME" for a wildcard.
                           Without a subjectAltName the common name; may be empty */
    char *subject;      /* RFC 2253 */
    char *key_type;     /* "ECDSA P-256", "RSA 2048", "Ed25519" */
    time_t not_before, not_after;
    char print[CERTIFICATE_PRINT_MAX]; /* of the certificate */
    unsigned char *ocsp;               /* the response, DER; NULL: there is none */
    size_t ocsp_length;
    time_t ocsp_until; /* the response says nothing about later times */
};

/* Reads the certificate of the file at path. key: the absolute path of the file with its key, or
 * NULL: as above. Returns NULL, and *made is the caller's; or what is wrong, with the path of the
 * file that is meant at its beginning, in a thread-local text that is valid until the next call:
 * "/etc/site.pem: has no certificate (PEM)". A certificate that has expired is read like any other.
 * copies: how its files are read (key_copies.h, which also has key_copies_warn()); NULL:
 * they are only read. While a configuration is read: exits if there is no memory. */
const char *certificate_read(const char *path, const char *key, struct key_copies *copies,
                             struct certificate **made) __attribute__((warn_unused_result));

/* What a person should know: that the certificate has expired, or is not valid yet, or that its
 * OCSP response is out of date. The same text as above; NULL: nothing. */
const char *certificate_warning(const struct certificate *certificate, time_t now);

/* Writes "a.example *.b.example, until 2026-12-01 12:00:00 UTC", with some of very many names. */
void certificate_describe(const struct certificate *certificate, FILE *out);

/* NULL is fine. */
void certificate_free(struct certificate *certificate);

#endif
