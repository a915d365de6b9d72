#include "proxy/tls/tls.h"
#include "tests/unit/suites.h"

#include <check.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Both sides of one connection, each with the memory of a worker of its own. */
struct side {
    SSL_CTX *context;
    struct tls_output output;
    struct tls *tls;
    unsigned char *said; /* what it was told by the other side */
    size_t length;
};

static struct side client, server;

static void make_certificate(SSL_CTX *context)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x509 = X509_new();
    ck_assert(key && x509);
    X509_gmtime_adj(X509_getm_notBefore(x509), -60);
    X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
    X509_set_pubkey(x509, key);
    ck_assert_int_gt(X509_sign(x509, key, EVP_sha256()), 0);
    ck_assert_int_eq(SSL_CTX_use_certificate(context, x509), 1);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey(context, key), 1);
    X509_free(x509);
    EVP_PKEY_free(key);
}

static void begin(int version)
{
    client.context = SSL_CTX_new(TLS_client_method());
    server.context = SSL_CTX_new(TLS_server_method());
    make_certificate(server.context);
    SSL_CTX_set_max_proto_version(client.context, version);
    SSL_CTX_set_mode(server.context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(server.context, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_options(client.context, SSL_OP_NO_RENEGOTIATION);
    SSL *in = SSL_new(server.context), *out = SSL_new(client.context);
    SSL_set_accept_state(in);
    SSL_set_connect_state(out);
    server.tls = tls_new(in, &server.output);
    client.tls = tls_new(out, &client.output);
    ck_assert(server.tls && client.tls);
}

static void end(void)
{
    struct side *sides[] = {&client, &server};
    for (unsigned i = 0; i < 2; i++) {
        tls_free(sides[i]->tls);
        tls_output_free(&sides[i]->output);
        SSL_CTX_free(sides[i]->context);
        free(sides[i]->said);
        *sides[i] = (struct side){0};
    }
}

static void hear(struct side *side)
{
    if (side->output.plain_length == 0)
        return;
    side->said = realloc(side->said, side->length + side->output.plain_length);
    memcpy(side->said + side->length, side->output.plain, side->output.plain_length);
    side->length += side->output.plain_length;
}

/* Brings what `from` has to say, in pieces of so many bytes, and each answer back. Returns the last
 * result of `to`. */
static enum tls_result bring(struct side *from, struct side *to, size_t piece)
{
    enum tls_result result = TLS_GOES_ON;
    size_t length = from->output.sealed_length;
    unsigned char *sealed = malloc(length + 1);
    if (length > 0)
        memcpy(sealed, from->output.sealed, length);
    from->output.sealed_length = 0;
    for (size_t at = 0; at < length && result == TLS_GOES_ON; at += piece) {
        result = tls_receive(to->tls, sealed + at, length - at < piece ? length - at : piece);
        hear(to);
        if (to->output.sealed_length > 0)
            (void)bring(to, from, piece);
    }
    free(sealed);
    return result;
}

static void shake(size_t piece)
{
    ck_assert_int_eq(tls_receive(client.tls, NULL, 0), TLS_GOES_ON);
    ck_assert_int_eq(bring(&client, &server, piece), TLS_GOES_ON);
    ck_assert(tls_is_open(client.tls));
    ck_assert(tls_is_open(server.tls));
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

/* Of any length, in both directions, and in whatever pieces. */
START_TEST(what_is_said_arrives)
{
    static const size_t lengths[] = {1, 16384, 16385, 500000},
                        pieces[] = {1, 5, 4096, SIZE_MAX / 2};
    begin(versions[_i / 4]);
    shake(pieces[_i % 4]);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        unsigned char *bytes = malloc(lengths[i]);
        for (size_t j = 0; j < lengths[i]; j++)
            bytes[j] = (unsigned char)(j * 7 + j / 251);
        struct side *from = i % 2 ? &client : &server, *to = i % 2 ? &server : &client;
        to->length = 0;
        ck_assert(tls_seal(from->tls, bytes, lengths[i]));
        ck_assert_int_eq(bring(from, to, pieces[_i % 4]), TLS_GOES_ON);
        ck_assert_uint_eq(to->length, lengths[i]);
        ck_assert_mem_eq(to->said, bytes, lengths[i]);
        free(bytes);
    }
    end();
}
END_TEST

START_TEST(an_end_is_told_once)
{
    begin(versions[_i]);
    shake(SIZE_MAX / 2);
    ck_assert(tls_seal(client.tls, (const unsigned char *)"last", 4));
    ck_assert_int_eq(bring(&client, &server, 100), TLS_GOES_ON);
    ck_assert(!tls_has_ended(server.tls));
    tls_end(client.tls);
    ck_assert_uint_gt(client.output.sealed_length, 0);
    ck_assert_int_eq(bring(&client, &server, 100), TLS_HAS_ENDED);
    ck_assert(tls_has_ended(server.tls));
    ck_assert_mem_eq(server.said + server.length - 4, "last", 4);
    tls_end(client.tls);
    ck_assert_uint_eq(client.output.sealed_length, 0);
    /* The other direction is open. */
    ck_assert(tls_seal(server.tls, (const unsigned char *)"more", 4));
    ck_assert_int_eq(bring(&server, &client, 100), TLS_GOES_ON);
    ck_assert_mem_eq(client.said + client.length - 4, "more", 4);
    end();
}
END_TEST

START_TEST(what_is_no_tls_is_answered_by_an_alert)
{
    static const char *const texts[] = {"GET / HTTP/1.0\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n",
                                        "\r\n\r\n\r\n\r\n"};
    begin(TLS1_3_VERSION);
    const unsigned char *bytes = (const unsigned char *)texts[_i];
    ck_assert_int_eq(tls_receive(server.tls, bytes, strlen(texts[_i])), TLS_HAS_FAILED);
    ck_assert_str_ne(tls_error(server.tls), "");
    ck_assert_uint_le(server.output.sealed_length, 7);
    end();
}
END_TEST

/* A record that was changed on its way. */
START_TEST(changed_bytes_are_not_given)
{
    begin(versions[_i]);
    shake(SIZE_MAX / 2);
    server.length = 0;
    ck_assert(tls_seal(client.tls, (const unsigned char *)"secret", 6));
    client.output.sealed[client.output.sealed_length - 1] ^= 1;
    ck_assert_int_eq(bring(&client, &server, SIZE_MAX / 2), TLS_HAS_FAILED);
    ck_assert_uint_eq(server.length, 0);
    ck_assert_str_ne(tls_error(server.tls), "");
    end();
}
END_TEST

START_TEST(without_memory_there_is_no_connection)
{
    ck_assert_ptr_null(tls_new(NULL, &server.output));
    tls_free(NULL);
}
END_TEST

/* --- hostile peers ------------------------------------------------------------------------- */

static void say_anything(struct side *from, struct side *to)
{
    ck_assert(tls_seal(from->tls, (const unsigned char *)"any", 3));
    ck_assert_int_eq(bring(from, to, SIZE_MAX / 2), TLS_GOES_ON);
}

/* One of TLS 1.3 that asks for an answer. */
static enum tls_result change_keys(struct side *from, struct side *to)
{
    ck_assert_int_eq(SSL_key_update(tls_ssl(from->tls), SSL_KEY_UPDATE_REQUESTED), 1);
    from->output.sealed_length = 0;
    ck_assert_int_eq(SSL_do_handshake(tls_ssl(from->tls)), 1);
    return bring(from, to, SIZE_MAX / 2);
}

START_TEST(keys_may_change_and_not_by_the_thousand)
{
    begin(TLS1_3_VERSION);
    struct side *from = _i ? &client : &server, *to = _i ? &server : &client;
    shake(SIZE_MAX / 2);
    say_anything(&server, &client);
    for (unsigned i = 0; i < 5; i++) {
        ck_assert_int_eq(change_keys(from, to), TLS_GOES_ON);
        say_anything(from, to);
        say_anything(to, from);
    }
    enum tls_result result = TLS_GOES_ON;
    for (unsigned i = 0; i < 100000 && result == TLS_GOES_ON; i++)
        result = change_keys(from, to);
    ck_assert_int_eq(result, TLS_HAS_FAILED);
    ck_assert_str_eq(tls_error(to->tls), "too many messages of TLS itself");
    end();
}
END_TEST

/* The keys of one side of TLS 1.2 with AES-128-GCM: OpenSSL itself gives up after one attempt. */
struct own_records {
    EVP_CIPHER_CTX *cipher;
    unsigned char key[16], salt[4];
    uint64_t sequence;
};

static void take_keys(struct own_records *own, const SSL *ssl, bool of_server)
{
    unsigned char secret[48], randoms[64], block[40];
    char label[] = "key expansion", digest[] = "SHA256";
    SSL_SESSION_get_master_key(SSL_get_session(ssl), secret, sizeof secret);
    SSL_get_server_random(ssl, randoms, 32);
    SSL_get_client_random(ssl, randoms + 32, 32);
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, secret, sizeof secret),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, label, strlen(label)),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, randoms, sizeof randoms),
        OSSL_PARAM_construct_end()};
    ck_assert_int_eq(EVP_KDF_derive(context, block, sizeof block, params), 1);
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    memcpy(own->key, block + (of_server ? 16 : 0), sizeof own->key);
    memcpy(own->salt, block + (of_server ? 36 : 32), sizeof own->salt);
    own->cipher = EVP_CIPHER_CTX_new();
    own->sequence = 1; /* Finished was 0 */
}

static void put_number(unsigned char *to, uint64_t number, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        to[i] = (unsigned char)(number >> 8 * (bytes - 1 - i));
}

/* Returns the length of the record. */
static size_t seal_own(struct own_records *own, unsigned char type, const unsigned char *bytes,
                       size_t length, unsigned char *record)
{
    unsigned char nonce[12], more[13];
    int written;
    memcpy(nonce, own->salt, 4);
    put_number(nonce + 4, own->sequence, 8);
    put_number(more, own->sequence++, 8);
    memcpy(more + 8, (const unsigned char[]){type, 3, 3}, 3);
    put_number(more + 11, length, 2);
    memcpy(record, (const unsigned char[]){type, 3, 3}, 3);
    put_number(record + 3, length + 24, 2);
    memcpy(record + 5, nonce + 4, 8);
    EVP_EncryptInit_ex(own->cipher, EVP_aes_128_gcm(), NULL, own->key, nonce);
    EVP_EncryptUpdate(own->cipher, NULL, &written, more, sizeof more);
    EVP_EncryptUpdate(own->cipher, record + 13, &written, bytes, (int)length);
    EVP_EncryptFinal_ex(own->cipher, record + 13 + length, &written);
    EVP_CIPHER_CTX_ctrl(own->cipher, EVP_CTRL_GCM_GET_TAG, 16, record + 13 + length);
    return length + 29;
}

/* A handshake of TLS 1.2, after which the test has the keys of one side. */
static void shake_12(struct own_records *own, bool of_server)
{
    begin(TLS1_2_VERSION);
    ck_assert_int_eq(SSL_set_cipher_list(tls_ssl(server.tls), "ECDHE-ECDSA-AES128-GCM-SHA256"), 1);
    shake(SIZE_MAX / 2);
    take_keys(own, tls_ssl(client.tls), of_server);
}

/* Each attempt is answered by an alert. */
START_TEST(a_client_must_not_ask_for_renegotiation_by_the_thousand)
{
    struct own_records own;
    unsigned char hello[4096], records[100 * 64], *at = records;
    shake_12(&own, false);
    /* The header of a ClientHello is enough for an answer. */
    memset(hello, 0, sizeof hello);
    hello[0] = 1;
    size_t length = seal_own(&own, 22, hello, 4, records);
    ck_assert_int_eq(tls_receive(server.tls, records, length), TLS_GOES_ON);
    ck_assert_uint_gt(server.output.sealed_length, 0); /* the alert */
    length = seal_own(&own, 23, (const unsigned char *)"any", 3, records);
    ck_assert_int_eq(tls_receive(server.tls, records, length), TLS_GOES_ON);
    ck_assert_uint_eq(server.output.plain_length, 3);
    while (at < records + sizeof records - 64)
        at += seal_own(&own, 22, hello, 4, at);
    ck_assert_int_eq(tls_receive(server.tls, records, (size_t)(at - records)), TLS_HAS_FAILED);
    ck_assert_str_eq(tls_error(server.tls), "too many messages of TLS itself");
    ck_assert_uint_lt(server.output.sealed_length, 64 * 64);
    EVP_CIPHER_CTX_free(own.cipher);
    end();
}
END_TEST

/* --- messages in pieces -------------------------------------------------------------------- */

/* The records of one side of TLS 1.3 with AES-128-GCM: OpenSSL itself never splits a message that
 * is short. */
struct own_records_13 {
    unsigned char key[16], iv[12];
    uint64_t sequence;
};

static char traffic_secrets[2][2 * 32 + 1]; /* of the client, of the server; hexadecimal */

static void note_secret(const SSL *ssl, const char *line)
{
    static const char *const labels[] = {"CLIENT_TRAFFIC_SECRET_0 ", "SERVER_TRAFFIC_SECRET_0 "};
    (void)ssl;
    for (unsigned i = 0; i < 2; i++)
        if (strncmp(line, labels[i], strlen(labels[i])) == 0)
            memcpy(traffic_secrets[i], strrchr(line, ' ') + 1, sizeof traffic_secrets[i]);
}

static void expand(unsigned char *secret, const char *label, unsigned char *to, size_t length)
{
    char digest[] = "SHA256", mode[] = "EXPAND_ONLY", prefix[] = "tls13 ", text[8];
    strcpy(text, label);
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS13-KDF", NULL);
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_MODE, mode, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret, 32),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PREFIX, prefix, strlen(prefix)),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_LABEL, text, strlen(text)),
        OSSL_PARAM_construct_end()};
    ck_assert_int_eq(EVP_KDF_derive(context, to, length, params), 1);
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
}

/* A handshake of TLS 1.3 after which neither side has said anything. */
static void shake_13(void)
{
    begin(TLS1_3_VERSION);
    SSL_set_num_tickets(tls_ssl(server.tls), 0);
    ck_assert_int_eq(SSL_set_ciphersuites(tls_ssl(server.tls), "TLS_AES_128_GCM_SHA256"), 1);
    SSL_CTX_set_keylog_callback(server.context, note_secret);
    shake(SIZE_MAX / 2);
}

static struct own_records_13 own_records_of(const struct side *side)
{
    struct own_records_13 own = {.sequence = 0};
    long length;
    unsigned char *secret = OPENSSL_hexstr2buf(traffic_secrets[side == &server], &length);
    ck_assert_int_eq(length, 32);
    expand(secret, "key", own.key, sizeof own.key);
    expand(secret, "iv", own.iv, sizeof own.iv);
    OPENSSL_free(secret);
    return own;
}

/* Returns the length of the record. */
static size_t seal_own_13(struct own_records_13 *own, unsigned char type,
                          const unsigned char *bytes, size_t length, unsigned char *record)
{
    unsigned char nonce[12], number[8];
    int written;
    memcpy(nonce, own->iv, sizeof nonce);
    put_number(number, own->sequence++, 8);
    for (unsigned i = 0; i < 8; i++)
        nonce[4 + i] ^= number[i];
    memcpy(record, (const unsigned char[]){23, 3, 3}, 3);
    put_number(record + 3, length + 17, 2);
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    EVP_EncryptInit_ex(cipher, EVP_aes_128_gcm(), NULL, own->key, nonce);
    EVP_EncryptUpdate(cipher, NULL, &written, record, 5);
    if (length > 0)
        EVP_EncryptUpdate(cipher, record + 5, &written, bytes, (int)length);
    EVP_EncryptUpdate(cipher, record + 5 + length, &written, &type, 1);
    EVP_EncryptFinal_ex(cipher, record + 6 + length, &written);
    EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, 16, record + 6 + length);
    EVP_CIPHER_CTX_free(cipher);
    return length + 22;
}

static const unsigned char key_update[] = {24, 0, 0, 1, 1}; /* which asks for an answer */

/* `to` says a byte after each byte that it receives. */
static void hear_and_say(struct side *to, struct side *from, const unsigned char *records,
                         size_t length, unsigned char *said)
{
    for (size_t i = 0; i < length; i++) {
        ck_assert_int_eq(tls_receive(to->tls, records + i, 1), TLS_GOES_ON);
        ck_assert_uint_eq(to->output.plain_length, 0);
        ck_assert_int_eq(bring(to, from, SIZE_MAX / 2), TLS_GOES_ON);
        ck_assert(tls_seal(to->tls, said, 1));
        ck_assert_int_eq(bring(to, from, SIZE_MAX / 2), TLS_GOES_ON);
        ++*said;
    }
}

/* A message of TLS itself comes in two records, each byte by byte: what is said meanwhile arrives,
 * in its order. */
START_TEST(a_message_may_come_in_pieces)
{
    const size_t first = 1 + (size_t)_i % 4;
    struct side *from = _i / 4 ? &client : &server, *to = _i / 4 ? &server : &client;
    unsigned char records[100], said = 0;
    shake_13();
    struct own_records_13 own = own_records_of(from);
    size_t length = seal_own_13(&own, 22, key_update, first, records);
    length +=
        seal_own_13(&own, 22, key_update + first, sizeof key_update - first, records + length);
    from->length = 0;
    hear_and_say(to, from, records, length, &said);
    ck_assert(!tls_holds(to->tls));
    ck_assert_uint_eq(from->length, length);
    for (unsigned i = 0; i < length; i++)
        ck_assert_uint_eq(from->said[i], i);
    end();
}
END_TEST

/* What is said, and that nothing more comes, waits for the rest of the message. */
START_TEST(an_end_waits_for_the_rest_of_a_message)
{
    struct side *from = _i ? &client : &server, *to = _i ? &server : &client;
    unsigned char records[100];
    shake_13();
    struct own_records_13 own = own_records_of(from);
    const size_t first = seal_own_13(&own, 22, key_update, 4, records),
                 second = seal_own_13(&own, 22, key_update + 4, 1, records + first);
    ck_assert_int_eq(tls_receive(to->tls, records, first), TLS_GOES_ON);
    ck_assert(!tls_holds(to->tls));
    ck_assert(tls_seal(to->tls, (const unsigned char *)"la", 2));
    ck_assert(tls_seal(to->tls, (const unsigned char *)"st", 2));
    ck_assert(tls_holds(to->tls));
    ck_assert_uint_eq(to->output.sealed_length, 0);
    tls_end(to->tls);
    ck_assert_uint_eq(to->output.sealed_length, 0);
    ck_assert_int_eq(tls_receive(to->tls, records + first, second), TLS_GOES_ON);
    ck_assert(!tls_holds(to->tls));
    ck_assert_int_eq(bring(to, from, SIZE_MAX / 2), TLS_HAS_ENDED);
    ck_assert_uint_eq(from->length, 4);
    ck_assert_mem_eq(from->said, "last", 4);
    tls_end(to->tls);
    ck_assert_uint_eq(to->output.sealed_length, 0);
    end();
}
END_TEST

/* A server splits a ticket that is longer than its records. */
START_TEST(a_ticket_may_come_in_pieces)
{
    unsigned char said = 0, *records;
    static const unsigned char much[2000];
    shake_13();
    ck_assert_int_eq(
        SSL_SESSION_set1_ticket_appdata(SSL_get_session(tls_ssl(server.tls)), much, sizeof much),
        1);
    ck_assert_int_eq(SSL_set_max_send_fragment(tls_ssl(server.tls), 512), 1);
    ck_assert_int_eq(SSL_new_session_ticket(tls_ssl(server.tls)), 1);
    server.output.sealed_length = 0;
    ck_assert_int_eq(SSL_do_handshake(tls_ssl(server.tls)), 1);
    const size_t length = server.output.sealed_length;
    ck_assert_uint_gt(length, sizeof much);
    records = malloc(length);
    memcpy(records, server.output.sealed, length);
    server.output.sealed_length = 0;
    hear_and_say(&client, &server, records, length, &said);
    ck_assert_uint_eq(server.length, length);
    free(records);
    end();
}
END_TEST

/* A HelloRequest is refused by an alert, the session goes on, and there is an end to it. */
START_TEST(a_server_must_not_ask_for_renegotiation_by_the_thousand)
{
    struct own_records own;
    static const unsigned char request[4] = {0};
    unsigned char records[100 * 64], *at = records;
    shake_12(&own, true);
    size_t length = seal_own(&own, 22, request, sizeof request, records);
    ck_assert_int_eq(tls_receive(client.tls, records, length), TLS_GOES_ON);
    ck_assert_uint_gt(client.output.sealed_length, 0); /* the alert */
    ck_assert_uint_lt(client.output.sealed_length, 64);
    ck_assert(tls_seal(client.tls, (const unsigned char *)"any", 3));
    ck_assert(!tls_holds(client.tls));
    length = seal_own(&own, 23, (const unsigned char *)"any", 3, records);
    ck_assert_int_eq(tls_receive(client.tls, records, length), TLS_GOES_ON);
    ck_assert_uint_eq(client.output.plain_length, 3);
    while (at < records + sizeof records - 64)
        at += seal_own(&own, 22, request, sizeof request, at);
    ck_assert_int_eq(tls_receive(client.tls, records, (size_t)(at - records)), TLS_HAS_FAILED);
    ck_assert_str_eq(tls_error(client.tls), "too many messages of TLS itself");
    EVP_CIPHER_CTX_free(own.cipher);
    end();
}
END_TEST

/* So many in a row, of OpenSSL. */
#define EMPTY_MOST 32

/* Records that say nothing cost as much as others: few of them are passed over. */
START_TEST(empty_records_are_not_endless)
{
    struct side *from = _i ? &client : &server, *to = _i ? &server : &client;
    unsigned char records[(EMPTY_MOST + 2) * 32], *at;
    shake_13();
    struct own_records_13 own = own_records_of(from);
    for (unsigned round = 0; round < 2; round++) {
        at = records;
        for (unsigned i = 0; i < EMPTY_MOST; i++)
            at += seal_own_13(&own, 23, NULL, 0, at);
        at += seal_own_13(&own, 23, (const unsigned char *)"any", 3, at);
        ck_assert_int_eq(tls_receive(to->tls, records, (size_t)(at - records)), TLS_GOES_ON);
        ck_assert_uint_eq(to->output.plain_length, 3);
    }
    for (unsigned i = 0; i <= EMPTY_MOST; i++) {
        size_t length = seal_own_13(&own, 23, NULL, 0, records);
        ck_assert_int_eq(tls_receive(to->tls, records, length),
                         i < EMPTY_MOST ? TLS_GOES_ON : TLS_HAS_FAILED);
    }
    ck_assert_str_eq(tls_error(to->tls), "record too small");
    end();
}
END_TEST

START_TEST(empty_records_of_tls_1_2_are_not_endless)
{
    struct own_records own;
    unsigned char record[64];
    shake_12(&own, _i);
    struct side *to = _i ? &client : &server;
    for (unsigned i = 0; i <= EMPTY_MOST; i++) {
        size_t length = seal_own(&own, 23, record, 0, record);
        ck_assert_int_eq(tls_receive(to->tls, record, length),
                         i < EMPTY_MOST ? TLS_GOES_ON : TLS_HAS_FAILED);
    }
    ck_assert_str_eq(tls_error(to->tls), "record too small");
    EVP_CIPHER_CTX_free(own.cipher);
    end();
}
END_TEST

static void set_groups(const struct side *side, const char *groups)
{
    ck_assert_int_eq(SSL_set1_groups_list(tls_ssl(side->tls), (char *)(uintptr_t)groups),
                     1); /* not changed */
}

/* A flight of the client, byte by byte; what the server answers comes as a whole. */
static void bring_flight(void)
{
    unsigned char answer[16384];
    size_t answered = 0, length = client.output.sealed_length;
    const unsigned char *sealed = client.output.sealed;
    for (size_t i = 0; i < length; i++) {
        ck_assert_int_eq(tls_receive(server.tls, sealed + i, 1), TLS_GOES_ON);
        if (server.output.sealed_length > 0)
            memcpy(answer + answered, server.output.sealed, server.output.sealed_length);
        answered += server.output.sealed_length;
    }
    ck_assert_int_eq(tls_receive(client.tls, answer, answered), TLS_GOES_ON);
}

START_TEST(a_second_hello_may_come_in_pieces)
{
    begin(TLS1_3_VERSION);
    set_groups(&client, "P-256:P-384");
    set_groups(&server, "P-384");
    ck_assert_int_eq(tls_receive(client.tls, NULL, 0), TLS_GOES_ON);
    for (unsigned flights = 0; flights < 3; flights++) {
        ck_assert(!tls_is_open(server.tls));
        bring_flight();
    }
    ck_assert(tls_is_open(client.tls) && tls_is_open(server.tls));
    say_anything(&client, &server);
    say_anything(&server, &client);
    end();
}
END_TEST

/* So much is not held for the second one either: its header alone makes OpenSSL no room. */
START_TEST(a_second_hello_that_is_too_long_is_refused)
{
    static const unsigned char second[] = {20, 3, 3, 0, 1, 1, 22, 3, 3, 0x40, 0, 1, 2, 0, 0};
    begin(TLS1_3_VERSION);
    set_groups(&client, "P-256:P-384");
    set_groups(&server, "P-384");
    ck_assert_int_eq(tls_receive(client.tls, NULL, 0), TLS_GOES_ON);
    ck_assert_int_eq(tls_receive(server.tls, client.output.sealed, client.output.sealed_length),
                     TLS_GOES_ON);
    ck_assert_int_eq(tls_receive(server.tls, second, sizeof second), TLS_HAS_FAILED);
    ck_assert_str_eq(tls_error(server.tls), "the ClientHello is too long");
    end();
}
END_TEST

/* What comes is cut into records of one byte, and the server is given it byte by byte. */
START_TEST(a_hello_may_come_in_records_of_one_byte)
{
    begin(TLS1_3_VERSION);
    ck_assert_int_eq(tls_receive(client.tls, NULL, 0), TLS_GOES_ON);
    const unsigned char *bytes = client.output.sealed;
    size_t length = (size_t)bytes[3] << 8 | bytes[4];
    for (size_t i = 0; i < length; i++) {
        const unsigned char record[] = {22, 3, 1, 0, 1, bytes[5 + i]};
        for (size_t j = 0; j < sizeof record; j++) {
            ck_assert_uint_eq(server.output.sealed_length, 0);
            ck_assert_int_eq(tls_receive(server.tls, record + j, 1), TLS_GOES_ON);
        }
    }
    ck_assert_uint_gt(server.output.sealed_length, 0);
    ck_assert_int_eq(bring(&server, &client, 100), TLS_GOES_ON);
    ck_assert(tls_is_open(client.tls) && tls_is_open(server.tls));
    end();
}
END_TEST

/* The other one is accepted as far as it goes, and costs what was sent of it. */
START_TEST(a_hello_that_is_too_long_is_refused)
{
    static const unsigned char beginning[] = {22, 3, 1, 0, 6, 1, 1, 0, 1, 3, 3};
    unsigned char most[sizeof beginning];
    begin(TLS1_3_VERSION);
    ck_assert_int_eq(tls_receive(server.tls, beginning, sizeof beginning), TLS_HAS_FAILED);
    ck_assert_str_eq(tls_error(server.tls), "the ClientHello is too long");
    end();
    begin(TLS1_3_VERSION);
    memcpy(most, beginning, sizeof most);
    most[8]--;
    most[6] = 0;
    most[7] = 0xff;
    ck_assert_int_eq(tls_receive(server.tls, most, sizeof most), TLS_GOES_ON);
    end();
}
END_TEST

/* Each class has a name of its own, and what is not known has one. */
START_TEST(failures_have_classes)
{
    static const struct {
        int reason;
        long verified;
        enum tls_failure failure;
    } rows[] = {
        {SSL_R_HTTP_REQUEST, X509_V_OK, TLS_FAILED_NOT_TLS},
        {SSL_R_UNSUPPORTED_PROTOCOL, X509_V_OK, TLS_FAILED_VERSION},
        {SSL_R_NO_SHARED_CIPHER, X509_V_OK, TLS_FAILED_CIPHER},
        {SSL_R_TLSV1_ALERT_UNKNOWN_CA, X509_V_OK, TLS_FAILED_ALERT},
        {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, X509_V_OK, TLS_FAILED_ALERT},
        {SSL_R_CERTIFICATE_VERIFY_FAILED, X509_V_ERR_CERT_REVOKED, TLS_FAILED_REVOKED},
        {SSL_R_CERTIFICATE_VERIFY_FAILED, X509_V_ERR_CERT_NOT_YET_VALID, TLS_FAILED_EXPIRED},
        {SSL_R_CERTIFICATE_VERIFY_FAILED, X509_V_ERR_HOSTNAME_MISMATCH, TLS_FAILED_WRONG_NAME},
        {SSL_R_CERTIFICATE_VERIFY_FAILED, X509_V_ERR_CERT_CHAIN_TOO_LONG, TLS_FAILED_CERTIFICATE},
        {0, X509_V_OK, TLS_FAILED_OTHERWISE},
        {-1, X509_V_OK, TLS_FAILED_OTHERWISE},
        {SSL_AD_REASON_OFFSET, X509_V_OK, TLS_FAILED_OTHERWISE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        ck_assert_int_eq(tls_failure_of(rows[i].reason, rows[i].verified), rows[i].failure);
    for (unsigned i = 0; i < TLS_FAILURES; i++)
        for (unsigned j = 0; j < i; j++)
            ck_assert_str_ne(tls_failure_name(i), tls_failure_name(j));
}
END_TEST

Suite *tls_suite(void)
{
    Suite *suite = suite_create("tls");
    TCase *tcase = tcase_create("tls");
    tcase_add_loop_test(tcase, what_is_said_arrives, 0, 8);
    tcase_add_loop_test(tcase, an_end_is_told_once, 0, 2);
    tcase_add_loop_test(tcase, what_is_no_tls_is_answered_by_an_alert, 0, 3);
    tcase_add_loop_test(tcase, changed_bytes_are_not_given, 0, 2);
    tcase_add_test(tcase, without_memory_there_is_no_connection);
    tcase_add_loop_test(tcase, keys_may_change_and_not_by_the_thousand, 0, 2);
    tcase_add_test(tcase, a_client_must_not_ask_for_renegotiation_by_the_thousand);
    tcase_add_test(tcase, a_server_must_not_ask_for_renegotiation_by_the_thousand);
    tcase_add_loop_test(tcase, empty_records_are_not_endless, 0, 2);
    tcase_add_loop_test(tcase, empty_records_of_tls_1_2_are_not_endless, 0, 2);
    tcase_add_loop_test(tcase, a_message_may_come_in_pieces, 0, 8);
    tcase_add_loop_test(tcase, an_end_waits_for_the_rest_of_a_message, 0, 2);
    tcase_add_test(tcase, a_ticket_may_come_in_pieces);
    tcase_add_test(tcase, a_second_hello_may_come_in_pieces);
    tcase_add_test(tcase, a_second_hello_that_is_too_long_is_refused);
    tcase_add_test(tcase, a_hello_may_come_in_records_of_one_byte);
    tcase_add_test(tcase, a_hello_that_is_too_long_is_refused);
    tcase_add_test(tcase, failures_have_classes);
    suite_add_tcase(suite, tcase);
    return suite;
}
