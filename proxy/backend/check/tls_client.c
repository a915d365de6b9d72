#include "proxy/backend/check/tls_client.h"

#include "config/tls/certificate_store.h"
#include "config/tls/revocations.h"
#include "config/tls/tls_context.h"
#include "config/tls/tls_target.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

struct tls_client_context {
    const struct check_conf *conf;
    SSL_CTX *ssl;
    bool verifies;
};

struct tls_client {
    SSL *ssl;
    bool was_asked;
    char error[160];
};

/* The server asks for a certificate of the client; there is none. Not called where there is one. */
static int on_client_certificate(SSL *ssl, X509 **certificate, EVP_PKEY **key)
{
    (void)certificate;
    (void)key;
    struct tls_client *client = SSL_get_app_data(ssl);
    client->was_asked = true;
    return 0;
}

/* What a server may ask for, and is offered. */
static bool introduce(SSL *ssl, const struct check_conf *conf)
{
    const struct certificate_source *source = conf->certificate;
    const struct certificate *own = source && source->count ? source->list[0] : NULL;
    unsigned length;
    unsigned char *protocols = tls_alpn_wire(&conf->alpn, &length);
    const bool offered = !protocols || SSL_set_alpn_protos(ssl, protocols, length) == 0;
    free(protocols);
    return offered && (!own || SSL_use_cert_and_key(ssl, own->x509, own->key, own->chain, 1));
}

static bool set_up(struct tls_client_context *context, const struct check_conf *conf)
{
    SSL_CTX *ssl = context->ssl;
    SSL_CTX_set_options(ssl, SSL_OP_LEGACY_SERVER_CONNECT | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_client_cert_cb(ssl, on_client_certificate);
    if (conf->authorities) {
        SSL_CTX_set1_cert_store(ssl, conf->authorities);
        SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
        if (conf->revocations)
            revocations_use(ssl, conf->revocations);
        context->verifies = true;
        return true;
    }
    SSL_CTX_set_verify(ssl, SSL_VERIFY_NONE, NULL);
    return SSL_CTX_set_min_proto_version(ssl, TLS1_VERSION) &&
           SSL_CTX_set_cipher_list(ssl, "ALL:@SECLEVEL=0");
}

struct tls_client_context *tls_client_context_new(const struct check_conf *conf)
{
    struct tls_client_context *context = calloc(1, sizeof *context);
    if (!context)
        return NULL;
    context->conf = conf;
    context->ssl = SSL_CTX_new(TLS_client_method());
    if (context->ssl && set_up(context, conf))
        return context;
    ERR_clear_error();
    tls_client_context_free(context);
    return NULL;
}

void tls_client_context_free(struct tls_client_context *context)
{
    if (!context)
        return;
    SSL_CTX_free(context->ssl);
    free(context);
}

static bool is_numeric(const char *name)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

/* What the certificate must be for. */
static bool expect_name(SSL *ssl, const char *name, const struct address *address)
{
    X509_VERIFY_PARAM *parameters = SSL_get0_param(ssl);
    if (name && is_numeric(name))
        return X509_VERIFY_PARAM_set1_ip_asc(parameters, name);
    if (name)
        return X509_VERIFY_PARAM_set1_host(parameters, name, 0);
    switch (address->any.sa_family) {
    case AF_INET:
        return X509_VERIFY_PARAM_set1_ip(parameters, (const void *)&address->in.sin_addr, 4);
    case AF_INET6:
        return X509_VERIFY_PARAM_set1_ip(parameters, (const void *)&address->in6.sin6_addr, 16);
    default:
        return true; /* the path of a Unix socket is no name that a certificate could have */
    }
}

/* RFC 6066: no SNI with a numeric address. OpenSSL's macro casts const away. */
static bool ask_for(SSL *ssl, const char *name)
{
    return !name || is_numeric(name) ||
           SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                    (void *)(uintptr_t)name);
}

struct tls_client *tls_client_new(const struct tls_client_context *context, int fd,
                                  const char *name, const struct address *address)
{
    struct tls_client *client = calloc(1, sizeof *client);
    if (!client)
        return NULL;
    client->ssl = SSL_new(context->ssl);
    if (client->ssl && SSL_set_fd(client->ssl, fd) && SSL_set_app_data(client->ssl, client) &&
        ask_for(client->ssl, name) && introduce(client->ssl, context->conf) &&
        (!context->verifies || expect_name(client->ssl, name, address))) {
        SSL_set_connect_state(client->ssl);
        return client;
    }
    ERR_clear_error();
    tls_client_free(client);
    return NULL;
}

/* The server asks for a certificate, and gets that of the sessions, if they have one. */
static int on_certificate(SSL *ssl, void *client)
{
    (void)ssl;
    ((struct tls_client *)client)->was_asked = true;
    return 1;
}

struct tls_client *tls_client_as_sessions(const struct tls_client_context *context, int fd,
                                          const struct tls_target *target)
{
    struct tls_client *client = calloc(1, sizeof *client);
    if (!client)
        return NULL;
    client->ssl = tls_target_ssl(target);
    if (client->ssl && SSL_set_fd(client->ssl, fd) && introduce(client->ssl, context->conf)) {
        SSL_set_options(client->ssl, SSL_OP_IGNORE_UNEXPECTED_EOF);
        SSL_set_mode(client->ssl,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        SSL_set_cert_cb(client->ssl, on_certificate, client);
        return client;
    }
    ERR_clear_error();
    tls_client_free(client);
    return NULL;
}

void tls_client_free(struct tls_client *client)
{
    if (!client)
        return;
    SSL_free(client->ssl);
    free(client);
}

static void note_error(struct tls_client *client, int system_error)
{
    long verified = SSL_get_verify_result(client->ssl);
    unsigned long error = ERR_peek_error();
    const char *text = error ? ERR_reason_error_string(error) : NULL;
    if (SSL_get_verify_mode(client->ssl) != SSL_VERIFY_NONE && verified != X509_V_OK)
        text = X509_verify_cert_error_string(verified);
    if (!text)
        text = system_error ? strerror(system_error) : "the server ended the connection";
    snprintf(client->error, sizeof client->error, "%s", text);
}

/* What OpenSSL's result means. errno is as the call has left it. */
static enum tls_progress judge(struct tls_client *client, int result)
{
    int system_error = errno;
    switch (SSL_get_error(client->ssl, result)) {
    case SSL_ERROR_NONE:
        return TLS_DONE;
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return TLS_WAITS;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_ENDED;
    default:
        note_error(client, system_error);
        ERR_clear_error();
        return TLS_FAILED;
    }
}

enum tls_progress tls_client_handshake(struct tls_client *client)
{
    errno = 0;
    enum tls_progress progress = judge(client, SSL_do_handshake(client->ssl));
    if (progress != TLS_ENDED)
        return progress;
    note_error(client, 0);
    return TLS_FAILED;
}

bool tls_client_was_asked(const struct tls_client *client)
{
    return client->was_asked && (SSL_get_verify_mode(client->ssl) == SSL_VERIFY_NONE ||
                                 SSL_get_verify_result(client->ssl) == X509_V_OK);
}

enum tls_progress tls_client_read(struct tls_client *client, void *bytes, size_t size,
                                  size_t *length)
{
    errno = 0;
    int got = SSL_read(client->ssl, bytes, size < INT_MAX ? (int)size : INT_MAX);
    if (got > 0)
        *length = (size_t)got;
    return judge(client, got);
}

enum tls_progress tls_client_write(struct tls_client *client, const void *bytes, size_t size,
                                   size_t *length)
{
    errno = 0;
    int sent = SSL_write(client->ssl, bytes, size < INT_MAX ? (int)size : INT_MAX);
    if (sent > 0)
        *length = (size_t)sent;
    return judge(client, sent);
}

void tls_client_end(struct tls_client *client)
{
    (void)SSL_shutdown(client->ssl);
    ERR_clear_error();
}

const char *tls_client_error(struct tls_client *client)
{
    return client->error;
}
