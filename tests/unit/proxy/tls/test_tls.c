#include "proxy/tls/tls.h"
#include "tests/unit/suites.h"

#include <check.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
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

Suite *tls_suite(void)
{
    Suite *suite = suite_create("tls");
    TCase *tcase = tcase_create("tls");
    tcase_add_loop_test(tcase, what_is_said_arrives, 0, 8);
    tcase_add_loop_test(tcase, an_end_is_told_once, 0, 2);
    tcase_add_loop_test(tcase, what_is_no_tls_is_answered_by_an_alert, 0, 3);
    tcase_add_loop_test(tcase, changed_bytes_are_not_given, 0, 2);
    tcase_add_test(tcase, without_memory_there_is_no_connection);
    suite_add_tcase(suite, tcase);
    return suite;
}
