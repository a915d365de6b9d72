#include "tests/unit/support/issued.h"

#include "tests/unit/support/config_text.h"

#include <check.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

static long next_serial = 1;

static EVP_PKEY *make_key(const char *kind)
{
    if (!kind)
        kind = "P-256";
    if (strncmp(kind, "RSA-", 4) == 0)
        return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)atoi(kind + 4));
    if (strncmp(kind, "P-", 2) == 0)
        return EVP_PKEY_Q_keygen(NULL, NULL, "EC", kind);
    return EVP_PKEY_Q_keygen(NULL, NULL, kind);
}

static void add_extension(X509 *x509, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, x509, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    ck_assert_msg(extension != NULL, "%s", value);
    X509_add_ext(x509, extension, -1);
    X509_EXTENSION_free(extension);
}

static bool signs_by_digest(const EVP_PKEY *key)
{
    return EVP_PKEY_get_base_id(key) != EVP_PKEY_ED25519;
}

struct issued issue(struct request request)
{
    struct issued made = {.x509 = X509_new(), .key = make_key(request.key)};
    const struct issued *by = request.by ? request.by : &made;
    const bool default_time = request.begins == 0 && request.ends == 0;
    ck_assert_ptr_nonnull(made.key);
    X509_set_version(made.x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made.x509), next_serial++);
    X509_gmtime_adj(X509_getm_notBefore(made.x509), default_time ? -24 * 3600 : request.begins);
    X509_gmtime_adj(X509_getm_notAfter(made.x509), default_time ? 30 * 24 * 3600 : request.ends);
    X509_set_pubkey(made.x509, made.key);
    X509_NAME *subject = X509_get_subject_name(made.x509);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)request.name,
                               -1, -1, 0);
    X509_set_issuer_name(made.x509, X509_get_subject_name(by->x509));
    if (request.alternatives)
        add_extension(made.x509, by->x509, NID_subject_alt_name, request.alternatives);
    if (request.authority)
        add_extension(made.x509, by->x509, NID_basic_constraints, "critical,CA:TRUE");
    ck_assert_int_gt(X509_sign(made.x509, by->key, signs_by_digest(by->key) ? EVP_sha256() : NULL),
                     0);
    return made;
}

void issued_free(struct issued *issued)
{
    X509_free(issued->x509);
    EVP_PKEY_free(issued->key);
}

static char *text_of(BIO *bio)
{
    char *bytes;
    long length = BIO_get_mem_data(bio, &bytes);
    char *text = strndup(bytes, (size_t)length);
    BIO_free(bio);
    return text;
}

char *pem_of_certificate(const struct issued *issued)
{
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, issued->x509);
    return text_of(bio);
}

char *pem_of_key(const struct issued *issued)
{
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, issued->key, NULL, NULL, 0, NULL, NULL);
    return text_of(bio);
}

void text_write(const char *file, const char *text)
{
    folder_write(file, text, strlen(text));
}

void issued_write(const char *file, const struct issued *issued)
{
    char *certificate = pem_of_certificate(issued), *key = pem_of_key(issued), *both;
    ck_assert_int_ge(asprintf(&both, "%s%s", certificate, key), 0);
    text_write(file, both);
    free(certificate);
    free(key);
    free(both);
}

void issued_write_new(const char *file, const char *alternatives)
{
    struct issued made = issue((struct request){.name = file, .alternatives = alternatives});
    issued_write(file, &made);
    issued_free(&made);
}

char *pem_of_revocations(const struct issued *authority, const struct issued *revoked, long ends)
{
    X509_CRL *list = X509_CRL_new();
    ASN1_TIME *time = ASN1_TIME_new();
    X509_CRL_set_version(list, X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(list, X509_get_subject_name(authority->x509));
    X509_gmtime_adj(time, -48 * 3600);
    X509_CRL_set1_lastUpdate(list, time);
    if (revoked) {
        X509_REVOKED *entry = X509_REVOKED_new();
        X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked->x509));
        X509_REVOKED_set_revocationDate(entry, time);
        X509_CRL_add0_revoked(list, entry);
    }
    X509_gmtime_adj(time, ends);
    X509_CRL_set1_nextUpdate(list, time);
    ck_assert_int_gt(X509_CRL_sign(list, authority->key, EVP_sha256()), 0);
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509_CRL(bio, list);
    ASN1_TIME_free(time);
    X509_CRL_free(list);
    return text_of(bio);
}

void staple_write(const char *file, const struct issued *issued, const struct issued *authority,
                  long ends)
{
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), issued->x509, authority->x509);
    ASN1_TIME *now = X509_gmtime_adj(NULL, -3600), *until = X509_gmtime_adj(NULL, ends);
    OCSP_basic_add1_status(basic, id, V_OCSP_CERTSTATUS_GOOD, 0, NULL, now, until);
    ck_assert(OCSP_basic_sign(basic, authority->x509, authority->key, EVP_sha256(), NULL, 0));
    OCSP_RESPONSE *response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    unsigned char *bytes = NULL;
    int length = i2d_OCSP_RESPONSE(response, &bytes);
    ck_assert_int_gt(length, 0);
    folder_write(file, (const char *)bytes, (size_t)length);
    OPENSSL_free(bytes);
    ASN1_TIME_free(now);
    ASN1_TIME_free(until);
    OCSP_CERTID_free(id);
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
}

/* --- handshakes ---------------------------------------------------------------------------- */

static void note_alert(const SSL *ssl, int where, int value)
{
    struct ends *ends = SSL_get_app_data(ssl);
    if ((where & SSL_CB_ALERT) && (where & SSL_CB_WRITE))
        *(ssl == ends->client ? &ends->client_alert : &ends->server_alert) = value & 0xff;
}

/* Whether the call may be repeated. */
static bool is_waiting(const SSL *ssl, int result)
{
    int error = SSL_get_error(ssl, result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

/* Whether a byte of the sender comes to the receiver. */
static bool pass_byte(SSL *sender, SSL *receiver)
{
    char byte = 'x';
    if (SSL_write(sender, &byte, 1) != 1)
        return false;
    for (int i = 0; i < 10; i++) {
        int result = SSL_read(receiver, &byte, 1);
        if (result == 1 || !is_waiting(receiver, result))
            return result == 1;
    }
    return false;
}

bool shake_hands(struct ends *ends, SSL *client, SSL *server)
{
    BIO *left, *right;
    *ends = (struct ends){client, server, -1, -1};
    ck_assert_int_eq(BIO_new_bio_pair(&left, 1 << 18, &right, 1 << 18), 1);
    SSL_set_bio(client, left, left);
    SSL_set_bio(server, right, right);
    SSL_set_app_data(client, (void *)ends);
    SSL_set_app_data(server, (void *)ends);
    SSL_set_info_callback(client, note_alert);
    SSL_set_info_callback(server, note_alert);
    for (int i = 0; i < 20; i++) {
        int one = SSL_do_handshake(client);
        bool good = one == 1 || is_waiting(client, one);
        int other = SSL_do_handshake(server);
        good &= other == 1 || is_waiting(server, other);
        if (!good) {
            SSL_do_handshake(client); /* reads the alert */
            ERR_clear_error();
            return false;
        }
        if (one == 1 && other == 1)
            return pass_byte(server, client) && pass_byte(client, server);
    }
    return false;
}

void ends_free(struct ends *ends)
{
    SSL_free(ends->client);
    SSL_free(ends->server);
    ERR_clear_error();
}
