/* A struct tls_server of files in the folder of a test. */
#ifndef RPPROXY_TESTS_UNIT_CONFIG_TLS_SERVING_H
#define RPPROXY_TESTS_UNIT_CONFIG_TLS_SERVING_H

#include "config/model/config.h"
#include "config/tls/certificate_store.h"
#include "config/tls/tls_server.h"
#include "tests/unit/support/issued.h"

struct serving {
    struct frontend_conf frontend; /* its options of TLS have their defaults */
    struct certificate_store *store;
    struct problems problems;
    struct tls_server *server;
};

void serving_init(struct serving *serving);

/* Sets an option, which must be right. */
void serving_set(struct serving *serving, const char *option, const char *value);

/* Makes the server of what was set. */
void serving_start(struct serving *serving);
void serving_free(struct serving *serving);

/* What a client asks for, and gets. */
struct visit {
    const char *name;                          /* SNI; NULL: none */
    const char *ciphers, *suites, *algorithms; /* NULL: all that OpenSSL has */
    int version;                               /* 0: any */
    const char *alpn;                          /* as on the wire */
    const struct issued *certificate;
    SSL_SESSION *session; /* to be resumed */
    bool wants_staple;
};

/* Makes the client of it. */
SSL *visitor(const struct visit *visit);

/* The common name of the server's certificate; "": the handshake failed, and *alert (may be NULL)
 * is what the server has sent. Static storage. */
const char *visit_name(struct serving *serving, struct visit visit, int *alert);

/* The first flight of a handshake: what ssl says when it has heard these bytes (length 0: nothing).
 * Returns its length; *failed (may be NULL): the handshake has. */
size_t first_flight(SSL *ssl, const unsigned char *heard, size_t length, unsigned char *flight,
                    size_t room, bool *failed);

/* Where the compression methods begin in a ClientHello (their number, and then those), or in a
 * ServerHello (the method), that is the first of the flight. */
size_t compression_at(const unsigned char *flight);

#endif
