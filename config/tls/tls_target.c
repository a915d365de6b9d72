#include "config/tls/tls_target.h"

#include "config/base/memory.h"
#include "config/tls/certificate_store.h"
#include "config/tls/complaint.h"
#include "config/tls/revocations.h"
#include "config/tls/session_cache.h"
#include "config/tls/tls_context.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

struct tls_target {
    SSL_CTX *context;
    struct session_cache *sessions;
    char *server_name; /* that the server is asked for; NULL: none */
    char *verified;    /* a name, or a numeric address; NULL: nothing is verified */
};

static bool is_numeric(const char *text)
{
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

/* "10.0.0.1", "::1"; NULL: a Unix socket. The caller frees it. */
static char *numeric_of(const struct address *address)
{
    char text[INET6_ADDRSTRLEN];
    if (address->any.sa_family == AF_INET)
        return memory_copy(inet_ntop(AF_INET, &address->in.sin_addr, text, sizeof text));
    if (address->any.sa_family == AF_INET6)
        return memory_copy(inet_ntop(AF_INET6, &address->in6.sin6_addr, text, sizeof text));
    return NULL;
}

static void set_names(struct tls_target *target, const struct tls_target_conf *conf,
                      const char *host, const struct address *address)
{
    const char *server_name = conf->sni ? conf->sni : host;
    const char *verified = conf->verify_name ? conf->verify_name : server_name;
    if (server_name)
        target->server_name = memory_copy(server_name);
    if (strcmp(conf->verify, "none") != 0)
        target->verified = verified ? memory_copy(verified) : numeric_of(address);
}

static const char *set_verification(struct tls_target *target, const struct tls_target_conf *conf)
{
    SSL_CTX *context = target->context;
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(context);
    if (strcmp(conf->verify, "none") == 0)
        return NULL;
    if (!target->verified)
        return "a Unix socket has no name to verify: add sni=NAME or verify-name=NAME";
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    int set = is_numeric(target->verified)
                  ? X509_VERIFY_PARAM_set1_ip_asc(param, target->verified)
                  : X509_VERIFY_PARAM_set1_host(param, target->verified, 0);
    if (!set || !SSL_CTX_set1_verify_cert_store(context, conf->authorities))
        return tls_complain("%s", tls_reason());
    if (conf->revocations)
        revocations_use(context, conf->revocations);
    return NULL;
}

static const char *set_alpn(SSL_CTX *context, const struct words *names)
{
    unsigned length;
    unsigned char *wire = tls_alpn_wire(names, &length);
    int failed = wire ? SSL_CTX_set_alpn_protos(context, wire, length) : 0;
    free(wire);
    return failed ? tls_complain("%s", tls_reason()) : NULL;
}

static const char *set_certificate(SSL_CTX *context, const struct certificate_source *source)
{
    const struct certificate *certificate = source && source->count ? source->list[0] : NULL;
    if (certificate && !SSL_CTX_use_cert_and_key(context, certificate->x509, certificate->key,
                                                 certificate->chain, 1))
        return tls_complain("%s: %s", certificate->path, tls_reason());
    return NULL;
}

static const char *make(struct tls_target *target, const struct tls_target_conf *conf)
{
    target->context = tls_context_new(TLS_client_method());
    if (!target->context || !SSL_CTX_set_min_proto_version(target->context, TLS1_2_VERSION))
        return tls_complain("%s", tls_reason());
    const char *wrong = set_verification(target, conf);
    if (!wrong)
        wrong = set_alpn(target->context, &conf->alpn);
    target->sessions = session_cache_new(target->context);
    if (!target->sessions)
        return "out of memory";
    return wrong ? wrong : set_certificate(target->context, conf->certificate);
}

const char *tls_target_new(const struct tls_target_conf *conf, const char *host,
                           const struct address *address, struct tls_target **made)
{
    struct tls_target *target = memory_new(1, sizeof *target);
    ERR_clear_error();
    set_names(target, conf, host, address);
    const char *wrong = make(target, conf);
    if (wrong)
        tls_target_free(target);
    else
        *made = target;
    return wrong;
}

void tls_target_free(struct tls_target *target)
{
    if (!target)
        return;
    SSL_CTX_free(target->context);
    session_cache_free(target->sessions);
    free(target->server_name);
    free(target->verified);
    free(target);
}

SSL *tls_target_ssl(const struct tls_target *target)
{
    SSL *ssl = SSL_new(target->context);
    if (!ssl)
        return NULL;
    SSL_set_connect_state(ssl);
    if (!target->server_name || SSL_set_tlsext_host_name(ssl, target->server_name))
        return ssl;
    SSL_free(ssl);
    return NULL;
}

SSL_CTX *tls_target_context(struct tls_target *target)
{
    return target->context;
}

void tls_target_resume(const struct tls_target *target, SSL *ssl, const struct address *address)
{
    session_cache_join(target->sessions, ssl, address, time(NULL));
}

bool tls_target_opened(SSL *ssl)
{
    return session_cache_opened(ssl);
}

void tls_target_failed(SSL *ssl)
{
    session_cache_failed(ssl);
}

struct session_cache *tls_target_sessions(const struct tls_target *target)
{
    return target->sessions;
}

const char *tls_target_verified(const struct tls_target *target)
{
    return target->verified;
}
