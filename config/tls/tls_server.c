#include "config/tls/tls_server.h"

#include "config/base/memory.h"
#include "config/tls/certificate_store.h"
#include "config/tls/complaint.h"
#include "config/tls/tickets.h"
#include "config/tls/tls_context.h"

#include <ctype.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A name, or "*.NAME", of one certificate. */
struct name_entry {
    const char *name;
    const struct certificate *certificate;
    size_t sequence; /* a certificate that comes first in the file is preferred */
};

/* Certificates of one name, each with a key of another type: OpenSSL chooses among them by what the
 * client can. */
struct name_range {
    const struct name_entry *first;
    size_t count; /* 0: none has the name */
};

struct tls_server {
    SSL_CTX *context;
    const struct certificate **list;
    size_t count;
    const struct certificate **stapled; /* those with a response of OCSP */
    size_t stapled_count;
    struct name_entry *names; /* sorted by name, then by sequence */
    size_t name_count, name_capacity;
    struct name_range fallback; /* for other names, and for clients that ask for none */
    struct name_entry unnamed;  /* of a fallback without a name */
    bool rejects;               /* clients that ask for another name, or for none */
    unsigned char *alpn;
    unsigned alpn_length;
    struct tickets *tickets; /* NULL: there are none */
};

/* --- names --------------------------------------------------------------------------------- */

static int by_name(const void *left, const void *right)
{
    const struct name_entry *a = left, *b = right;
    int order = strcmp(a->name, b->name);
    return order ? order : a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
}

static struct name_range find_text(const struct tls_server *server, const char *text)
{
    size_t low = 0, high = server->name_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(server->names[middle].name, text) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    struct name_range range = {.first = server->names + low};
    while (low + range.count < server->name_count &&
           strcmp(range.first[range.count].name, text) == 0)
        range.count++;
    return range;
}

#define NAME_MAX_LENGTH 255

/* The certificates with the name itself, and those with a wildcard for it: it stands for one label
 * (RFC 6125), so that there is only one that can match. */
struct choice {
    struct name_range exact, wildcard;
};

static struct choice find_name(const struct tls_server *server, const char *name)
{
    struct choice choice = {0};
    char text[NAME_MAX_LENGTH + 1];
    size_t length = strlen(name);
    if (length == 0 || length > NAME_MAX_LENGTH)
        return choice;
    for (size_t i = 0; i <= length; i++)
        text[i] = (char)tolower((unsigned char)name[i]);
    if (text[length - 1] == '.')
        text[length - 1] = '\0';
    choice.exact = find_text(server, text);
    char *dot = strchr(text, '.');
    if (dot && dot != text) {
        *--dot = '*';
        choice.wildcard = find_text(server, dot);
    }
    return choice;
}

bool tls_server_has_name(const struct tls_server *server, const char *name)
{
    const struct choice choice = find_name(server, name);
    return choice.exact.count + choice.wildcard.count > 0;
}

static int type_of(const struct certificate *certificate)
{
    return EVP_PKEY_get_base_id(certificate->key);
}

static bool has_type(const struct name_range *range, const struct certificate *certificate)
{
    for (size_t i = 0; i < range->count; i++)
        if (type_of(range->first[i].certificate) == type_of(certificate))
            return true;
    return false;
}

static void add_name(struct tls_server *server, const char *name,
                     const struct certificate *certificate, size_t sequence)
{
    server->names = memory_grow(server->names, server->name_count, &server->name_capacity,
                                sizeof *server->names);
    server->names[server->name_count++] = (struct name_entry){name, certificate, sequence};
}

/* Of several certificates of one name and one type the first is used. */
static void drop_doubles(struct tls_server *server)
{
    size_t kept = 0, begin = 0; /* of the entries with the present name */
    for (size_t i = 0; i < server->name_count; i++) {
        if (kept > 0 && strcmp(server->names[kept - 1].name, server->names[i].name) != 0)
            begin = kept;
        const struct name_range range = {server->names + begin, kept - begin};
        if (!has_type(&range, server->names[i].certificate))
            server->names[kept++] = server->names[i];
    }
    server->name_count = kept;
}

static void index_names(struct tls_server *server)
{
    for (size_t i = 0; i < server->count; i++) {
        const struct certificate *certificate = server->list[i];
        for (size_t j = 0; j < certificate->names.count; j++)
            add_name(server, certificate->names.list[j], certificate, i);
    }
    if (server->name_count > 0)
        qsort(server->names, server->name_count, sizeof *server->names, by_name);
    drop_doubles(server);
}

/* --- the choice ---------------------------------------------------------------------------- */

static int use(SSL *ssl, const struct certificate *certificate)
{
    return SSL_use_cert_and_key(ssl, certificate->x509, certificate->key, certificate->chain, 1);
}

/* A certificate of the name itself is preferred to one by a wildcard. Clients that cannot use the
 * first, because of its type, get the second. */
static int on_certificate(SSL *ssl, void *arg)
{
    const struct tls_server *server = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    const struct choice choice = name ? find_name(server, name) : (struct choice){0};
    const struct name_range *exact = &choice.exact, *wildcard = &choice.wildcard;
    if (exact->count + wildcard->count == 0)
        return 1; /* a new SSL has the default */
    if (exact->first == server->fallback.first && wildcard->count == 0)
        return 1;
    SSL_certs_clear(ssl);
    for (size_t i = 0; i < exact->count; i++)
        if (!use(ssl, exact->first[i].certificate))
            return 0;
    for (size_t i = 0; i < wildcard->count; i++)
        if (!has_type(exact, wildcard->first[i].certificate) &&
            !use(ssl, wildcard->first[i].certificate))
            return 0;
    return 1;
}

/* Also called for sessions that are resumed. Acknowledged names are kept in the session. */
static int on_server_name(SSL *ssl, int *alert, void *arg)
{
    const struct tls_server *server = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (server->rejects && (!name || !tls_server_has_name(server, name))) {
        *alert = SSL_AD_UNRECOGNIZED_NAME;
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    return name ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static int on_alpn(SSL *ssl, const unsigned char **chosen, unsigned char *length,
                   const unsigned char *wire, unsigned wire_length, void *arg)
{
    const struct tls_server *server = arg;
    unsigned char *name;
    (void)ssl;
    if (SSL_select_next_proto(&name, length, server->alpn, server->alpn_length, wire,
                              wire_length) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL; /* no_application_protocol */
    *chosen = name;
    return SSL_TLSEXT_ERR_OK;
}

static const struct certificate *find_shown(const struct tls_server *server, const X509 *shown)
{
    for (size_t i = 0; i < server->stapled_count; i++)
        if (server->stapled[i]->x509 == shown)
            return server->stapled[i];
    return NULL;
}

/* The client asks for the response, and the certificate has been chosen. */
static int on_status(SSL *ssl, void *arg)
{
    const struct certificate *certificate = find_shown(arg, SSL_get_certificate(ssl));
    if (!certificate || certificate->ocsp_until < time(NULL))
        return SSL_TLSEXT_ERR_NOACK;
    unsigned char *copy = OPENSSL_memdup(certificate->ocsp, certificate->ocsp_length);
    if (!copy)
        return SSL_TLSEXT_ERR_NOACK;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)certificate->ocsp_length);
    return SSL_TLSEXT_ERR_OK;
}

/* --- certificates -------------------------------------------------------------------------- */

static void add_certificates(struct tls_server *server, const struct tls_certificates *entries)
{
    size_t count = 0;
    for (size_t i = 0; i < entries->count; i++)
        count += entries->list[i].from->count;
    server->list = memory_new(count + 1, sizeof(struct certificate *));
    server->stapled = memory_new(count + 1, sizeof(struct certificate *));
    for (size_t i = 0; i < entries->count; i++)
        for (size_t j = 0; j < entries->list[i].from->count; j++) {
            const struct certificate *certificate = entries->list[i].from->list[j];
            server->list[server->count++] = certificate;
            if (certificate->ocsp)
                server->stapled[server->stapled_count++] = certificate;
        }
}

/* OpenSSL refuses keys and signatures that are too weak for the level of the context. */
static bool try_certificates(const struct tls_server *server,
                             const struct tls_certificates *entries, struct problems *problems)
{
    bool good = true;
    for (size_t i = 0; i < entries->count; i++)
        for (size_t j = 0; j < entries->list[i].from->count; j++) {
            const struct certificate *certificate = entries->list[i].from->list[j];
            SSL *ssl = SSL_new(server->context);
            if (!ssl || !use(ssl, certificate)) {
                problem_add(problems, entries->list[i].place, "certificate: %s: %s",
                            certificate->path, tls_reason());
                good = false;
            }
            SSL_free(ssl);
            ERR_clear_error();
        }
    return good;
}

/* The first certificate, and those of its name with keys of other types. */
static bool set_fallback(struct tls_server *server)
{
    const struct certificate *first = server->list[0];
    server->unnamed = (struct name_entry){"", first, 0};
    server->fallback = (struct name_range){&server->unnamed, 1};
    if (first->names.count > 0)
        server->fallback = find_text(server, first->names.list[0]);
    for (size_t i = 0; i < server->fallback.count; i++) {
        const struct certificate *certificate = server->fallback.first[i].certificate;
        if (!SSL_CTX_use_cert_and_key(server->context, certificate->x509, certificate->key,
                                      certificate->chain, 1))
            return false;
    }
    return true;
}

static bool set_certificates(struct tls_server *server)
{
    SSL_CTX *context = server->context;
    index_names(server);
    if (!set_fallback(server))
        return false;
    if (server->count > server->fallback.count)
        SSL_CTX_set_cert_cb(context, on_certificate, server);
    if (server->stapled_count > 0) {
        SSL_CTX_set_tlsext_status_cb(context, on_status);
        SSL_CTX_set_tlsext_status_arg(context, server);
    }
    return true;
}

/* --- certificates of clients --------------------------------------------------------------- */

/* The names of the authorities, which clients are told. */
static bool tell_authorities(SSL_CTX *context, X509_STORE *store)
{
    STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);
    for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        X509 *authority = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
        if (authority && !SSL_CTX_add_client_CA(context, authority))
            return false;
    }
    return true;
}

static bool add_revocations(X509_STORE *store, struct stack_st_X509_CRL *list)
{
    for (int i = 0; i < sk_X509_CRL_num(list); i++)
        if (!X509_STORE_add_crl(store, sk_X509_CRL_value(list, i)))
            return false;
    return X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
}

static bool set_clients(SSL_CTX *context, const struct tls_conf *conf)
{
    X509_STORE *store = conf->client_ca.store;
    int mode = SSL_VERIFY_PEER;
    if (!store)
        return true;
    if (conf->client_verify == TLS_CLIENT_REQUIRED)
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(context, mode, NULL);
    SSL_CTX_set_verify_depth(context, (int)conf->client_depth);
    return SSL_CTX_set1_verify_cert_store(context, store) && tell_authorities(context, store) &&
           (!conf->client_crl.list || add_revocations(store, conf->client_crl.list));
}

/* --- resumption ---------------------------------------------------------------------------- */

static bool digest_objects(EVP_MD_CTX *digest, X509_STORE *store)
{
    STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);
    bool good = true;
    for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        const X509_OBJECT *object = sk_X509_OBJECT_value(objects, i);
        unsigned char print[EVP_MAX_MD_SIZE];
        unsigned length = 0;
        if (X509_OBJECT_get_type(object) == X509_LU_X509)
            good &= X509_digest(X509_OBJECT_get0_X509(object), EVP_sha256(), print, &length);
        else
            good &=
                X509_CRL_digest(X509_OBJECT_get0_X509_CRL(object), EVP_sha256(), print, &length);
        good &= EVP_DigestUpdate(digest, print, length);
    }
    return good;
}

/* A session is resumed only by the frontend that it was made by, and while clients' certificates
 * are judged as they were: a resumption does not verify again. New certificates of the frontend
 * itself change nothing. */
static bool set_session_context(SSL_CTX *context, const struct tls_conf *conf, const char *frontend)
{
    const unsigned judged[] = {conf->client_ca.store != NULL, conf->client_verify,
                               conf->client_depth};
    unsigned char id[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    bool good = digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) &&
                EVP_DigestUpdate(digest, frontend, strlen(frontend) + 1) &&
                EVP_DigestUpdate(digest, judged, sizeof judged) &&
                (!conf->client_ca.store || digest_objects(digest, conf->client_ca.store)) &&
                EVP_DigestFinal_ex(digest, id, &length) &&
                SSL_CTX_set_session_id_context(context, id, length);
    EVP_MD_CTX_free(digest);
    return good;
}

/* --- all of it ----------------------------------------------------------------------------- */

static bool set_options(struct tls_server *server, const struct tls_conf *conf)
{
    SSL_CTX *context = server->context;
    server->rejects = conf->unknown_name == TLS_UNKNOWN_REJECT;
    SSL_CTX_set_tlsext_servername_callback(context, on_server_name);
    SSL_CTX_set_tlsext_servername_arg(context, server);
    server->alpn = tls_alpn_wire(&conf->alpn, &server->alpn_length);
    if (server->alpn)
        SSL_CTX_set_alpn_select_cb(context, on_alpn, server);
    if (!conf->tickets) {
        SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(context, 0);
    } else {
        server->tickets = tickets_new(context, conf->ticket_keys.file);
    }
    return (server->tickets || !conf->tickets) &&
           SSL_CTX_set_min_proto_version(context, tls_context_version(conf->min)) &&
           SSL_CTX_set_max_proto_version(context, tls_context_version(conf->max)) &&
           SSL_CTX_set_cipher_list(context, conf->ciphers) &&
           SSL_CTX_set_ciphersuites(context, conf->ciphersuites) &&
           tls_context_set_curves(context, conf->curves);
}

struct tls_server *tls_server_new(const struct tls_conf *conf, const char *frontend,
                                  struct place place, struct problems *problems)
{
    struct tls_server *server = memory_new(1, sizeof *server);
    ERR_clear_error();
    add_certificates(server, &conf->certificates);
    server->context = tls_context_new(TLS_server_method());
    bool good = server->context && server->count > 0 && set_options(server, conf) &&
                set_clients(server->context, conf) &&
                set_session_context(server->context, conf, frontend);
    if (good && !try_certificates(server, &conf->certificates, problems)) {
        tls_server_free(server);
        return NULL;
    }
    if (good && set_certificates(server))
        return server;
    problem_add(problems, place, "TLS of frontend %s: %s", frontend, tls_reason());
    ERR_clear_error();
    tls_server_free(server);
    return NULL;
}

void tls_server_free(struct tls_server *server)
{
    if (!server)
        return;
    SSL_CTX_free(server->context);
    tickets_free(server->tickets);
    free(server->list);
    free(server->stapled);
    free(server->names);
    free(server->alpn);
    free(server);
}

SSL *tls_server_ssl(const struct tls_server *server)
{
    SSL *ssl = SSL_new(server->context);
    if (ssl)
        SSL_set_accept_state(ssl);
    return ssl;
}

struct tickets *tls_server_tickets(const struct tls_server *server)
{
    return server->tickets;
}

SSL_CTX *tls_server_context(struct tls_server *server)
{
    return server->context;
}

size_t tls_server_count(const struct tls_server *server)
{
    return server->count;
}

const struct certificate *tls_server_certificate(const struct tls_server *server, size_t i)
{
    return server->list[i];
}
