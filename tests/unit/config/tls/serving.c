#include "tests/unit/config/tls/serving.h"

#include "config/options/options.h"
#include "tests/unit/support/config_text.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static char source_name[] = "p.ini";
static struct source source = {.path = source_name};

void serving_init(struct serving *serving)
{
    *serving = (struct serving){.store = certificate_store_new(NULL)};
    options_set_initial(OWNER_FRONTEND, &serving->frontend);
}

void serving_set(struct serving *serving, const char *option, const char *value)
{
    struct address_files files = {0};
    const struct option_context context = {.place = {&source, 3},
                                           .problems = &serving->problems,
                                           .files = &files,
                                           .certificates = serving->store};
    const char *wrong =
        option_set(option_find(SECTION_FRONTEND, option), value, &serving->frontend, &context);
    ck_assert_msg(!wrong, "%s = %s: %s", option, value, wrong);
    ck_assert_msg(!problems_any(&serving->problems), "%s", serving->problems.items[0].text);
    address_files_free(&files);
}

void serving_start(struct serving *serving)
{
    serving->server =
        tls_server_new(&serving->frontend.tls, "f", (struct place){&source, 1}, &serving->problems);
}

void serving_free(struct serving *serving)
{
    tls_server_free(serving->server);
    options_release(OWNER_FRONTEND, &serving->frontend);
    certificate_store_free(serving->store);
    problems_free(&serving->problems);
}

SSL *visitor(const struct visit *visit)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_cipher_list(context, visit->ciphers ? visit->ciphers : "ALL");
    if (visit->suites)
        SSL_CTX_set_ciphersuites(context, visit->suites);
    SSL *ssl = SSL_new(context);
    SSL_CTX_free(context);
    SSL_set_connect_state(ssl);
    if (visit->name) {
        char *name = strdup(visit->name);
        ck_assert(SSL_set_tlsext_host_name(ssl, name));
        free(name);
    }
    if (visit->version)
        ck_assert(SSL_set_min_proto_version(ssl, visit->version) &&
                  SSL_set_max_proto_version(ssl, visit->version));
    if (visit->algorithms) {
        char *algorithms = strdup(visit->algorithms);
        ck_assert_int_eq((int)SSL_set1_sigalgs_list(ssl, algorithms), 1);
        free(algorithms);
    }
    if (visit->alpn)
        SSL_set_alpn_protos(ssl, (const unsigned char *)visit->alpn, (unsigned)strlen(visit->alpn));
    if (visit->certificate)
        ck_assert(
            SSL_use_cert_and_key(ssl, visit->certificate->x509, visit->certificate->key, NULL, 1));
    if (visit->session)
        ck_assert(SSL_set_session(ssl, visit->session));
    if (visit->wants_staple)
        SSL_set_tlsext_status_type(ssl, TLSEXT_STATUSTYPE_ocsp);
    return ssl;
}

const char *visit_name(struct serving *serving, struct visit visit, int *alert)
{
    static char name[256];
    struct ends ends;
    name[0] = '\0';
    if (shake_hands(&ends, visitor(&visit), tls_server_ssl(serving->server))) {
        X509 *shown = SSL_get0_peer_certificate(ends.client);
        ck_assert_int_ge(X509_NAME_get_text_by_NID(X509_get_subject_name(shown), NID_commonName,
                                                   name, sizeof name),
                         0);
    }
    if (alert)
        *alert = ends.server_alert;
    ends_free(&ends);
    return name;
}

size_t first_flight(SSL *ssl, const unsigned char *heard, size_t length, unsigned char *flight,
                    size_t room, bool *failed)
{
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    size_t said = 0;
    BIO_set_mem_eof_return(in, -1);
    if (length > 0)
        ck_assert_int_eq(BIO_write(in, heard, (int)length), (int)length);
    SSL_set_bio(ssl, in, out);
    int result = SSL_do_handshake(ssl);
    if (failed)
        *failed = SSL_get_error(ssl, result) == SSL_ERROR_SSL;
    (void)BIO_read_ex(out, flight, room, &said);
    return said;
}

size_t compression_at(const unsigned char *flight)
{
    const bool of_client = flight[5] == 1;
    size_t at = 5 + 4 + 2 + 32; /* the headers, version and random */
    at += 1 + flight[at];       /* the session */
    return at + (of_client ? 2 + ((size_t)flight[at] << 8 | flight[at + 1]) : 2);
}
