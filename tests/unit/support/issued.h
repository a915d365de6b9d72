/* Certificates that a test issues, in files of its folder (config_text.h), and handshakes. */
#ifndef RPPROXY_TESTS_UNIT_SUPPORT_ISSUED_H
#define RPPROXY_TESTS_UNIT_SUPPORT_ISSUED_H

#include <openssl/ssl.h>
#include <stdbool.h>

struct issued {
    X509 *x509;
    EVP_PKEY *key;
};

struct request {
    const char *name;         /* the common name */
    const char *alternatives; /* the subjectAltName: "DNS:a,DNS:*.b"; NULL: none */
    const char *key;          /* P-256, P-384, RSA-2048, RSA-1024, ED25519; NULL: P-256 */
    const struct issued *by;  /* NULL: itself */
    bool authority;
    long begins, ends; /* seconds from now; both 0: from yesterday to next month */
};

struct issued issue(struct request request);
void issued_free(struct issued *issued);

/* As PEM, to be freed. */
char *pem_of_certificate(const struct issued *issued);
char *pem_of_key(const struct issued *issued);

/* Writes the certificate and its key. */
void issued_write(const char *file, const struct issued *issued);

/* Writes certificate and key of a new P-256 certificate with these alternatives. */
void issued_write_new(const char *file, const char *alternatives);

/* Writes a text. */
void text_write(const char *file, const char *text);

/* A revocation list of the authority, that is valid until `ends` seconds from now; revoked: NULL,
 * or a certificate that it has. As PEM, to be freed. */
char *pem_of_revocations(const struct issued *authority, const struct issued *revoked, long ends);

/* Writes a response of OCSP about the certificate. */
void staple_write(const char *file, const struct issued *issued, const struct issued *authority,
                  long ends);

/* The two ends of a connection in memory. */
struct ends {
    SSL *client, *server;
    int client_alert, server_alert; /* that were sent: SSL_AD_*; -1: none */
};

/* Shakes hands, and exchanges a byte each way, so that tickets arrive. Takes both. Returns whether
 * it was done; ends_free() in either case. */
bool shake_hands(struct ends *ends, SSL *client, SSL *server);
void ends_free(struct ends *ends);

#endif
