/* The options of TLS in a file: what they become, and which line is wrong. */
#include "config/load.h"
#include "config/options/foreign_names.h"
#include "config/tls/certificate_store.h"
#include "config/tls/tls_server.h"
#include "config/tls/tls_target.h"
#include "config/write.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"
#include "tests/unit/support/issued.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FRONTEND "[frontend f]\nbind = 127.0.0.1:1 tls=yes\nbackend = b\n"
#define PLAIN    "[frontend f]\nbind = 127.0.0.1:1\nbackend = b\n"
#define BACKEND  "[backend b]\nserver = a 127.0.0.1:2\n"

static void begin(void)
{
    folder_make();
    struct issued root = issue((struct request){.name = "root", .authority = true});
    struct issued weak = issue((struct request){.name = "weak", .key = "RSA-1024"});
    struct issued old = issue((struct request){.name = "old", .begins = -7200, .ends = -3600});
    char *pem = pem_of_certificate(&root), *list = pem_of_revocations(&root, NULL, -60);
    ck_assert_int_eq(mkdir(folder_path("certs"), 0700), 0);
    ck_assert_int_eq(mkdir(folder_path("with space"), 0700), 0);
    issued_write_new("a.pem", "DNS:a.example");
    issued_write_new("certs/b.pem", "DNS:b.example");
    issued_write_new("certs/c.pem", "DNS:c.example");
    issued_write_new("with space/d.pem", "DNS:d.example");
    issued_write("weak.pem", &weak);
    issued_write("old.pem", &old);
    text_write("ca.pem", pem);
    text_write("tickets", "QUFBQUFBQUFBQUFBQUFBQUJCQkJCQkJCQkJCQkJCQkJDQ0NDQ0NDQ0NDQ0NDQ0ND\n");
    ck_assert_int_eq(chmod(folder_path("tickets"), 0600), 0);
    text_write("crl.pem", list);
    free(pem);
    free(list);
    issued_free(&root);
    issued_free(&weak);
    issued_free(&old);
}

static void names_are(const struct config *config, const char *names)
{
    char text[512] = "";
    const struct tls_server *server = config->frontends[0].tls_server;
    ck_assert_ptr_nonnull(server);
    for (size_t i = 0; i < tls_server_count(server); i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "",
                 tls_server_certificate(server, i)->names.list[0]);
    ck_assert_str_eq(text, names);
}

START_TEST(certificates_of_a_frontend)
{
    struct config *config = load_good(FRONTEND "certificate = certs a.pem\n"
                                               "certificate = \"with space/d.pem\"\n" BACKEND);
    names_are(config, "b.example c.example a.example d.example");
    ck_assert(config->frontends[0].binds[0].tls);
    config_free(config);
    config = load_good("[defaults]\ncertificate = a.pem\n" FRONTEND BACKEND);
    names_are(config, "a.example");
    config_free(config);
    config =
        load_good("[defaults]\ncertificate = a.pem\n" FRONTEND "certificate = certs\n" BACKEND);
    names_are(config, "b.example c.example");
    config_free(config);
    config = load_good(PLAIN "certificate = a.pem\n" BACKEND);
    ck_assert_ptr_null(config->frontends[0].tls_server);
    config_free(config);
}
END_TEST

START_TEST(defaults)
{
    struct config *config = load_good(FRONTEND "certificate = a.pem\n" BACKEND);
    const struct tls_conf *conf = &config->frontends[0].tls;
    ck_assert_int_eq(conf->min, TLS_VERSION_1_2);
    ck_assert_int_eq(conf->max, TLS_VERSION_1_3);
    ck_assert_uint_eq(conf->timeout, 10000);
    ck_assert_uint_eq(conf->handshakes, 0);
    ck_assert_uint_eq(conf->client_depth, 9);
    ck_assert(conf->tickets);
    ck_assert_uint_eq(conf->alpn.count, 0);
    ck_assert_ptr_null(config->backends[0].servers[0].tls);
    config_free(config);
}
END_TEST

/* The configuration of another process: its text says the same, and no file is opened. */
START_TEST(written_options_mean_the_same)
{
    struct config_errors errors;
    size_t length, again_length;
    struct config *config = load_good(
        FRONTEND
        "certificate = a.pem\ncertificate = \"with space/d.pem\" \"key=with space/d.pem\"\n"
        "tls-min = 1.3\ntls-curves = P-256\ntls-alpn = h2, http/1.1\ntls-ticket-keys = tickets\n"
        "tls-unknown-name = reject\ntls-timeout = 3s\ntls-handshakes = 7\n"
        "client-ca = ca.pem\nclient-verify = optional\nclient-depth = 1\n"
        "[backend b]\nserver = a 127.0.0.1:2 tls=yes verify=ca.pem sni=s.example "
        "verify-name=10.0.0.1 alpn=h2,imap cert=a.pem\n"
        "server = c x.example:2 tls=yes verify=none\n"
        "server = d x.example:2 tls=yes verify=system\n"
        "check = tls\ncheck-cert = a.pem\ncheck-alpn = h2, imap\n");
    ck_assert_str_eq(tls_target_verified(config->backends[0].servers[0].tls), "10.0.0.1");
    ck_assert_ptr_null(tls_target_verified(config->backends[0].servers[1].tls));
    ck_assert_str_eq(tls_target_verified(config->backends[0].servers[2].tls), "x.example");
    char *text = config_text(config, &length);
    ck_assert_ptr_nonnull(strstr(text, "bind = 127.0.0.1:1 accept=sharded steer=hash tls=yes\n"));
    ck_assert_ptr_nonnull(strstr(text, "\ntls-alpn = h2,http/1.1\n"));
    ck_assert_ptr_nonnull(strstr(text, "\ncheck-alpn = h2,imap\n"));
    ck_assert_ptr_nonnull(strstr(text, "/a.pem\ncheck-alpn"));
    ck_assert_ptr_nonnull(strstr(text, ": a.example, until 20"));
    ck_assert_ptr_nonnull(strstr(text, "/tickets\n"));
    ck_assert_ptr_null(strstr(text, "PRIVATE"));
    ck_assert_ptr_null(strstr(text, "QUFB"));
    folder_remove();
    struct config *again = config_load_text("running", text, length, &errors);
    ck_assert_msg(again != NULL, "%s", errors.count ? errors.lines[0] : "");
    ck_assert_ptr_null(again->frontends[0].tls_server);
    ck_assert_ptr_null(again->backends[0].servers[0].tls);
    char *twice = config_text(again, &again_length);
    char *comments = strstr(text, "\n\n; certificate ");
    ck_assert_ptr_nonnull(comments);
    ck_assert_int_eq(strncmp(text, twice, (size_t)(comments - text)), 0);
    free(text);
    free(twice);
    config_free(config);
    config_free(again);
    begin();
}
END_TEST

/* --- mistakes ------------------------------------------------------------------------------ */

static const struct {
    const char *text, *error; /* the first error must begin so */
} mistakes[] = {
    {FRONTEND BACKEND, "p.ini:2: bind: tls=yes needs a certificate; add 'certificate = FILE'"},
    {FRONTEND "certificate = none.pem\n" BACKEND,
     "p.ini:4: certificate: none.pem: cannot be read: No such file or directory"},
    {PLAIN "certificate = ca.pem\n" BACKEND,
     "p.ini:4: certificate: ca.pem: has no private key, and there is no file ca.pem.key"},
    {PLAIN "certificate = key=a.pem\n" BACKEND,
     "p.ini:4: certificate: 'key=a.pem' must be FILE, FILE key=FILE or FOLDER"},
    {PLAIN "certificate = a.pem key=\n" BACKEND, "p.ini:4: certificate: 'a.pem key=' needs a file"},
    {PLAIN "certificate = \"a.pem\n" BACKEND,
     "p.ini:4: certificate: '\"a.pem' a double quote is not closed"},
    {FRONTEND "certificate = weak.pem\ntls-ciphers = ECDHE+AESGCM:@SECLEVEL=2\n" BACKEND,
     "p.ini:4: certificate: weak.pem: "},
    {FRONTEND "certificate = a.pem\ntls-min = 1.3\ntls-max = 1.2\n" BACKEND,
     "p.ini:5: tls-min is higher than tls-max"},
    {PLAIN "tls-min = 1.1\n" BACKEND, "p.ini:4: tls-min: '1.1' must be 1.2 or 1.3"},
    {PLAIN "tls-ciphers = ECDHE+AESGCM:NONSENSE\n" BACKEND,
     "p.ini:4: tls-ciphers: 'ECDHE+AESGCM:NONSENSE' has 'NONSENSE', which is no cipher of TLS 1.2"},
    {PLAIN "tls-ciphers = TLS_AES_128_GCM_SHA256\n" BACKEND, "p.ini:4: tls-ciphers: "},
    {PLAIN "tls-ciphers = ECDHE+AESGCM:!AESGCM\n" BACKEND,
     "p.ini:4: tls-ciphers: 'ECDHE+AESGCM:!AESGCM' leaves no cipher of TLS 1.2"},
    {PLAIN "tls-ciphersuites = TLS_AES_128_GCM_SHA256:AES128-SHA\n" BACKEND,
     "p.ini:4: tls-ciphersuites: 'TLS_AES_128_GCM_SHA256:AES128-SHA' has 'AES128-SHA'"},
    {PLAIN "tls-ciphersuites = :\n" BACKEND, "p.ini:4: tls-ciphersuites: ':' must name"},
    {PLAIN "tls-curves = X25519:P-255\n" BACKEND,
     "p.ini:4: tls-curves: 'X25519:P-255' has 'P-255', which is no curve that OpenSSL knows"},
    {PLAIN "tls-alpn = h2,h2\n" BACKEND, "p.ini:4: tls-alpn: 'h2,h2' has 'h2' twice"},
    {PLAIN "tls-alpn = ,\n" BACKEND, "p.ini:4: tls-alpn: ',' must be names of protocols"},
    {PLAIN "tls-unknown-name = deny\n" BACKEND, "p.ini:4: tls-unknown-name: 'deny' must be"},
    {PLAIN "client-ca = none.pem\n" BACKEND,
     "p.ini:4: client-ca: 'none.pem' cannot be read: No such file or directory"},
    {PLAIN "client-ca = crl.pem\n" BACKEND, "p.ini:4: client-ca: 'crl.pem' has no certificate"},
    {PLAIN "client-crl = a.pem\n" BACKEND,
     "p.ini:4: client-crl: 'a.pem' has no revocation list (PEM)"},
    {PLAIN "tls-ticket-keys = none\n" BACKEND,
     "p.ini:4: tls-ticket-keys: none: cannot be read: No such file or directory"},
    {PLAIN "tls-ticket-keys = ca.pem\n" BACKEND,
     "p.ini:4: tls-ticket-keys: ca.pem:1: must be 48 or 80 bytes in base64"},
    {FRONTEND "certificate = a.pem\ntls-ticket-keys = ca.pem\n" BACKEND,
     "p.ini:5: tls-ticket-keys: ca.pem:1: must be"},
    {PLAIN "tls-ticket-keys =\n" BACKEND, "p.ini:4: tls-ticket-keys: value is missing"},
    {PLAIN "client-verify = none\n" BACKEND, "p.ini:4: client-verify: 'none' must be required or"},
    {PLAIN "[backend b]\nserver = a 127.0.0.1:2 tls=yes\n",
     "p.ini:5: server: tls=yes needs verify=FILE (its authorities), verify=system (those of the "
     "system) or verify=none"},
    {PLAIN "[backend b]\nserver = a 127.0.0.1:2 tls=yes verify=none.pem\n",
     "p.ini:5: server: verify 'none.pem' cannot be read: No such file or directory"},
    {PLAIN "[backend b]\nserver = a 127.0.0.1:2 verify=none\n",
     "p.ini:5: server: verify is possible only with tls=yes"},
    {PLAIN "[backend b]\nserver = a 127.0.0.1:2 crl=crl.pem\n",
     "p.ini:5: server: crl is possible only with tls=yes"},
    {PLAIN "[backend b]\nserver = a 127.0.0.1:2 tls=yes verify=none crl=crl.pem\n",
     "p.ini:5: server: crl has no effect with verify=none"},
    {PLAIN "[backend b]\nserver = a 127.0.0.1:2 tls=yes verify=system crl=a.pem\n",
     "p.ini:5: server: crl 'a.pem' has no revocation list (PEM)"},
    {PLAIN "[backend b]\nserver = a 127.0.0.1:2\ncheck = tls\ncheck-crl = crl.pem\n",
     "p.ini:6: check-crl needs check-verify"},
    {PLAIN "[backend b]\nserver = a 127.0.0.1:2\ncheck = tcp\ncheck-verify = none\n"
           "check-crl = crl.pem\n",
     "p.ini:6: check-crl needs check-verify"},
    {PLAIN "[backend b]\nserver = a 127.0.0.1:2\ncheck = http\ncheck-cert = a.pem\n",
     "p.ini:6: check-cert has no effect without check-tls = yes or check = tls"},
    {PLAIN "[backend b]\nserver = a 127.0.0.1:2\ncheck = http\ncheck-alpn = h2\n",
     "p.ini:6: check-alpn has no effect without check-tls = yes or check = tls"},
    {PLAIN "[backend b]\nserver = a 127.0.0.1:2\ncheck = tls\ncheck-cert = none.pem\n",
     "p.ini:7: check-cert: none.pem: cannot be read"},
    {PLAIN "[backend b]\nserver = a 127.0.0.1:2 sni=x\n",
     "p.ini:5: server: sni is possible only with tls=yes"},
    {PLAIN "[backend b]\nserver = a 127.0.0.1:2 cert=a.pem\n",
     "p.ini:5: server: cert is possible only with tls=yes"},
    {PLAIN "[backend b]\nserver = a 127.0.0.1:2 tls=yes verify=none cert=certs\n",
     "p.ini:5: server: cert 'certs' must be a file"},
    {PLAIN "[backend b]\nserver = a 127.0.0.1:2 tls=yes verify=none verify-name=x\n",
     "p.ini:5: server: verify-name has no effect with verify=none"},
    {PLAIN "[backend b]\nserver = a 127.0.0.1:2 tls=yes verify=none sni=10.0.0.1\n",
     "p.ini:5: server: sni '10.0.0.1' must be the name of a host"},
    {PLAIN "[backend b]\nserver = a 127.0.0.1:2 tls=yes verify=none sni=b\303\274cher.example\n",
     "p.ini:5: server: sni 'b"},
    {PLAIN "[backend b]\nserver = a srv:_x._tcp.example tls=yes verify=system\n",
     "p.ini:5: server: tls=yes with srv:NAME needs sni=NAME or verify-name=NAME"},
    {PLAIN "[backend b]\nserver = a unix:/x tls=yes verify=system\n",
     "p.ini:5: server: tls=yes to a Unix socket needs sni=NAME or verify-name=NAME"},
    {PLAIN "[backend b]\nserver = a sni:443 allow=*.example tls=yes verify=none\n",
     "p.ini:5: server: tls=yes is not possible for a server sni:PORT"},
};

START_TEST(mistake_is_an_error_of_its_line)
{
    struct loaded loaded = load_text(mistakes[_i].text);
    ck_assert_msg(strncmp(loaded.errors, mistakes[_i].error, strlen(mistakes[_i].error)) == 0,
                  "%s\n%s", mistakes[_i].error, loaded.errors);
    ck_assert_msg(loaded.error_count == 1, "%s", loaded.errors);
    loaded_free(&loaded);
}
END_TEST

static const struct {
    const char *text, *warnings; /* a line must begin so; "": there is none */
} warned[] = {
    {FRONTEND "certificate = a.pem\n" BACKEND, ""},
    {FRONTEND "certificate = a.pem\ntls-tickets = no\ntls-ticket-keys = tickets\n" BACKEND,
     "p.ini:6: warning: tls-ticket-keys has no effect without a bind with tls=yes and tls-tickets"},
    {PLAIN "certificate = a.pem\n" BACKEND,
     "p.ini:4: warning: certificate has no effect without a bind with tls=yes"},
    {"[defaults]\ncertificate = a.pem\n" PLAIN BACKEND,
     "p.ini:2: warning: certificate has no effect without a bind with tls=yes"},
    {PLAIN "tls-timeout = 3s\n" BACKEND,
     "p.ini:4: warning: tls-timeout has no effect without a bind with tls=yes"},
    {FRONTEND "certificate = a.pem\nclient-verify = optional\n" BACKEND,
     "p.ini:5: warning: client-verify has no effect without a bind with tls=yes and client-ca"},
    {FRONTEND "certificate = a.pem\ntls-min = 1.3\ntls-ciphers = ECDHE+AESGCM\n" BACKEND,
     "p.ini:6: warning: tls-ciphers has no effect without a bind with tls=yes and TLS 1.2"},
    {FRONTEND "certificate = old.pem\n" BACKEND,
     "p.ini:4: warning: certificate: old.pem: the certificate expired at 20"},
    {FRONTEND "certificate = a.pem\nclient-ca = ca.pem\nclient-crl = crl.pem\n" BACKEND,
     "p.ini:6: warning: client-crl: crl.pem: revocation list 1 is out of date: every client"},
    {PLAIN "[backend b]\nserver = a 127.0.0.1:2 tls=yes verify=ca.pem crl=crl.pem\n",
     "p.ini:5: warning: server: crl: crl.pem: revocation list 1 is out of date: every server"},
    {PLAIN "[backend b]\nserver = a 127.0.0.1:2\ncheck = tls\ncheck-verify = ca.pem\n"
           "check-crl = crl.pem\n",
     "p.ini:8: warning: check-crl: crl.pem: revocation list 1 is out of date: every server"},
};

START_TEST(what_is_hardly_meant_is_a_warning)
{
    struct loaded loaded = load_text(warned[_i].text);
    const char *wanted = warned[_i].warnings;
    ck_assert_msg(loaded.error_count == 0, "%s", loaded.errors);
    ck_assert_msg(*wanted ? strncmp(loaded.warnings, wanted, strlen(wanted)) == 0
                          : !*loaded.warnings,
                  "%s\n%s", wanted, loaded.warnings);
    loaded_free(&loaded);
}
END_TEST

static bool is_named(const struct named_files *named, const char *name)
{
    for (size_t i = 0; i < named->count; i++)
        if (strcmp(named->items[i].pattern, folder_path(name)) == 0)
            return true;
    return false;
}

/* --watch-files sees a new file of a folder, and a key that is replaced. */
START_TEST(files_beside_a_certificate_are_named)
{
    static const char *const names[] = {"certs", "certs/*", "a.pem", "a.pem.key",
                                        "a.key", "a.ocsp",  "ca.pem"};
    static const char text[] = PLAIN "certificate = certs a.pem\nclient-ca = ca.pem\n" BACKEND;
    struct config_errors errors;
    text_write("p.ini", text);
    struct config *config = config_load(folder_path("p.ini"), &errors);
    ck_assert_ptr_nonnull(config);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        ck_assert_msg(is_named(&errors.named, names[i]), "%s", names[i]);
    config_errors_free(&errors);
    config_free(config);
}
END_TEST

/* Not the frontends that have it from there. */
START_TEST(mistake_in_defaults_is_told_once)
{
    struct loaded loaded =
        load_text("[defaults]\ncertificate = none.pem\ntls-curves = x\n" FRONTEND BACKEND
                  "[frontend g]\nbind = 127.0.0.1:3 tls=yes\nbackend = b\n");
    ck_assert_msg(loaded.error_count == 2, "%s", loaded.errors);
    loaded_free(&loaded);
}
END_TEST

START_TEST(words_of_others_lead_to_these)
{
    static const struct {
        enum foreign_kind kind;
        const char *name, *ours;
    } rows[] = {
        {FOREIGN_ATTRIBUTE, "ssl", "tls=yes"},
        {FOREIGN_ATTRIBUTE, "crt", "certificate = FILE"},
        {FOREIGN_ATTRIBUTE, "ca-file", "client-ca = FILE"},
        {FOREIGN_ATTRIBUTE, "ssl-min-ver", "tls-min"},
        {FOREIGN_ATTRIBUTE, "strict-sni", "tls-unknown-name = reject"},
        {FOREIGN_KEY, "ssl_certificate", "certificate"},
        {FOREIGN_KEY, "ssl_certificate_key", "certificate = FILE key=FILE"},
        {FOREIGN_KEY, "ssl_verify_client", "client-verify"},
        {FOREIGN_KEY, "ssl-default-bind-ciphers", "tls-ciphers"},
        {FOREIGN_KEY, "proxy_ssl", "tls=yes"},
        {FOREIGN_KEY, "proxy_ssl_name", "sni=NAME"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *ours = foreign_name(rows[i].kind, rows[i].name);
        ck_assert_msg(ours && strstr(ours, rows[i].ours), "%s: %s", rows[i].name, ours);
    }
}
END_TEST

Suite *tls_options_suite(void)
{
    Suite *suite = suite_create("tls_options");
    TCase *tcase = tcase_create("tls_options");
    tcase_add_checked_fixture(tcase, begin, folder_remove);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, certificates_of_a_frontend);
    tcase_add_test(tcase, defaults);
    tcase_add_test(tcase, written_options_mean_the_same);
    tcase_add_loop_test(tcase, mistake_is_an_error_of_its_line, 0,
                        (int)(sizeof mistakes / sizeof *mistakes));
    tcase_add_loop_test(tcase, what_is_hardly_meant_is_a_warning, 0,
                        (int)(sizeof warned / sizeof *warned));
    tcase_add_test(tcase, files_beside_a_certificate_are_named);
    tcase_add_test(tcase, mistake_in_defaults_is_told_once);
    tcase_add_test(tcase, words_of_others_lead_to_these);
    suite_add_tcase(suite, tcase);
    return suite;
}
