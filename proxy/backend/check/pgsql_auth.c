#include "proxy/backend/check/pgsql_auth.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MD5_SIZE    16
#define SHA256_SIZE 32
#define SALT_MAX    256 /* bytes of a decoded salt at most */

static const char no_openssl[] = "OpenSSL cannot do what SCRAM-SHA-256 needs";
static const char malformed[] = "the server's SCRAM message is malformed";

static bool add(EVP_MD_CTX *context, const void *bytes, size_t length)
{
    return EVP_DigestUpdate(context, bytes, length) == 1;
}

/* MD5 of two parts, as hexadecimal digits with a NUL. */
static bool md5_of(const void *first, size_t first_length, const void *second, size_t second_length,
                   char digits[static 2 * MD5_SIZE + 1])
{
    unsigned char result[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool done = context && EVP_DigestInit_ex(context, EVP_md5(), NULL) == 1 &&
                add(context, first, first_length) && add(context, second, second_length) &&
                EVP_DigestFinal_ex(context, result, NULL) == 1;
    EVP_MD_CTX_free(context);
    for (size_t i = 0; done && i < MD5_SIZE; i++)
        snprintf(digits + 2 * i, 3, "%02x", result[i]);
    if (!done)
        ERR_clear_error();
    return done;
}

int pgsql_md5_answer(const char *user, const char *password,
                     const unsigned char salt[static PGSQL_SALT_SIZE],
                     char answer[static PGSQL_MD5_SIZE])
{
    char inner[2 * MD5_SIZE + 1];
    memcpy(answer, "md5", 3);
    if (!md5_of(password, strlen(password), user, strlen(user), inner) ||
        !md5_of(inner, 2 * MD5_SIZE, salt, PGSQL_SALT_SIZE, answer + 3))
        return ENOTSUP;
    return 0;
}

int scram_nonce(char nonce[static SCRAM_NONCE_SIZE])
{
    enum { BYTES = (SCRAM_NONCE_SIZE - 1) / 4 * 3 };
    unsigned char bytes[BYTES];
    if (RAND_bytes(bytes, sizeof bytes) != 1) {
        ERR_clear_error();
        return ENOTSUP;
    }
    EVP_EncodeBlock((unsigned char *)nonce, bytes, sizeof bytes);
    return 0;
}

const char *scram_begin(struct scram *scram, const char *user, const char *nonce,
                        char message[static SCRAM_MESSAGE_MAX])
{
    static const char header[] = "n,,"; /* no channel binding */
    int length = snprintf(message, SCRAM_MESSAGE_MAX, "%sn=%s,r=%s", header, user, nonce);
    if (length < 0 || length >= SCRAM_MESSAGE_MAX)
        return "the user's name is too long for SCRAM";
    strcpy(scram->first, message + sizeof header - 1);
    scram->nonce_at = strlen(scram->first) - strlen(nonce);
    return NULL;
}

/* base64 to bytes. Returns their number, or -1. */
static int decode(const char *text, size_t length, unsigned char *bytes, size_t size)
{
    size_t padding = 0;
    if (length == 0 || length % 4 || length / 4 * 3 > size)
        return -1;
    while (padding < 2 && text[length - 1 - padding] == '=')
        padding++;
    int decoded = EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)length);
    return decoded < 0 ? -1 : decoded - (int)padding;
}

/* "r=NONCE,s=SALT,i=ROUNDS". */
struct challenge {
    const char *nonce;
    size_t nonce_length;
    unsigned char salt[SALT_MAX];
    int salt_length;
    int rounds;
};

/* The text of the attribute at *at, up to the next comma; *at goes behind it. NULL: another one. */
static const char *take_attribute(const char **at, char name, size_t *length)
{
    const char *value = *at + 2;
    if ((*at)[0] != name || (*at)[1] != '=')
        return NULL;
    *length = strcspn(value, ",");
    *at = value + *length;
    if (**at == ',')
        (*at)++;
    return value;
}

static const char *read_challenge(const struct scram *scram, const char *heard,
                                  struct challenge *challenge)
{
    const char *own_nonce = scram->first + scram->nonce_at;
    size_t own_length = strlen(own_nonce), salt_length, rounds_length;
    challenge->nonce = take_attribute(&heard, 'r', &challenge->nonce_length);
    if (!challenge->nonce || challenge->nonce_length <= own_length ||
        memcmp(challenge->nonce, own_nonce, own_length) != 0)
        return "the server's SCRAM message has another nonce";
    const char *salt = take_attribute(&heard, 's', &salt_length);
    const char *rounds = salt ? take_attribute(&heard, 'i', &rounds_length) : NULL;
    if (!rounds)
        return malformed;
    challenge->salt_length = decode(salt, salt_length, challenge->salt, sizeof challenge->salt);
    if (challenge->salt_length < 0)
        return malformed;
    char *end;
    long number = strtol(rounds, &end, 10);
    if (end == rounds || end != rounds + rounds_length || number < 1)
        return malformed;
    if (number > SCRAM_ROUNDS_MAX)
        return "the server asks for more rounds of SCRAM than a check does";
    challenge->rounds = (int)number;
    return NULL;
}

static bool sign(const unsigned char *key, const char *text, size_t length,
                 unsigned char *signature)
{
    return HMAC(EVP_sha256(), key, SHA256_SIZE, (const unsigned char *)text, length, signature,
                NULL) != NULL;
}

/* The proof in base64, and what the server has to answer. text: the AuthMessage. */
static bool compute(struct scram *scram, const char *password, const struct challenge *challenge,
                    const char *text, char *proof)
{
    static const char client_key[] = "Client Key", server_key[] = "Server Key";
    unsigned char salted[SHA256_SIZE], key[SHA256_SIZE], stored[SHA256_SIZE],
        signature[SHA256_SIZE];
    size_t length = strlen(text), password_length = strlen(password);
    if (password_length > INT_MAX ||
        PKCS5_PBKDF2_HMAC(password, (int)password_length, challenge->salt, challenge->salt_length,
                          challenge->rounds, EVP_sha256(), SHA256_SIZE, salted) != 1 ||
        !sign(salted, client_key, sizeof client_key - 1, key) ||
        EVP_Digest(key, sizeof key, stored, NULL, EVP_sha256(), NULL) != 1 ||
        !sign(stored, text, length, signature))
        return false;
    for (size_t i = 0; i < sizeof key; i++)
        key[i] ^= signature[i];
    EVP_EncodeBlock((unsigned char *)proof, key, sizeof key);
    if (!sign(salted, server_key, sizeof server_key - 1, key) ||
        !sign(key, text, length, signature))
        return false;
    EVP_EncodeBlock((unsigned char *)scram->verifier, signature, sizeof signature);
    return true;
}

const char *scram_prove(struct scram *scram, const char *password, const char *heard,
                        char message[static SCRAM_MESSAGE_MAX])
{
    struct challenge challenge;
    char final[SCRAM_MESSAGE_MAX], text[3 * SCRAM_MESSAGE_MAX], proof[48];
    const char *wrong = read_challenge(scram, heard, &challenge);
    if (wrong)
        return wrong;
    if (strlen(heard) >= SCRAM_MESSAGE_MAX || challenge.nonce_length > SCRAM_MESSAGE_MAX / 2)
        return malformed;
    /* biws: "n,," in base64. */
    snprintf(final, sizeof final, "c=biws,r=%.*s", (int)challenge.nonce_length, challenge.nonce);
    snprintf(text, sizeof text, "%s,%s,%s", scram->first, heard, final);
    if (!compute(scram, password, &challenge, text, proof)) {
        ERR_clear_error();
        return no_openssl;
    }
    snprintf(message, SCRAM_MESSAGE_MAX, "%.*s,p=%s", (int)strlen(final), final, proof);
    return NULL;
}

const char *scram_verify(const struct scram *scram, const char *heard)
{
    size_t length;
    const char *signature = take_attribute(&heard, 'v', &length);
    if (!signature || length != strlen(scram->verifier) ||
        memcmp(signature, scram->verifier, length) != 0)
        return "the server does not know the password";
    return NULL;
}
