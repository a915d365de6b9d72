/* What the file says about TLS: with clients, and with servers. */
#ifndef RPPROXY_CONFIG_MODEL_TLS_H
#define RPPROXY_CONFIG_MODEL_TLS_H

#include "config/base/clock.h"
#include "config/model/metrics.h"
#include "config/syntax/problems.h"

#include <stdbool.h>
#include <stddef.h>

struct certificate_source; /* config/tls/certificate_store.h */
struct stack_st_X509_CRL;
struct ticket_file; /* config/tls/ticket_file.h */
struct x509_store_st;

enum tls_version { TLS_VERSION_1_2, TLS_VERSION_1_3 };

/* What happens if no certificate has the server name that a client asks for. */
enum tls_unknown_name { TLS_UNKNOWN_DEFAULT, TLS_UNKNOWN_REJECT };

/* With client-ca: whether a client must show a certificate. What it shows is always verified. */
enum tls_client_verify { TLS_CLIENT_REQUIRED, TLS_CLIENT_OPTIONAL };

/* A file or a folder that an option `certificate` names. */
struct tls_certificate_entry {
    const struct certificate_source *from; /* belongs to the config */
    struct place place; /* of the line; valid only while the configuration is read */
};

struct tls_certificates {
    struct tls_certificate_entry *list;
    size_t count;
};

/* The authorities of clients' certificates. */
struct tls_authorities {
    char *path;                  /* absolute; NULL: not given */
    struct x509_store_st *store; /* NULL: not read */
};

/* Revocation lists. */
struct tls_revocations {
    char *path;                     /* absolute; NULL: not given */
    struct stack_st_X509_CRL *list; /* NULL: not read */
};

/* Keys of tickets. */
struct tls_ticket_keys {
    char *path;               /* absolute; NULL: not given */
    struct ticket_file *file; /* NULL: not read */
};

/* The options of a frontend. */
struct tls_conf {
    struct tls_certificates certificates;
    enum tls_version min, max;
    char *ciphers, *ciphersuites, *curves; /* as OpenSSL has them; never NULL */
    struct words alpn;                     /* in the order of preference; none: ALPN is not used */
    enum tls_unknown_name unknown_name;
    millis timeout;      /* of a handshake */
    unsigned handshakes; /* at once; 0: no limit */
    bool tickets;        /* sessions may be resumed */
    struct tls_ticket_keys ticket_keys;
    struct tls_authorities client_ca;
    struct tls_revocations client_crl;
    enum tls_client_verify client_verify;
    unsigned client_depth; /* authorities between a client's certificate and one of client_ca */
};

/* The attributes of a server line. */
struct tls_target_conf {
    bool on;      /* tls=yes */
    char *verify; /* "none", "system" or the absolute path of a file; NULL: not given */
    struct x509_store_st *authorities; /* in the file of verify; belong to the config. NULL: none */
    char *crl;                         /* an absolute path; NULL: not given */
    struct stack_st_X509_CRL *revocations; /* in crl; belong to the config. NULL: none */
    char *sni;                             /* NULL: not given */
    char *verify_name;                     /* NULL: not given */
    struct words alpn;
    const struct certificate_source *certificate; /* that the server is shown; NULL: none */
};

#endif
