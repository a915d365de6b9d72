/* How MySQL and MariaDB are shown that a password is known: answers to the random bytes ("nonce")
 * that the server sends. Values in, values out. Each function returns 0 or an errno value (ENOTSUP:
 * the library of OpenSSL does not allow the hash, for instance in FIPS mode).
 *
 * dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_authentication_methods
 */
#ifndef RPPROXY_PROXY_BACKEND_CHECK_MYSQL_AUTH_H
#define RPPROXY_PROXY_BACKEND_CHECK_MYSQL_AUTH_H

#include <stddef.h>

#define MYSQL_NONCE_SIZE 20
#define MYSQL_ANSWER_MAX 32 /* bytes of an answer; mysql_sealed_answer() has its own */

/* mysql_native_password: SHA1(password) XOR SHA1(nonce, SHA1(SHA1(password))), 20 bytes. */
#define MYSQL_NATIVE_SIZE 20
int mysql_native_answer(const char *password, const unsigned char nonce[static MYSQL_NONCE_SIZE],
                        unsigned char answer[static MYSQL_NATIVE_SIZE]);

/* caching_sha2_password: SHA256(password) XOR SHA256(SHA256(SHA256(password)), nonce), with
 * the nonce behind the hash of the hash; 32 bytes. */
#define MYSQL_SHA2_SIZE 32
int mysql_sha2_answer(const char *password, const unsigned char nonce[static MYSQL_NONCE_SIZE],
                      unsigned char answer[static MYSQL_SHA2_SIZE]);

/* caching_sha2_password, where the server has no cached hash: the password, with its NUL and XOR
 * the repeated nonce, encrypted with the public key of the server (RSA with OAEP). pem: that key as
 * the server sent it. *answer is to be freed. */
int mysql_sealed_answer(const char *password, const unsigned char nonce[static MYSQL_NONCE_SIZE],
                        const char *pem, size_t pem_length, unsigned char **answer,
                        size_t *answer_length);

#endif
