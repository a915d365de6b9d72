/* TLS with the clients of a frontend: the certificates, and what is accepted. Never changes once it
 * is made: any thread. */
#ifndef RPPROXY_CONFIG_TLS_TLS_SERVER_H
#define RPPROXY_CONFIG_TLS_TLS_SERVER_H

#include "config/model/tls.h"
#include "config/tls/certificate.h"

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>

struct tickets; /* config/tls/tickets.h */
struct tls_server;

/* Makes it of the options of the frontend with that name. What is wrong is added to problems, at
 * the lines of the certificates or else at `place`; NULL is returned then. The certificates belong
 * to the config, and must outlive it. */
struct tls_server *tls_server_new(const struct tls_conf *conf, const char *frontend,
                                  struct place place, struct problems *problems)
    __attribute__((warn_unused_result));

/* NULL is fine. */
void tls_server_free(struct tls_server *server);

/* A connection in accept state, without BIOs, which the caller frees by SSL_free(). NULL: there is
 * no memory. */
SSL *tls_server_ssl(const struct tls_server *server) __attribute__((warn_unused_result));

/* The tickets of its clients; NULL: they get none. */
struct tickets *tls_server_tickets(const struct tls_server *server);

/* For further callbacks (key log, information), which the caller sets before the first
 * tls_server_ssl(). Those for server name, certificate, ALPN, OCSP and tickets are taken. */
SSL_CTX *tls_server_context(struct tls_server *server);

/* The certificates in the order of the file; the first is the default. */
size_t tls_server_count(const struct tls_server *server);
const struct certificate *tls_server_certificate(const struct tls_server *server, size_t i);

/* Whether a certificate has the name, in upper or lower case, itself or by a wildcard. */
bool tls_server_has_name(const struct tls_server *server, const char *name);

#endif
