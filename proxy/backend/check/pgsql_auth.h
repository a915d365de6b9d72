/* How PostgreSQL is shown that a password is known. Values in, values out.
 *
 * postgresql.org/docs/current/protocol-flow.html, RFC 5802 and RFC 7677 (SCRAM-SHA-256). */
#ifndef RPPROXY_PROXY_BACKEND_CHECK_PGSQL_AUTH_H
#define RPPROXY_PROXY_BACKEND_CHECK_PGSQL_AUTH_H

#include <stddef.h>

/* "md5" and the hexadecimal digits of MD5(MD5(password, user), salt). Returns 0 or an errno value
 * (ENOTSUP: the library of OpenSSL does not allow MD5). */
#define PGSQL_SALT_SIZE 4
#define PGSQL_MD5_SIZE  36 /* with the NUL */
int pgsql_md5_answer(const char *user, const char *password,
                     const unsigned char salt[static PGSQL_SALT_SIZE],
                     char answer[static PGSQL_MD5_SIZE]);

/* SCRAM-SHA-256 without channel binding. */
#define SCRAM_MESSAGE_MAX 1024
#define SCRAM_NONCE_SIZE  25 /* characters and the NUL */
/* The rounds of hashing that a server may ask for. Its default is 4,096 (3 ms of a CPU); without a
 * bound a server could stop all checks. */
#define SCRAM_ROUNDS_MAX 100000

struct scram {
    char first[SCRAM_MESSAGE_MAX]; /* client-first-message-bare */
    size_t nonce_at;               /* in first */
    char verifier[48];             /* what the server has to answer at the end, in base64 */
};

/* A nonce of random printable characters. Returns 0 or an errno value. */
int scram_nonce(char nonce[static SCRAM_NONCE_SIZE]);

/* Writes the first message, "n,,n=USER,r=NONCE", to message. user is without ',' and '=' (with
 * PostgreSQL it is empty: the startup message has it). Returns NULL or what is wrong. */
const char *scram_begin(struct scram *scram, const char *user, const char *nonce,
                        char message[static SCRAM_MESSAGE_MAX]) __attribute__((warn_unused_result));

/* heard: what the server said to the first message. Writes the final message to message. */
const char *scram_prove(struct scram *scram, const char *password, const char *heard,
                        char message[static SCRAM_MESSAGE_MAX]) __attribute__((warn_unused_result));

/* heard: what the server said to the final message; NULL: it knows the password as well. */
const char *scram_verify(const struct scram *scram, const char *heard)
    __attribute__((warn_unused_result));

#endif
