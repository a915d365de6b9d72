#include "config/tls/certificate.h"

#include "config/base/memory.h"
#include "config/base/whole_file.h"
#include "config/tls/complaint.h"
#include "config/tls/key_copies.h"
#include "config/tls/staple.h"
#include "config/tls/subject.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

/* A file in memory. */
struct text {
    const char *path;
    unsigned char *bytes;
    size_t length;
};

static const char key_mark[] = "PRIVATE KEY-----";

static bool has_key(const struct text *text)
{
    return memmem(text->bytes, text->length, key_mark, strlen(key_mark)) != NULL;
}

/* Of at most CERTIFICATE_BYTES_MAX. */
static BIO *bio_of(const struct text *text)
{
    BIO *bio = BIO_new_mem_buf(text->bytes, (int)text->length);
    if (!bio)
        abort(); /* as memory_new() */
    return bio;
}

/* Whether the last error of PEM is only that there is no further object. */
static bool is_end(void)
{
    unsigned long error = ERR_peek_last_error();
    return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

/* --- the certificate and its chain --------------------------------------------------------- */

/* Returns whether there is a further certificate, which is added to the chain; or what is wrong. */
static bool read_next(BIO *bio, const struct text *text, struct certificate *certificate,
                      const char **wrong)
{
    X509 *next = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    if (!next && is_end())
        return false;
    if (next && sk_X509_push(certificate->chain, next))
        return true;
    *wrong = tls_complain("%s: certificate %d: %s", text->path, sk_X509_num(certificate->chain) + 2,
                          tls_reason());
    X509_free(next);
    return false;
}

static const char *read_certificates(const struct text *text, struct certificate *certificate)
{
    BIO *bio = bio_of(text);
    const char *wrong = NULL;
    certificate->x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    certificate->chain = sk_X509_new_null();
    if (!certificate->x509 && is_end())
        wrong = tls_complain("%s: has no certificate (PEM)", text->path);
    else if (!certificate->x509 || !certificate->chain)
        wrong = tls_complain("%s: certificate 1: %s", text->path, tls_reason());
    while (!wrong && read_next(bio, text, certificate, &wrong))
        ;
    BIO_free(bio);
    ERR_clear_error();
    return wrong;
}

/* --- the key ------------------------------------------------------------------------------- */

/* The proxy has no terminal at which a person could type a password. */
static int refuse_password(char *buffer, int size, int is_written, void *asked)
{
    (void)buffer;
    (void)size;
    (void)is_written;
    *(bool *)asked = true;
    return -1;
}

/* Which of the chain has this key; 0: none. The certificate itself is 1. */
static int find_owner(const struct certificate *certificate)
{
    for (int i = 0; i < sk_X509_num(certificate->chain); i++)
        if (X509_check_private_key(sk_X509_value(certificate->chain, i), certificate->key))
            return i + 2;
    return 0;
}

static const char *check_key(const struct text *text, struct certificate *certificate)
{
    if (X509_check_private_key(certificate->x509, certificate->key))
        return NULL;
    int owner = find_owner(certificate);
    if (owner)
        return tls_complain("%s: the key is that of certificate %d; the certificate of the server "
                            "itself must be the first",
                            certificate->path, owner);
    if (strcmp(text->path, certificate->path) == 0)
        return tls_complain("%s: the key is not that of the certificate", text->path);
    return tls_complain("%s: the key is not that of the certificate in %s", text->path,
                        certificate->path);
}

static const char *parse_key(const struct text *text, struct certificate *certificate)
{
    bool asked = false;
    if (!has_key(text))
        return tls_complain("%s: has no private key (PEM)", text->path);
    BIO *bio = bio_of(text);
    certificate->key = PEM_read_bio_PrivateKey(bio, NULL, refuse_password, &asked);
    BIO_free(bio);
    if (asked)
        return tls_complain("%s: the key is encrypted, and a proxy cannot ask for a password; "
                            "write it without one: openssl pkey -in FILE -out FILE",
                            text->path);
    if (!certificate->key)
        return tls_complain("%s: the key is broken: %s", text->path, tls_reason());
    return check_key(text, certificate);
}

/* `path` with the ending, or with the ending in the place of its own. The caller frees it. */
static char *path_beside(const char *path, const char *ending, bool replaces)
{
    const char *dot = strrchr(path, '.');
    if (!replaces)
        return memory_print("%s%s", path, ending);
    if (!dot || strchr(dot, '/'))
        return NULL;
    return memory_print("%.*s%s", (int)(dot - path), path, ending);
}

/* Reads the file beside the certificate. Returns NULL and true in *found, NULL and false: there is
 * none, or what is wrong. The caller frees its path and its bytes. */
static const char *read_beside(const struct certificate *certificate, struct key_copies *copies,
                               const char *ending, struct text *text, bool *found)
{
    *found = false;
    for (int replaces = 0; replaces < 2; replaces++) {
        char *path = path_beside(certificate->path, ending, replaces);
        if (!path || strcmp(path, certificate->path) == 0) {
            free(path);
            continue;
        }
        const char *wrong =
            key_copies_read(copies, path, CERTIFICATE_BYTES_MAX, &text->bytes, &text->length);
        if (wrong && errno != ENOENT) {
            wrong = tls_complain("%s: %s", path, wrong);
            free(path);
            return wrong;
        }
        if (!wrong) {
            text->path = path;
            *found = true;
            return NULL;
        }
        free(path);
    }
    return NULL;
}

static const char *read_key_at(const char *path, struct certificate *certificate,
                               struct key_copies *copies)
{
    struct text text = {.path = path};
    const char *wrong =
        key_copies_read(copies, path, CERTIFICATE_BYTES_MAX, &text.bytes, &text.length);
    if (wrong)
        return tls_complain("%s: %s", path, wrong);
    wrong = parse_key(&text, certificate);
    whole_file_free(text.bytes, text.length);
    return wrong;
}

static const char *read_key_beside(struct certificate *certificate, struct key_copies *copies)
{
    struct text text;
    bool found;
    const char *wrong = read_beside(certificate, copies, ".key", &text, &found);
    if (wrong)
        return wrong;
    if (!found)
        return tls_complain("%s: has no private key, and there is no file %s.key",
                            certificate->path, certificate->path);
    wrong = parse_key(&text, certificate);
    whole_file_free(text.bytes, text.length);
    free((char *)(uintptr_t)text.path);
    return wrong;
}

/* --- what stands in it --------------------------------------------------------------------- */

static void add_name(struct certificate *certificate, const unsigned char *text, int length)
{
    struct words *names = &certificate->names;
    if (length > 1 && text[length - 1] == '.')
        length--;
    if (length <= 0 || length > 253)
        return;
    for (int i = 0; i < length; i++)
        if (text[i] <= ' ' || text[i] > '~' || (text[i] == '*' && (i > 0 || text[1] != '.')))
            return; /* a client cannot ask for it */
    char *name = memory_copy_n((const char *)text, (size_t)length);
    for (char *c = name; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    size_t capacity = names->count;
    names->list = memory_grow(names->list, names->count, &capacity, sizeof *names->list);
    names->list[names->count++] = name;
}

static void add_common_name(struct certificate *certificate)
{
    const ASN1_STRING *name = subject_common_name(certificate->x509);
    unsigned char *text = NULL;
    if (!name)
        return;
    int length = ASN1_STRING_to_UTF8(&text, name);
    add_name(certificate, text, length);
    OPENSSL_free(text);
}

static void read_names(struct certificate *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate->x509, NID_subject_alt_name, NULL, NULL);
    if (!names) {
        add_common_name(certificate);
        return;
    }
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        int type;
        const ASN1_STRING *name = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &type);
        if (type == GEN_DNS)
            add_name(certificate, ASN1_STRING_get0_data(name), ASN1_STRING_length(name));
    }
    GENERAL_NAMES_free(names);
}

static char *subject_of(const X509 *x509)
{
    BIO *bio = subject_print(x509);
    char *bytes, *text = NULL;
    long length = bio ? BIO_get_mem_data(bio, &bytes) : 0;
    if (length > 0) /* else there are no bytes */
        text = memory_copy_n(bytes, (size_t)length);
    BIO_free(bio);
    return text ? text : memory_copy("");
}

static char *key_type_of(const EVP_PKEY *key)
{
    char group[64];
    size_t length;
    const char *curve = NULL;
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
        return memory_print("RSA %d", EVP_PKEY_get_bits(key));
    case EVP_PKEY_RSA_PSS:
        return memory_print("RSA-PSS %d", EVP_PKEY_get_bits(key));
    case EVP_PKEY_EC:
        if (EVP_PKEY_get_group_name(key, group, sizeof group, &length))
            curve = EC_curve_nid2nist(OBJ_sn2nid(group));
        return memory_print("ECDSA %s", curve ? curve : "of another curve");
    case EVP_PKEY_ED25519:
        return memory_copy("Ed25519");
    case EVP_PKEY_ED448:
        return memory_copy("Ed448");
    default:
        return memory_copy("another key");
    }
}

static time_t time_of(const ASN1_TIME *time)
{
    struct tm parts;
    return time && ASN1_TIME_to_tm(time, &parts) ? timegm(&parts) : 0;
}

static const char *describe(struct certificate *certificate)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length;
    read_names(certificate);
    certificate->subject = subject_of(certificate->x509);
    certificate->key_type = key_type_of(certificate->key);
    certificate->not_before = time_of(X509_get0_notBefore(certificate->x509));
    certificate->not_after = time_of(X509_get0_notAfter(certificate->x509));
    if (!X509_digest(certificate->x509, EVP_sha256(), digest, &length))
        return tls_complain("%s: %s", certificate->path, tls_reason());
    for (unsigned i = 0; i < length && 2 * i + 2 < sizeof certificate->print; i++)
        sprintf(certificate->print + 2 * i, "%02x", digest[i]);
    return NULL;
}

/* --- OCSP ---------------------------------------------------------------------------------- */

static const char *read_staple(struct certificate *certificate, struct key_copies *copies)
{
    struct text text;
    bool found;
    const char *wrong = read_beside(certificate, copies, ".ocsp", &text, &found);
    if (wrong || !found)
        return wrong;
    wrong = staple_check(text.bytes, text.length, certificate->x509, &certificate->ocsp_until);
    if (wrong)
        wrong = tls_complain("%s: %s", text.path, wrong);
    certificate->ocsp = text.bytes;
    certificate->ocsp_length = text.length;
    free((char *)(uintptr_t)text.path);
    return wrong;
}

/* --- all of it ----------------------------------------------------------------------------- */

static const char *read_into(struct certificate *certificate, const struct text *text,
                             const char *key, struct key_copies *copies)
{
    const char *wrong = read_certificates(text, certificate);
    if (wrong)
        return wrong;
    if (key)
        wrong = read_key_at(key, certificate, copies);
    else if (has_key(text))
        wrong = parse_key(text, certificate);
    else
        wrong = read_key_beside(certificate, copies);
    if (!wrong)
        wrong = describe(certificate);
    return wrong ? wrong : read_staple(certificate, copies);
}

static const char *read_all(const char *path, const char *key, struct key_copies *copies,
                            struct certificate **made)
{
    struct text text = {.path = path};
    ERR_clear_error();
    const char *wrong =
        key_copies_read(copies, path, CERTIFICATE_BYTES_MAX, &text.bytes, &text.length);
    if (wrong)
        return tls_complain("%s: %s", path, wrong);
    struct certificate *certificate = memory_new(1, sizeof *certificate);
    certificate->path = memory_copy(path);
    wrong = read_into(certificate, &text, key, copies);
    whole_file_free(text.bytes, text.length);
    if (wrong)
        certificate_free(certificate);
    else
        *made = certificate;
    return wrong;
}

/* A new certificate may be readable where its key is not: the old one goes with the copy of the old
 * key. */
const char *certificate_read(const char *path, const char *key, struct key_copies *copies,
                             struct certificate **made)
{
    key_copies_begin(copies, false);
    const char *wrong = read_all(path, key, copies, made);
    if (!wrong || !key_copies_taken(copies))
        return wrong;
    char *first = memory_copy(wrong);
    key_copies_begin(copies, true);
    wrong = read_all(path, key, copies, made);
    if (wrong)
        wrong = tls_complain("%s", first);
    free(first);
    return wrong;
}

static const char *date(time_t time, char text[static 32])
{
    struct tm parts;
    gmtime_r(&time, &parts);
    strftime(text, 32, "%Y-%m-%d %H:%M:%S UTC", &parts);
    return text;
}

const char *certificate_warning(const struct certificate *certificate, time_t now)
{
    char text[32];
    if (certificate->not_after < now)
        return tls_complain("%s: the certificate expired at %s", certificate->path,
                            date(certificate->not_after, text));
    if (certificate->not_before > now)
        return tls_complain("%s: the certificate is not valid before %s", certificate->path,
                            date(certificate->not_before, text));
    if (certificate->ocsp && certificate->ocsp_until < now)
        return tls_complain("%s: its OCSP response is out of date since %s, and is not stapled",
                            certificate->path, date(certificate->ocsp_until, text));
    return NULL;
}

/* Of a certificate with hundreds of names a line has so many. */
#define NAMES_SHOWN 8

void certificate_describe(const struct certificate *certificate, FILE *out)
{
    const struct words *names = &certificate->names;
    char text[32];
    for (size_t i = 0; i < names->count && i < NAMES_SHOWN; i++)
        fprintf(out, "%s%s", i > 0 ? " " : "", names->list[i]);
    if (names->count == 0)
        fputs("no name", out);
    if (names->count > NAMES_SHOWN)
        fprintf(out, " and %zu more", names->count - NAMES_SHOWN);
    fprintf(out, ", until %s", date(certificate->not_after, text));
}

void certificate_free(struct certificate *certificate)
{
    if (!certificate)
        return;
    for (size_t i = 0; i < certificate->names.count; i++)
        free(certificate->names.list[i]);
    free(certificate->names.list);
    X509_free(certificate->x509);
    EVP_PKEY_free(certificate->key);
    sk_X509_pop_free(certificate->chain, X509_free);
    whole_file_free(certificate->ocsp, certificate->ocsp_length);
    free(certificate->subject);
    free(certificate->key_type);
    free(certificate->path);
    free(certificate);
}
