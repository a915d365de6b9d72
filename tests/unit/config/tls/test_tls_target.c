/* TLS with servers: what they are asked for, and which certificates are accepted. */
#include "config/tls/tls_target.h"

#include "config/options/options.h"
#include "config/tls/session_cache.h"
#include "tests/unit/config/tls/serving.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct issued root, wrong_root;
static struct serving serving; /* the server that is connected to */
static struct server_conf line;

static void begin(void)
{
    folder_make();
    serving_init(&serving);
    line = (struct server_conf){0};
    root = issue((struct request){.name = "root", .authority = true});
    wrong_root = issue((struct request){.name = "wrong", .authority = true});
    issued_write("root.pem", &root);
    issued_write("wrong.pem", &wrong_root);
}

static void end(void)
{
    options_release(OWNER_SERVER, &line);
    serving_free(&serving);
    issued_free(&root);
    issued_free(&wrong_root);
    folder_remove();
}

/* Serves with a certificate of the root. */
static void serve(const char *alternatives, long begins, long ends)
{
    struct issued issued = issue((struct request){.name = "server",
                                                  .alternatives = alternatives,
                                                  .by = &root,
                                                  .begins = begins,
                                                  .ends = ends});
    issued_write("server.pem", &issued);
    serving_set(&serving, "certificate", folder_path("server.pem"));
    serving_start(&serving);
    ck_assert_ptr_nonnull(serving.server);
    issued_free(&issued);
}

static void set(const char *attribute, const char *value)
{
    static char name[] = "p.ini";
    static struct source source = {.path = name};
    struct address_files files = {0};
    const struct option_context context = {.place = {&source, 3},
                                           .problems = &serving.problems,
                                           .files = &files,
                                           .certificates = serving.store};
    for (const struct option *row = attribute_table(OWNER_SERVER); row->name; row++) {
        if (strcmp(row->name, attribute) != 0)
            continue;
        const char *wrong = option_set(row, value, &line, &context);
        ck_assert_msg(!wrong, "%s", wrong);
    }
    ck_assert(!problems_any(&serving.problems));
    address_files_free(&files);
}

/* What is wrong with the server's certificate. */
static long connect_to(const char *host, const char *address, struct ends *ends)
{
    struct address numeric = {0};
    struct tls_target *target = NULL;
    if (address)
        ck_assert_ptr_null(address_parse(address, &numeric));
    const char *wrong = tls_target_new(&line.tls_conf, host, &numeric, &target);
    ck_assert_msg(!wrong, "%s", wrong);
    bool done = shake_hands(ends, tls_target_ssl(target), tls_server_ssl(serving.server));
    long result = SSL_get_verify_result(ends->client);
    ck_assert(done == (result == X509_V_OK || strcmp(line.tls_conf.verify, "none") == 0));
    tls_target_free(target);
    return result;
}

static long verdict(const char *host, const char *address)
{
    struct ends ends;
    long result = connect_to(host, address, &ends);
    ends_free(&ends);
    return result;
}

START_TEST(certificate_must_come_from_the_authorities)
{
    serve("DNS:a.example", 0, 0);
    set("verify", folder_path("root.pem"));
    ck_assert_int_eq(verdict("a.example", NULL), X509_V_OK);
    set("verify", folder_path("wrong.pem"));
    ck_assert_int_eq(verdict("a.example", NULL), X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    set("verify", "system");
    ck_assert_int_eq(verdict("a.example", NULL), X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    set("verify", "none");
    verdict("a.example", NULL);
    verdict("b.example", NULL);
}
END_TEST

START_TEST(certificate_must_have_the_name)
{
    serve("DNS:a.example,DNS:*.w.example,IP:10.0.0.1,IP:fd00::1", 0, 0);
    set("verify", folder_path("root.pem"));
    ck_assert_int_eq(verdict("a.example", NULL), X509_V_OK);
    ck_assert_int_eq(verdict("x.w.example", NULL), X509_V_OK);
    ck_assert_int_eq(verdict("b.example", NULL), X509_V_ERR_HOSTNAME_MISMATCH);
    ck_assert_int_eq(verdict("x.y.w.example", NULL), X509_V_ERR_HOSTNAME_MISMATCH);
    ck_assert_int_eq(verdict(NULL, "10.0.0.1:993"), X509_V_OK);
    ck_assert_int_eq(verdict(NULL, "[fd00::1]:993"), X509_V_OK);
    ck_assert_int_eq(verdict(NULL, "10.0.0.2:993"), X509_V_ERR_IP_ADDRESS_MISMATCH);
    set("sni", "b.example");
    ck_assert_int_eq(verdict("a.example", NULL), X509_V_ERR_HOSTNAME_MISMATCH);
    ck_assert_int_eq(verdict(NULL, "10.0.0.1:993"), X509_V_ERR_HOSTNAME_MISMATCH);
    set("verify-name", "a.example");
    ck_assert_int_eq(verdict("c.example", NULL), X509_V_OK);
    set("verify-name", "10.0.0.1");
    ck_assert_int_eq(verdict("c.example", NULL), X509_V_OK);
    set("verify-name", "10.0.0.3");
    ck_assert_int_eq(verdict("c.example", NULL), X509_V_ERR_IP_ADDRESS_MISMATCH);
}
END_TEST

/* The common name counts for nothing where there are alternatives, nor does a name that looks like
 * an address. */
START_TEST(other_fields_are_no_names)
{
    serve("DNS:a.example,DNS:10.0.0.9", 0, 0);
    set("verify", folder_path("root.pem"));
    ck_assert_int_eq(verdict("server", NULL), X509_V_ERR_HOSTNAME_MISMATCH);
    ck_assert_int_eq(verdict(NULL, "10.0.0.9:1"), X509_V_ERR_IP_ADDRESS_MISMATCH);
}
END_TEST

START_TEST(time_counts)
{
    serve("DNS:a.example", -7200, -3600);
    set("verify", folder_path("root.pem"));
    ck_assert_int_eq(verdict("a.example", NULL), X509_V_ERR_CERT_HAS_EXPIRED);
    serving_free(&serving);
    serving_init(&serving);
    serve("DNS:a.example", 3600, 7200);
    set("verify", folder_path("root.pem"));
    ck_assert_int_eq(verdict("a.example", NULL), X509_V_ERR_CERT_NOT_YET_VALID);
}
END_TEST

/* In a file of its own: each is read once. */
static void set_list(const char *file, const struct issued *authority, const struct issued *revoked,
                     long ends)
{
    char *list = pem_of_revocations(authority, revoked, ends);
    text_write(file, list);
    free(list);
    set("crl", folder_path(file));
}

/* A list revokes, and one of each authority must be there. Servers with the same authorities and no
 * list are as they were. */
START_TEST(revoked_ones_are_refused)
{
    struct issued issued =
        issue((struct request){.name = "server", .alternatives = "DNS:a.example", .by = &root});
    issued_write("server.pem", &issued);
    serving_set(&serving, "certificate", folder_path("server.pem"));
    serving_start(&serving);
    set("verify", folder_path("root.pem"));
    set_list("none", &root, NULL, 3600);
    ck_assert_int_eq(verdict("a.example", NULL), X509_V_OK);
    set_list("one", &root, &issued, 3600);
    ck_assert_int_eq(verdict("a.example", NULL), X509_V_ERR_CERT_REVOKED);
    set_list("other", &wrong_root, NULL, 3600);
    ck_assert_int_eq(verdict("a.example", NULL), X509_V_ERR_UNABLE_TO_GET_CRL);
    options_release(OWNER_SERVER, &line);
    line = (struct server_conf){0};
    set("verify", folder_path("root.pem"));
    ck_assert_int_eq(verdict("a.example", NULL), X509_V_OK);
    issued_free(&issued);
}
END_TEST

static void asks_for(const char *host, const char *address, const char *name)
{
    struct ends ends;
    connect_to(host, address, &ends);
    const char *asked = SSL_get_servername(ends.server, TLSEXT_NAMETYPE_host_name);
    ck_assert_str_eq(asked ? asked : "none", name);
    ends_free(&ends);
}

START_TEST(server_is_asked_for_a_name)
{
    serve("DNS:a.example", 0, 0);
    set("verify", "none");
    asks_for("host.example", NULL, "host.example");
    asks_for(NULL, "10.0.0.1:1", "none");
    asks_for(NULL, "unix:/x", "none");
    set("sni", "other.example");
    asks_for("host.example", NULL, "other.example");
    asks_for(NULL, "10.0.0.1:1", "other.example");
}
END_TEST

START_TEST(protocols_and_a_certificate_are_offered)
{
    struct ends ends;
    const unsigned char *chosen;
    unsigned length;
    struct issued client = issue((struct request){.name = "proxy", .by = &root});
    issued_write("client.pem", &client);
    serving_set(&serving, "tls-alpn", "imap,pop3");
    serving_set(&serving, "client-ca", folder_path("root.pem"));
    serve("DNS:a.example", 0, 0);
    set("verify", folder_path("root.pem"));
    set("alpn", "pop3,imap");
    set("cert", folder_path("client.pem"));
    ck_assert_int_eq(connect_to("a.example", NULL, &ends), X509_V_OK);
    SSL_get0_alpn_selected(ends.client, &chosen, &length);
    ck_assert_uint_eq(length, 4);
    ck_assert_int_eq(memcmp(chosen, "imap", 4), 0);
    ck_assert_int_eq(X509_cmp(SSL_get0_peer_certificate(ends.server), client.x509), 0);
    ends_free(&ends);
    issued_free(&client);
}
END_TEST

/* A server that compresses is refused: nobody has asked for it. */
START_TEST(compression_is_not_offered_and_refused)
{
    struct tls_target *target = NULL;
    const struct address none = {0};
    serve("DNS:a.example", 0, 0);
    set("verify", folder_path("root.pem"));
    ck_assert_ptr_null(tls_target_new(&line.tls_conf, "a.example", &none, &target));
    for (unsigned i = 0; i < 2; i++) {
        unsigned char hello[2048], answer[8192], alert[64];
        bool failed;
        SSL *client = tls_target_ssl(target), *server = tls_server_ssl(serving.server);
        SSL_set_max_proto_version(client, TLS1_2_VERSION);
        size_t length = first_flight(client, NULL, 0, hello, sizeof hello, NULL);
        ck_assert_mem_eq(hello + compression_at(hello), "\1\0", 2);
        length = first_flight(server, hello, length, answer, sizeof answer, &failed);
        ck_assert(!failed);
        answer[compression_at(answer)] = (unsigned char)i;
        (void)first_flight(client, answer, length, alert, sizeof alert, &failed);
        ck_assert_int_eq(failed, i);
        SSL_free(client);
        SSL_free(server);
    }
    tls_target_free(target);
}
END_TEST

/* --- sessions ------------------------------------------------------------------------------ */

static struct tls_target *target_of(const char *host)
{
    struct tls_target *target = NULL;
    const struct address none = {0};
    const char *wrong = tls_target_new(&line.tls_conf, host, &none, &target);
    ck_assert_msg(!wrong, "%s", wrong);
    return target;
}

/* A connection to that address of the server, which ends without a word. Returns whether it was
 * resumed. */
static bool again(const struct tls_target *target, int version, const char *where)
{
    struct ends ends;
    struct address address;
    ck_assert_ptr_null(address_parse(where, &address));
    SSL *ssl = tls_target_ssl(target);
    SSL_set_max_proto_version(ssl, version);
    tls_target_resume(target, ssl, &address);
    ck_assert(shake_hands(&ends, ssl, tls_server_ssl(serving.server)));
    bool resumed = tls_target_opened(ends.client);
    ck_assert_int_eq(SSL_session_reused(ends.server), resumed);
    ck_assert_int_eq(SSL_get_verify_result(ends.client), X509_V_OK);
    ends_free(&ends);
    return resumed;
}

START_TEST(sessions_are_resumed)
{
    const int version = _i ? TLS1_3_VERSION : TLS1_2_VERSION;
    serve("DNS:a.example", 0, 0);
    set("verify", folder_path("root.pem"));
    struct tls_target *target = target_of("a.example"), *other = target_of("a.example");
    ck_assert(!again(target, version, "10.0.0.1:1"));
    for (int i = 0; i < 5; i++)
        ck_assert(again(target, version, "10.0.0.1:1"));
    ck_assert(!again(target, version, "10.0.0.2:1")); /* of another address, ... */
    ck_assert(!again(other, version, "10.0.0.1:1"));  /* ... and another line */
    ck_assert(again(target, version, "10.0.0.1:1"));
    ck_assert(again(target, version, "10.0.0.2:1"));
    /* Many addresses: the newest are known. */
    for (int i = 0; i < 100; i++) {
        char where[32];
        snprintf(where, sizeof where, "10.0.1.%d:1", i);
        ck_assert(!again(target, version, where));
        ck_assert(again(target, version, where));
    }
    ck_assert(!again(target, version, "10.0.0.1:1"));
    tls_target_free(target);
    tls_target_free(other);
}
END_TEST

/* No two connections have one session: with one ticket each, the second has none. */
START_TEST(sessions_are_handed_out_once)
{
    const int version = _i ? TLS1_3_VERSION : TLS1_2_VERSION;
    struct address address;
    ck_assert_ptr_null(address_parse("10.0.0.1:1", &address));
    serve("DNS:a.example", 0, 0);
    set("verify", folder_path("root.pem"));
    struct tls_target *target = target_of("a.example");
    ck_assert(!again(target, version, "10.0.0.1:1"));
    SSL *first = tls_target_ssl(target), *second = tls_target_ssl(target);
    tls_target_resume(target, first, &address);
    tls_target_resume(target, second, &address);
    ck_assert_ptr_nonnull(SSL_get_session(first));
    ck_assert_ptr_null(SSL_get_session(second));
    /* A failure of an attempt to resume ends all that are kept. */
    ck_assert(!again(target, version, "10.0.0.1:1"));
    tls_target_failed(second);
    SSL_free(second);
    ck_assert(again(target, version, "10.0.0.1:1"));
    tls_target_failed(first);
    ck_assert(!again(target, version, "10.0.0.1:1"));
    SSL_free(first);
    tls_target_free(target);
}
END_TEST

START_TEST(nothing_is_resumed_that_was_not_verified)
{
    struct address address;
    struct ends ends;
    ck_assert_ptr_null(address_parse("10.0.0.1:1", &address));
    serve("DNS:a.example", 0, 0);
    set("verify", folder_path("root.pem"));
    struct tls_target *target = target_of("b.example"); /* its name is another one */
    for (int i = 0; i < 2; i++) {
        SSL *ssl = tls_target_ssl(target);
        tls_target_resume(target, ssl, &address);
        ck_assert_ptr_null(SSL_get_session(ssl));
        ck_assert(!shake_hands(&ends, ssl, tls_server_ssl(serving.server)));
        ck_assert_int_eq(SSL_get_verify_result(ends.client), X509_V_ERR_HOSTNAME_MISMATCH);
        tls_target_failed(ends.client);
        ends_free(&ends);
    }
    tls_target_free(target);
    /* A server without tickets. */
    serving_free(&serving);
    serving_init(&serving);
    serving_set(&serving, "tls-tickets", "no");
    serve("DNS:a.example", 0, 0);
    set("verify", folder_path("root.pem"));
    target = target_of("a.example");
    ck_assert(!again(target, TLS1_3_VERSION, "10.0.0.1:1"));
    ck_assert(!again(target, TLS1_3_VERSION, "10.0.0.1:1"));
    tls_target_free(target);
}
END_TEST

START_TEST(an_expired_certificate_ends_its_sessions)
{
    struct address address;
    ck_assert_ptr_null(address_parse("10.0.0.1:1", &address));
    serve("DNS:a.example", 0, 3600);
    set("verify", folder_path("root.pem"));
    struct tls_target *target = target_of("a.example");
    struct session_cache *cache = tls_target_sessions(target);
    static const struct {
        long later;
        bool offers;
    } times[] = {{0, true}, {3000, true}, {3700, false}};
    for (unsigned i = 0; i < sizeof times / sizeof *times; i++) {
        (void)again(target, TLS1_3_VERSION, "10.0.0.1:1");
        SSL *ssl = tls_target_ssl(target);
        session_cache_join(cache, ssl, &address, time(NULL) + times[i].later);
        ck_assert_int_eq(SSL_get_session(ssl) != NULL, times[i].offers);
        SSL_free(ssl);
    }
    tls_target_free(target);
}
END_TEST

START_TEST(authorities_are_there_once)
{
    struct x509_store_st *one = NULL, *two = NULL;
    ck_assert_ptr_null(certificate_store_authorities(serving.store, "system", &one));
    ck_assert_ptr_null(certificate_store_authorities(serving.store, "system", &two));
    ck_assert_ptr_nonnull(one);
    ck_assert_ptr_eq(one, two);
    ck_assert_ptr_nonnull(
        certificate_store_authorities(serving.store, folder_path("missing"), &two));
}
END_TEST

Suite *tls_target_suite(void)
{
    Suite *suite = suite_create("tls_target");
    TCase *tcase = tcase_create("tls_target");
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, certificate_must_come_from_the_authorities);
    tcase_add_test(tcase, certificate_must_have_the_name);
    tcase_add_test(tcase, other_fields_are_no_names);
    tcase_add_test(tcase, time_counts);
    tcase_add_test(tcase, revoked_ones_are_refused);
    tcase_add_test(tcase, server_is_asked_for_a_name);
    tcase_add_test(tcase, protocols_and_a_certificate_are_offered);
    tcase_add_test(tcase, compression_is_not_offered_and_refused);
    tcase_add_loop_test(tcase, sessions_are_resumed, 0, 2);
    tcase_add_loop_test(tcase, sessions_are_handed_out_once, 0, 2);
    tcase_add_test(tcase, nothing_is_resumed_that_was_not_verified);
    tcase_add_test(tcase, an_expired_certificate_ends_its_sessions);
    tcase_add_test(tcase, authorities_are_there_once);
    suite_add_tcase(suite, tcase);
    return suite;
}
