#include "proxy/backend/check/mysql_auth.h"

#include <errno.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define HASH_MAX 32

static bool hash(const EVP_MD *kind, const void *data, size_t length, unsigned char *result)
{
    return EVP_Digest(data, length, result, NULL, kind, NULL) == 1;
}

static int unavailable(void)
{
    ERR_clear_error();
    return ENOTSUP;
}

static void mix(unsigned char *bytes, size_t length, const unsigned char *with, size_t period)
{
    for (size_t i = 0; i < length; i++)
        bytes[i] ^= with[i % period];
}

int mysql_native_answer(const char *password, const unsigned char nonce[static MYSQL_NONCE_SIZE],
                        unsigned char answer[static MYSQL_NATIVE_SIZE])
{
    unsigned char seed[MYSQL_NONCE_SIZE + MYSQL_NATIVE_SIZE], mask[HASH_MAX], once[HASH_MAX];
    const EVP_MD *sha1 = EVP_sha1();
    memcpy(seed, nonce, MYSQL_NONCE_SIZE);
    if (!hash(sha1, password, strlen(password), once) ||
        !hash(sha1, once, MYSQL_NATIVE_SIZE, seed + MYSQL_NONCE_SIZE) ||
        !hash(sha1, seed, sizeof seed, mask))
        return unavailable();
    mix(once, MYSQL_NATIVE_SIZE, mask, MYSQL_NATIVE_SIZE);
    memcpy(answer, once, MYSQL_NATIVE_SIZE);
    return 0;
}

int mysql_sha2_answer(const char *password, const unsigned char nonce[static MYSQL_NONCE_SIZE],
                      unsigned char answer[static MYSQL_SHA2_SIZE])
{
    unsigned char seed[MYSQL_SHA2_SIZE + MYSQL_NONCE_SIZE], mask[HASH_MAX], once[HASH_MAX];
    const EVP_MD *sha256 = EVP_sha256();
    memcpy(seed + MYSQL_SHA2_SIZE, nonce, MYSQL_NONCE_SIZE);
    if (!hash(sha256, password, strlen(password), once) ||
        !hash(sha256, once, MYSQL_SHA2_SIZE, seed) || !hash(sha256, seed, sizeof seed, mask))
        return unavailable();
    mix(once, MYSQL_SHA2_SIZE, mask, MYSQL_SHA2_SIZE);
    memcpy(answer, once, MYSQL_SHA2_SIZE);
    return 0;
}

static EVP_PKEY *read_key(const char *pem, size_t length)
{
    EVP_PKEY *key = NULL;
    BIO *bio = length <= INT_MAX ? BIO_new_mem_buf(pem, (int)length) : NULL;
    if (bio)
        key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return key;
}

static bool seal(EVP_PKEY *key, const unsigned char *plain, size_t plain_length,
                 unsigned char **answer, size_t *answer_length)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    bool sealed = context && EVP_PKEY_encrypt_init(context) == 1 &&
                  EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1 &&
                  EVP_PKEY_encrypt(context, NULL, answer_length, plain, plain_length) == 1 &&
                  (*answer = malloc(*answer_length)) &&
                  EVP_PKEY_encrypt(context, *answer, answer_length, plain, plain_length) == 1;
    if (!sealed) {
        free(*answer);
        *answer = NULL;
    }
    EVP_PKEY_CTX_free(context);
    return sealed;
}

int mysql_sealed_answer(const char *password, const unsigned char nonce[static MYSQL_NONCE_SIZE],
                        const char *pem, size_t pem_length, unsigned char **answer,
                        size_t *answer_length)
{
    size_t length = strlen(password) + 1;
    unsigned char *plain = malloc(length);
    *answer = NULL;
    if (!plain)
        return ENOMEM;
    memcpy(plain, password, length);
    mix(plain, length, nonce, MYSQL_NONCE_SIZE);
    EVP_PKEY *key = read_key(pem, pem_length);
    bool sealed = key && seal(key, plain, length, answer, answer_length);
    EVP_PKEY_free(key);
    free(plain);
    return sealed ? 0 : unavailable();
}
