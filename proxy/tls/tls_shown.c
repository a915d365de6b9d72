#include "proxy/tls/tls_shown.h"

#include "config/tls/subject.h"
#include "proxy/tls/tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

const char *tls_shown_version(const struct tls *tls)
{
    const SSL *ssl = tls_ssl(tls);
    return SSL_get_current_cipher(ssl) ? SSL_get_version(ssl) : NULL;
}

const char *tls_shown_cipher(const struct tls *tls)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(tls_ssl(tls));
    return cipher ? SSL_CIPHER_get_name(cipher) : NULL;
}

bool tls_shown_resumed(const struct tls *tls)
{
    return tls_is_open(tls) && SSL_session_reused(tls_ssl(tls));
}

bool tls_shown_certificate(const struct tls *tls)
{
    return SSL_get0_peer_certificate(tls_ssl(tls));
}

const char *tls_shown_name(const struct tls *tls, char text[static TLS_CLIENT_MAX])
{
    const X509 *certificate = SSL_get0_peer_certificate(tls_ssl(tls));
    const ASN1_STRING *name = certificate ? subject_common_name(certificate) : NULL;
    unsigned char *bytes = NULL;
    int length = name ? ASN1_STRING_to_UTF8(&bytes, name) : 0;
    bool good = length > 0 && length < TLS_CLIENT_MAX && !memchr(bytes, '\0', (size_t)length);
    if (good)
        memcpy(text, bytes, (size_t)length);
    text[good ? length : 0] = '\0';
    OPENSSL_free(bytes);
    if (length < 0)
        ERR_clear_error();
    return good ? text : NULL;
}

const char *tls_shown_subject(const struct tls *tls, char text[static TLS_SUBJECT_MAX])
{
    const X509 *certificate = SSL_get0_peer_certificate(tls_ssl(tls));
    BIO *bio = certificate ? subject_print(certificate) : NULL;
    char *bytes;
    long length = bio ? BIO_get_mem_data(bio, &bytes) : 0;
    if (!bio)
        ERR_clear_error();
    bool good = length > 0 && length < TLS_SUBJECT_MAX;
    if (good)
        memcpy(text, bytes, (size_t)length);
    text[good ? length : 0] = '\0';
    BIO_free(bio);
    return good ? text : NULL;
}

/* NULL where the session was resumed: no certificate was shown. */
static X509 *own_certificate(const struct tls *tls)
{
    return tls_shown_resumed(tls) ? NULL : SSL_get_certificate(tls_ssl(tls));
}

const char *tls_shown_own_signature(const struct tls *tls)
{
    const X509 *certificate = own_certificate(tls);
    int algorithm = certificate ? X509_get_signature_nid(certificate) : NID_undef;
    return algorithm == NID_undef ? NULL : OBJ_nid2sn(algorithm);
}

const char *tls_shown_own_key(const struct tls *tls, char text[static TLS_KEY_MAX])
{
    X509 *certificate = own_certificate(tls);
    EVP_PKEY *key = certificate ? X509_get0_pubkey(certificate) : NULL;
    if (!key)
        return NULL;
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
        snprintf(text, TLS_KEY_MAX, "RSA%d", EVP_PKEY_get_bits(key));
        break;
    case EVP_PKEY_EC:
        snprintf(text, TLS_KEY_MAX, "EC%d", EVP_PKEY_get_bits(key));
        break;
    default:
        snprintf(text, TLS_KEY_MAX, "%s", OBJ_nid2sn(EVP_PKEY_get_base_id(key)));
    }
    return text;
}
