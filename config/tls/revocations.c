#include "config/tls/revocations.h"

#include "config/base/whole_file.h"
#include "config/tls/complaint.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdbool.h>

/* Whether a list was added; false at the end of the file, and where one is wrong. */
static bool add_next(BIO *bio, STACK_OF(X509_CRL) * list, const char **wrong)
{
    X509_CRL *next = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL);
    unsigned long error = ERR_peek_last_error();
    bool at_end =
        !next && ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
    if (next && sk_X509_CRL_push(list, next))
        return true;
    if (at_end && sk_X509_CRL_num(list) == 0)
        *wrong = tls_complain("has no revocation list (PEM)");
    else if (!at_end)
        *wrong = tls_complain("revocation list %d: %s", sk_X509_CRL_num(list) + 1, tls_reason());
    X509_CRL_free(next);
    return false;
}

const char *revocations_read(const char *path, struct stack_st_X509_CRL **list)
{
    unsigned char *bytes;
    size_t length;
    const char *wrong = whole_file_read(path, REVOCATIONS_BYTES_MAX, &bytes, &length, NULL);
    if (wrong)
        return wrong;
    ERR_clear_error();
    BIO *bio = BIO_new_mem_buf(bytes, (int)length);
    STACK_OF(X509_CRL) *made = sk_X509_CRL_new_null();
    if (!bio || !made)
        wrong = "out of memory";
    while (!wrong && add_next(bio, made, &wrong))
        ;
    BIO_free(bio);
    ERR_clear_error();
    whole_file_free(bytes, length);
    if (wrong)
        revocations_free(made);
    else
        *list = made;
    return wrong;
}

const char *revocations_warning(const struct stack_st_X509_CRL *list, const char *peer, time_t now)
{
    for (int i = 0; i < sk_X509_CRL_num(list); i++) {
        const ASN1_TIME *next = X509_CRL_get0_nextUpdate(sk_X509_CRL_value(list, i));
        if (next && X509_cmp_time(next, &now) < 0)
            return tls_complain("revocation list %d is out of date: every %s of its authority is "
                                "refused",
                                i + 1, peer);
    }
    return NULL;
}

static int verify_with_lists(X509_STORE_CTX *verification, void *list)
{
    X509_STORE_CTX_set0_crls(verification, list);
    return X509_verify_cert(verification);
}

/* The lists are not put into the store: other servers may share it. */
void revocations_use(SSL_CTX *context, struct stack_st_X509_CRL *list)
{
    SSL_CTX_set_cert_verify_callback(context, verify_with_lists, list);
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context),
                                X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
}

void revocations_free(struct stack_st_X509_CRL *list)
{
    if (list)
        sk_X509_CRL_pop_free(list, X509_CRL_free);
}
