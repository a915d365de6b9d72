/* TLS with clients: which certificate, which version and cipher, who may come in, what is resumed.
 */
#include "tests/unit/config/tls/serving.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"

#include <check.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

static struct serving serving;

static void begin(void)
{
    folder_make();
    serving_init(&serving);
}

static void end(void)
{
    serving_free(&serving);
    folder_remove();
}

/* Uses a certificate with a key of that kind. */
static void use(const char *name, const char *alternatives, const char *key)
{
    char file[64];
    struct issued issued =
        issue((struct request){.name = name, .alternatives = alternatives, .key = key});
    snprintf(file, sizeof file, "%s.pem", name);
    issued_write(file, &issued);
    serving_set(&serving, "certificate", folder_path(file));
    issued_free(&issued);
}

static void start(void)
{
    serving_start(&serving);
    ck_assert_msg(serving.server != NULL, "%s", serving.problems.items[0].text);
}

static void gets(const char *name, const char *certificate)
{
    const char *got = visit_name(&serving, (struct visit){.name = name}, NULL);
    ck_assert_msg(strcmp(got, certificate) == 0, "%s gets '%s'", name, got);
}

/* --- names --------------------------------------------------------------------------------- */

START_TEST(name_chooses_the_certificate)
{
    use("first", "DNS:first.example", NULL);
    use("wild", "DNS:*.b.example", NULL);
    use("exact", "DNS:A.b.example,DNS:xn--bcher-kva.example", NULL);
    use("deep", "DNS:*.c.b.example", NULL);
    use("again", "DNS:a.b.example", NULL); /* another has the name already */
    start();
    gets("first.example", "first");
    gets("a.b.example", "exact");
    gets("A.B.Example", "exact");
    gets("a.b.example.", "exact");
    gets("x.b.example", "wild");
    gets("b.example", "first");
    gets("x.y.b.example", "first"); /* a wildcard is one label */
    gets("x.c.b.example", "deep");
    gets("XN--Bcher-kva.example", "exact");
    gets("unknown.example", "first");
    gets(NULL, "first");
    ck_assert_uint_eq(tls_server_count(serving.server), 5);
    ck_assert_str_eq(tls_server_certificate(serving.server, 4)->subject, "CN=again");
    ck_assert(tls_server_has_name(serving.server, "Q.b.example"));
    ck_assert(!tls_server_has_name(serving.server, "q.example"));
    ck_assert(!tls_server_has_name(serving.server, ""));
    ck_assert(!tls_server_has_name(serving.server, "."));
}
END_TEST

START_TEST(unknown_names_are_refused_if_the_option_says_so)
{
    int alert;
    use("first", "DNS:first.example,DNS:*.w.example", NULL);
    serving_set(&serving, "tls-unknown-name", "reject");
    start();
    gets("first.example", "first");
    gets("a.w.example", "first");
    for (int i = 0; i < 2; i++) {
        const struct visit visit = {.name = i ? "other.example" : NULL};
        ck_assert_str_eq(visit_name(&serving, visit, &alert), "");
        ck_assert_int_eq(alert, SSL_AD_UNRECOGNIZED_NAME);
    }
}
END_TEST

START_TEST(type_of_key_is_what_the_client_can)
{
    use("ec", "DNS:a.example", "P-256");
    use("rsa", "DNS:a.example", "RSA-2048");
    use("ed", "DNS:a.example", "ED25519");
    use("other", "DNS:b.example", "P-256");
    start();
    static const struct {
        const char *algorithms, *certificate;
    } rows[] = {{"ECDSA+SHA256", "ec"}, {"RSA-PSS+SHA256", "rsa"}, {"ed25519", "ed"}};
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    static const char *const names[] = {"a.example", "unknown.example"}; /* also the default */
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < 2; j++)
            for (size_t k = 0; k < 2; k++) {
                const struct visit visit = {
                    .name = names[k], .algorithms = rows[i].algorithms, .version = versions[j]};
                ck_assert_str_eq(visit_name(&serving, visit, NULL), rows[i].certificate);
            }
    gets("b.example", "other");
    const struct visit visit = {.name = "b.example", .algorithms = "RSA-PSS+SHA256"};
    ck_assert_str_eq(visit_name(&serving, visit, NULL), "");
}
END_TEST

START_TEST(wildcard_helps_where_the_name_has_no_such_key)
{
    use("first", "DNS:first.example", NULL);
    use("exact", "DNS:a.example", "P-256");
    use("wild-rsa", "DNS:*.example", "RSA-2048");
    use("wild-ec", "DNS:*.example", "P-256");
    start();
    gets("a.example", "exact");
    gets("b.example", "wild-ec");
    const struct visit visit = {.name = "a.example", .algorithms = "RSA-PSS+SHA256"};
    ck_assert_str_eq(visit_name(&serving, visit, NULL), "wild-rsa");
}
END_TEST

/* A frontend with very many names finds each. */
START_TEST(many_names)
{
    struct memory {
        char text[8192];
    } *list = calloc(1, sizeof *list);
    char name[32];
    for (int i = 0; i < 300; i++)
        snprintf(list->text + strlen(list->text), sizeof list->text - strlen(list->text),
                 "%sDNS:n%d.example", i ? "," : "", i);
    use("first", "DNS:first.example", NULL);
    use("many", list->text, NULL);
    start();
    for (int i = 0; i < 300; i += 37) {
        snprintf(name, sizeof name, "n%d.example", i);
        gets(name, "many");
    }
    free(list);
}
END_TEST

/* --- versions and ciphers ------------------------------------------------------------------ */

static bool comes_in(struct visit visit)
{
    return visit_name(&serving, visit, NULL)[0] != '\0';
}

START_TEST(defaults_are_the_intermediate_ones)
{
    static const char *const good[] = {
        "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305"};
    static const char *const bad[] = {
        "AES128-GCM-SHA256",       "AES256-SHA256",
        "ECDHE-RSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA384",
        "ECDHE-RSA-AES256-SHA",    "DHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES128-CCM",  "ADH-AES128-GCM-SHA256:@SECLEVEL=0"};
    static const char *const suites[] = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                         "TLS_CHACHA20_POLY1305_SHA256"};
    use("ec", "DNS:a.example", "P-256");
    use("rsa", "DNS:a.example", "RSA-2048");
    start();
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ck_assert_msg(comes_in((struct visit){.ciphers = good[i], .version = TLS1_2_VERSION}), "%s",
                      good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!comes_in((struct visit){.ciphers = bad[i], .version = TLS1_2_VERSION}), "%s",
                      bad[i]);
    for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++)
        ck_assert_msg(comes_in((struct visit){.suites = suites[i], .version = TLS1_3_VERSION}),
                      "%s", suites[i]);
    ck_assert(
        !comes_in((struct visit){.suites = "TLS_AES_128_CCM_SHA256", .version = TLS1_3_VERSION}));
    ck_assert(!comes_in((struct visit){.ciphers = "ALL:@SECLEVEL=0", .version = TLS1_1_VERSION}));
    ck_assert(!comes_in((struct visit){.ciphers = "ALL:@SECLEVEL=0", .version = TLS1_VERSION}));
}
END_TEST

START_TEST(versions_are_bounded)
{
    use("ec", "DNS:a.example", NULL);
    serving_set(&serving, "tls-min", "1.3");
    start();
    ck_assert(!comes_in((struct visit){.version = TLS1_2_VERSION}));
    ck_assert(comes_in((struct visit){.version = TLS1_3_VERSION}));
    tls_server_free(serving.server);
    serving_set(&serving, "tls-min", "1.2");
    serving_set(&serving, "tls-max", "1.2");
    start();
    ck_assert(comes_in((struct visit){.version = TLS1_2_VERSION}));
    ck_assert(!comes_in((struct visit){.version = TLS1_3_VERSION}));
}
END_TEST

START_TEST(lists_of_ciphers_and_curves_count)
{
    use("ec", "DNS:a.example", NULL);
    serving_set(&serving, "tls-ciphers", "ECDHE+AESGCM:!AES128");
    serving_set(&serving, "tls-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256");
    serving_set(&serving, "tls-curves", "P-384");
    start();
    struct ends ends;
    ck_assert(!comes_in(
        (struct visit){.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256", .version = TLS1_2_VERSION}));
    ck_assert(
        !comes_in((struct visit){.suites = "TLS_AES_128_GCM_SHA256", .version = TLS1_3_VERSION}));
    ck_assert(shake_hands(&ends, visitor(&(struct visit){0}), tls_server_ssl(serving.server)));
    ck_assert_str_eq(SSL_get_cipher_name(ends.client), "TLS_CHACHA20_POLY1305_SHA256");
    ck_assert_int_eq((int)SSL_get_negotiated_group(ends.client), NID_secp384r1);
    ends_free(&ends);
}
END_TEST

START_TEST(weak_keys_are_refused_at_their_line)
{
    use("weak", "DNS:a.example", "RSA-1024");
    serving_set(&serving, "tls-ciphers", "ECDHE+AESGCM:@SECLEVEL=2");
    serving_start(&serving);
    ck_assert_ptr_null(serving.server);
    ck_assert_uint_eq(serving.problems.count, 1);
    ck_assert_uint_eq(serving.problems.items[0].place.line, 3);
    ck_assert_ptr_nonnull(strstr(serving.problems.items[0].text, "/weak.pem: "));
    ck_assert_ptr_nonnull(strstr(serving.problems.items[0].text, "key too small"));
    problems_free(&serving.problems);
    serving.problems = (struct problems){0};
    serving_set(&serving, "tls-ciphers", "ECDHE+AESGCM:@SECLEVEL=1");
    start();
    gets("a.example", "weak");
}
END_TEST

START_TEST(neither_renegotiation_nor_early_data)
{
    struct ends ends;
    char byte;
    use("ec", "DNS:a.example", NULL);
    start();
    ck_assert(shake_hands(&ends, visitor(&(struct visit){.version = TLS1_2_VERSION}),
                          tls_server_ssl(serving.server)));
    ck_assert_ptr_null(SSL_get_current_compression(ends.server));
    ck_assert(SSL_renegotiate(ends.client));
    SSL_do_handshake(ends.client);
    SSL_read(ends.server, &byte, 1);
    ck_assert_int_le(SSL_do_handshake(ends.client), 0);
    ck_assert_int_eq(ends.server_alert, SSL_AD_NO_RENEGOTIATION);
    ends_free(&ends);
    ck_assert(shake_hands(&ends, visitor(&(struct visit){.version = TLS1_3_VERSION}),
                          tls_server_ssl(serving.server)));
    ck_assert_uint_eq(SSL_SESSION_get_max_early_data(SSL_get0_session(ends.client)), 0);
    ends_free(&ends);
}
END_TEST

/* --- ALPN ---------------------------------------------------------------------------------- */

static const char *protocol(const char *alpn, int *alert)
{
    static char name[256];
    struct ends ends;
    const unsigned char *chosen;
    unsigned length;
    bool good =
        shake_hands(&ends, visitor(&(struct visit){.alpn = alpn}), tls_server_ssl(serving.server));
    *alert = ends.server_alert;
    SSL_get0_alpn_selected(ends.server, &chosen, &length);
    snprintf(name, sizeof name, "%.*s", (int)length, (const char *)chosen);
    ends_free(&ends);
    return good ? name : "refused";
}

START_TEST(order_of_the_proxy_decides_the_protocol)
{
    int alert;
    use("ec", "DNS:a.example", NULL);
    serving_set(&serving, "tls-alpn", "h2, http/1.1");
    start();
    ck_assert_str_eq(protocol("\10http/1.1\2h2", &alert), "h2");
    ck_assert_str_eq(protocol("\10http/1.1", &alert), "http/1.1");
    ck_assert_str_eq(protocol(NULL, &alert), "");
    ck_assert_str_eq(protocol("\4imap", &alert), "refused");
    ck_assert_int_eq(alert, SSL_AD_NO_APPLICATION_PROTOCOL);
}
END_TEST

START_TEST(without_the_option_nothing_is_answered)
{
    int alert;
    use("ec", "DNS:a.example", NULL);
    start();
    ck_assert_str_eq(protocol("\4imap", &alert), "");
}
END_TEST

/* --- OCSP ---------------------------------------------------------------------------------- */

static long staple_length(void)
{
    struct ends ends;
    const unsigned char *bytes;
    ck_assert(shake_hands(&ends, visitor(&(struct visit){.wants_staple = true}),
                          tls_server_ssl(serving.server)));
    long length = SSL_get_tlsext_status_ocsp_resp(ends.client, &bytes);
    ends_free(&ends);
    return length;
}

START_TEST(staple_is_given_until_it_is_out_of_date)
{
    struct issued root = issue((struct request){.name = "root", .authority = true});
    struct issued leaf = issue((struct request){.name = "leaf", .by = &root});
    for (int i = 0; i < 2; i++) {
        issued_write("s.pem", &leaf);
        staple_write("s.ocsp", &leaf, &root, i ? -60 : 3600);
        serving_free(&serving);
        serving_init(&serving);
        serving_set(&serving, "certificate", folder_path("s.pem"));
        start();
        ck_assert(i ? staple_length() <= 0 : staple_length() > 100);
    }
    issued_free(&root);
    issued_free(&leaf);
}
END_TEST

/* --- clients' certificates ----------------------------------------------------------------- */

struct authorities {
    struct issued root, middle, client, other;
};

static struct authorities authorities_make(void)
{
    struct authorities all = {
        .root = issue((struct request){.name = "root", .authority = true}),
        .other = issue((struct request){.name = "other", .authority = true}),
    };
    all.middle = issue((struct request){.name = "middle", .authority = true, .by = &all.root});
    all.client = issue((struct request){.name = "client", .by = &all.root});
    char *pem = pem_of_certificate(&all.root);
    text_write("ca.pem", pem);
    free(pem);
    use("server", "DNS:a.example", NULL);
    serving_set(&serving, "client-ca", folder_path("ca.pem"));
    return all;
}

static void authorities_end(struct authorities *all)
{
    issued_free(&all->root);
    issued_free(&all->middle);
    issued_free(&all->client);
    issued_free(&all->other);
}

static bool may_come(const struct issued *client)
{
    return comes_in((struct visit){.certificate = client});
}

/* The result of the verification on the server's side. */
static long verdict(const struct issued *client)
{
    struct ends ends;
    shake_hands(&ends, visitor(&(struct visit){.certificate = client}),
                tls_server_ssl(serving.server));
    long result = SSL_get_verify_result(ends.server);
    ends_free(&ends);
    return result;
}

START_TEST(clients_must_show_a_certificate)
{
    struct authorities all = authorities_make();
    start();
    ck_assert(may_come(&all.client));
    ck_assert(!may_come(NULL));
    ck_assert(!may_come(&all.other));
    tls_server_free(serving.server);
    serving_set(&serving, "client-verify", "optional");
    start();
    ck_assert(may_come(&all.client));
    ck_assert(may_come(NULL));
    ck_assert(!may_come(&all.other));
    authorities_end(&all);
}
END_TEST

START_TEST(wrong_certificates_are_told_apart)
{
    struct authorities all = authorities_make();
    struct issued old =
        issue((struct request){.name = "old", .by = &all.root, .begins = -7200, .ends = -3600});
    struct issued deep = issue((struct request){.name = "deep", .by = &all.middle});
    start();
    ck_assert_int_eq(verdict(&old), X509_V_ERR_CERT_HAS_EXPIRED);
    ck_assert_int_eq(verdict(&all.other), X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT);
    ck_assert_int_eq(verdict(&deep), X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    tls_server_free(serving.server);
    char *root = pem_of_certificate(&all.root), *middle = pem_of_certificate(&all.middle), *both;
    ck_assert_int_ge(asprintf(&both, "%s%s", middle, root), 0);
    text_write("ca.pem", both);
    serving_set(&serving, "client-ca", folder_path("ca.pem"));
    start();
    ck_assert(may_come(&deep));
    tls_server_free(serving.server);
    serving_set(&serving, "client-ca", folder_path("ca.pem"));
    serving_set(&serving, "client-depth", "0");
    start();
    ck_assert(!may_come(&deep));
    ck_assert(may_come(&all.client));
    free(root);
    free(middle);
    free(both);
    issued_free(&old);
    issued_free(&deep);
    authorities_end(&all);
}
END_TEST

static void use_list(const struct issued *authority, const struct issued *revoked, long ends)
{
    char *list = pem_of_revocations(authority, revoked, ends);
    text_write("crl.pem", list);
    free(list);
    tls_server_free(serving.server);
    serving_set(&serving, "client-ca", folder_path("ca.pem")); /* as a reload: both are read */
    serving_set(&serving, "client-crl", folder_path("crl.pem"));
    start();
}

START_TEST(revoked_clients_are_refused)
{
    struct authorities all = authorities_make();
    struct issued second = issue((struct request){.name = "second", .by = &all.root});
    use_list(&all.root, NULL, 3600);
    ck_assert(may_come(&all.client));
    use_list(&all.root, &all.client, 3600);
    ck_assert_int_eq(verdict(&all.client), X509_V_ERR_CERT_REVOKED);
    ck_assert(!may_come(&all.client));
    ck_assert(may_come(&second));
    use_list(&all.root, NULL, -60);
    ck_assert_int_eq(verdict(&second), X509_V_ERR_CRL_HAS_EXPIRED);
    use_list(&all.other, NULL, 3600);
    ck_assert_int_eq(verdict(&second), X509_V_ERR_UNABLE_TO_GET_CRL);
    issued_free(&second);
    authorities_end(&all);
}
END_TEST

/* --- resumption ---------------------------------------------------------------------------- */

/* All processes and machines have one key. */
static void set_ticket_key(void)
{
    char key[80];
    memset(key, 7, sizeof key);
    ck_assert_int_eq(
        (int)SSL_CTX_set_tlsext_ticket_keys(tls_server_context(serving.server), key, sizeof key),
        1);
}

/* The caller frees the session. */
static SSL_SESSION *session_of(struct visit visit)
{
    struct ends ends;
    ck_assert(shake_hands(&ends, visitor(&visit), tls_server_ssl(serving.server)));
    SSL_SESSION *session = SSL_get1_session(ends.client);
    SSL_shutdown(ends.client);
    SSL_shutdown(ends.server);
    ends_free(&ends);
    return session;
}

/* Resumes with a copy: a session of a ticket is used once. */
static bool resumes(const SSL_SESSION *session, struct visit visit)
{
    struct ends ends;
    visit.session = SSL_SESSION_dup(session);
    ck_assert(shake_hands(&ends, visitor(&visit), tls_server_ssl(serving.server)));
    bool reused = SSL_session_reused(ends.server);
    ends_free(&ends);
    SSL_SESSION_free(visit.session);
    return reused;
}

START_TEST(sessions_are_resumed_with_new_certificates)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (int i = 0; i < 2; i++) {
        const struct visit visit = {.version = versions[i], .name = "a.example"};
        serving_free(&serving);
        serving_init(&serving);
        use("one", "DNS:a.example", NULL);
        start();
        set_ticket_key();
        SSL_SESSION *session = session_of(visit);
        ck_assert(resumes(session, visit));
        serving_free(&serving);
        serving_init(&serving);
        use("two", "DNS:a.example", NULL);
        start();
        set_ticket_key();
        ck_assert(resumes(session, visit));
        tls_server_free(serving.server);
        serving.server = tls_server_new(&serving.frontend.tls, "g", (struct place){0}, NULL);
        set_ticket_key();
        ck_assert(!resumes(session, visit)); /* of another frontend */
        SSL_SESSION_free(session);
    }
}
END_TEST

START_TEST(without_tickets_nothing_is_resumed)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    use("one", "DNS:a.example", NULL);
    serving_set(&serving, "tls-tickets", "no");
    start();
    for (int i = 0; i < 2; i++) {
        const struct visit visit = {.version = versions[i]};
        SSL_SESSION *session = session_of(visit);
        ck_assert(!SSL_SESSION_has_ticket(session));
        ck_assert(!resumes(session, visit));
        SSL_SESSION_free(session);
    }
}
END_TEST

START_TEST(a_revocation_ends_the_tickets_of_before)
{
    struct authorities all = authorities_make();
    const struct visit visit = {.certificate = &all.client};
    use_list(&all.root, NULL, 3600);
    set_ticket_key();
    SSL_SESSION *session = session_of(visit);
    ck_assert(resumes(session, visit));
    struct issued second = issue((struct request){.name = "second", .by = &all.root});
    use_list(&all.root, &second, 3600);
    set_ticket_key();
    ck_assert(!resumes(session, visit)); /* verified anew, and still good */
    SSL_SESSION_free(session);
    issued_free(&second);
    authorities_end(&all);
}
END_TEST

/* --- compression --------------------------------------------------------------------------- */

/* Writes that many compression methods, each of one byte, in place of those in the hello. Returns
 * its new length. */
static size_t offer(unsigned char *hello, size_t length, const char *methods)
{
    const size_t at = compression_at(hello), before = 1 + (size_t)hello[at],
                 after = 1 + strlen(methods);
    memmove(hello + at + after, hello + at + before, length - at - before);
    hello[at] = (unsigned char)strlen(methods);
    for (size_t i = 0; methods[i]; i++)
        hello[at + 1 + i] = methods[i] == 'd'; /* deflate; or none */
    length += after - before;
    hello[3] = (unsigned char)((length - 5) >> 8);
    hello[4] = (unsigned char)(length - 5);
    hello[7] = (unsigned char)((length - 9) >> 8);
    hello[8] = (unsigned char)(length - 9);
    return length;
}

START_TEST(compression_is_refused)
{
    static const struct {
        int version;
        const char *methods; /* "d": deflate, "-": none */
        bool fails;
    } rows[] = {
        {TLS1_2_VERSION, "-", false}, {TLS1_2_VERSION, "d-", false}, {TLS1_2_VERSION, "d", true},
        {TLS1_3_VERSION, "-", false}, {TLS1_3_VERSION, "d-", true},
    };
    use("a", "DNS:a.example", NULL);
    start();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned char hello[2048], answer[8192];
        bool failed;
        SSL *client = visitor(&(struct visit){.name = "a.example", .version = rows[i].version}),
            *server = tls_server_ssl(serving.server);
        size_t length = first_flight(client, NULL, 0, hello, sizeof hello - 8, NULL);
        length = offer(hello, length, rows[i].methods);
        length = first_flight(server, hello, length, answer, sizeof answer, &failed);
        ck_assert_int_eq(failed, rows[i].fails);
        ck_assert_uint_gt(length, 5);
        ck_assert_int_eq(answer[0], rows[i].fails ? 21 : 22); /* an alert, or a ServerHello */
        if (!failed)
            ck_assert_int_eq(answer[compression_at(answer)], 0);
        SSL_free(client);
        SSL_free(server);
    }
}
END_TEST

Suite *tls_server_suite(void)
{
    Suite *suite = suite_create("tls_server");
    TCase *tcase = tcase_create("tls_server");
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, name_chooses_the_certificate);
    tcase_add_test(tcase, unknown_names_are_refused_if_the_option_says_so);
    tcase_add_test(tcase, type_of_key_is_what_the_client_can);
    tcase_add_test(tcase, wildcard_helps_where_the_name_has_no_such_key);
    tcase_add_test(tcase, many_names);
    tcase_add_test(tcase, defaults_are_the_intermediate_ones);
    tcase_add_test(tcase, versions_are_bounded);
    tcase_add_test(tcase, lists_of_ciphers_and_curves_count);
    tcase_add_test(tcase, weak_keys_are_refused_at_their_line);
    tcase_add_test(tcase, neither_renegotiation_nor_early_data);
    tcase_add_test(tcase, compression_is_refused);
    tcase_add_test(tcase, order_of_the_proxy_decides_the_protocol);
    tcase_add_test(tcase, without_the_option_nothing_is_answered);
    tcase_add_test(tcase, staple_is_given_until_it_is_out_of_date);
    tcase_add_test(tcase, clients_must_show_a_certificate);
    tcase_add_test(tcase, wrong_certificates_are_told_apart);
    tcase_add_test(tcase, revoked_clients_are_refused);
    tcase_add_test(tcase, sessions_are_resumed_with_new_certificates);
    tcase_add_test(tcase, without_tickets_nothing_is_resumed);
    tcase_add_test(tcase, a_revocation_ends_the_tickets_of_before);
    suite_add_tcase(suite, tcase);
    return suite;
}
