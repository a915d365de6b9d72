/* What a frontend accepts whose file says nothing of versions and ciphers, asked by openssl
 * s_client for each cipher that it has. */
#include "tests/system/scenarios.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/scene.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct scene scene;
static char target[32];

static void make_certificate(const char *name, const char *key)
{
    struct outcome outcome;
    char pem[PATH_MAX], key_path[PATH_MAX], file[64];
    snprintf(file, sizeof file, "%s.pem", name);
    test_path(pem, file);
    snprintf(file, sizeof file, "%s.pem.key", name);
    test_path(key_path, file);
    run(&outcome, "openssl", "req", "-x509", "-newkey", key, "-pkeyopt",
        strcmp(key, "ec") == 0 ? "ec_paramgen_curve:P-256" : "rsa_keygen_bits:2048", "-nodes",
        "-days", "2", "-subj", "/CN=test", "-addext", "subjectAltName=DNS:a.test", "-keyout",
        key_path, "-out", pem, NULL);
    ck_assert_msg(outcome.code == 0, "openssl: %s", outcome.err);
}

static void start(void)
{
    make_certificate("ec", "ec");
    make_certificate("rsa", "rsa");
    scene_init(&scene);
    proxy_configure(&scene.proxy,
                    "[listen main]\nbind = 127.0.0.1:%u tls=yes\ncertificate "
                    "= ec.pem rsa.pem\n"
                    "server = a 127.0.0.1:%u\n",
                    scene.port, scene.server_port);
    proxy_start(&scene.proxy);
    snprintf(target, sizeof target, "127.0.0.1:%u", scene.port);
}

/* The sessions that the kernel keeps for the server are reset. */
static void stop(void)
{
    close(scene.listener);
    proxy_stop(&scene.proxy);
}

/* Whether the handshake is done, with that version and cipher. */
static bool comes_in(const char *version, const char *option, const char *cipher)
{
    struct outcome outcome;
    run(&outcome, "openssl", "s_client", "-connect", target, "-servername", "a.test", version,
        option, cipher, NULL);
    return strstr(outcome.out, "Cipher is (NONE)") == NULL && outcome.code == 0;
}

static bool is_one_of(const char *word, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(word, *list) == 0)
            return true;
    return false;
}

/* Every cipher of that version that the program has: those of the list come in, and no others. */
static void only(const char *version, const char *option, const char *const *accepted)
{
    struct outcome ciphers;
    unsigned count = 0, good = 0;
    run(&ciphers, "openssl", "ciphers", "-s", version, "ALL:COMPLEMENTOFALL:@SECLEVEL=0", NULL);
    ck_assert_int_eq(ciphers.code, 0);
    for (char *rest, *word = strtok_r(ciphers.out, ":\n", &rest); word;
         word = strtok_r(NULL, ":\n", &rest), count++) {
        char cipher[128];
        if (strncmp(word, "TLS_", 4) == 0)
            continue; /* of TLS 1.3 */
        snprintf(cipher, sizeof cipher, "%s:@SECLEVEL=0", word);
        const bool in = comes_in(version, option, cipher);
        ck_assert_msg(in == is_one_of(word, accepted), "%s %s", word,
                      in ? "is accepted" : "is refused");
        good += in;
    }
    ck_assert_uint_gt(count, good);
    for (; *accepted; accepted++)
        good--;
    ck_assert_uint_eq(good, 0);
}

START_TEST(ciphers_of_tls_1_2)
{
    static const char *const intermediate[] = {"ECDHE-ECDSA-AES128-GCM-SHA256",
                                               "ECDHE-RSA-AES128-GCM-SHA256",
                                               "ECDHE-ECDSA-AES256-GCM-SHA384",
                                               "ECDHE-RSA-AES256-GCM-SHA384",
                                               "ECDHE-ECDSA-CHACHA20-POLY1305",
                                               "ECDHE-RSA-CHACHA20-POLY1305",
                                               NULL};
    start();
    only("-tls1_2", "-cipher", intermediate);
    stop();
}
END_TEST

START_TEST(other_versions)
{
    start();
    ck_assert(comes_in("-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"));
    ck_assert(comes_in("-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"));
    ck_assert(comes_in("-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"));
    ck_assert(!comes_in("-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256"));
    ck_assert(!comes_in("-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_8_SHA256"));
    ck_assert(!comes_in("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"));
    ck_assert(!comes_in("-tls1", "-cipher", "ALL:@SECLEVEL=0"));
    stop();
}
END_TEST

START_TEST(curves)
{
    start();
    ck_assert(comes_in("-tls1_2", "-curves", "X25519"));
    ck_assert(comes_in("-tls1_2", "-curves", "P-256"));
    ck_assert(comes_in("-tls1_3", "-curves", "P-384:P-256"));
    ck_assert(!comes_in("-tls1_3", "-curves", "P-521"));
    ck_assert(!comes_in("-tls1_3", "-curves", "X448"));
    stop();
}
END_TEST

/* What s_client of Debian cannot ask: SSL 2 and 3, and known weaknesses of servers. */
START_TEST(what_a_scanner_says)
{
    static const char *const lines[] = {"SSLv2     disabled",
                                        "SSLv3     disabled",
                                        "TLSv1.0   disabled",
                                        "TLSv1.1   disabled",
                                        "TLSv1.2   enabled",
                                        "TLSv1.3   enabled",
                                        "Server supports TLS Fallback SCSV",
                                        "TLSv1.3 not vulnerable to heartbleed",
                                        "TLSv1.2 not vulnerable to heartbleed"};
    if (!program_exists("sslscan")) {
        skip_test("no sslscan");
    }
    struct outcome outcome;
    unsigned ciphers = 0;
    start();
    run(&outcome, "sslscan", "--no-colour", "--show-sigs", target, NULL);
    ck_assert_int_eq(outcome.code, 0);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        ck_assert_msg(strstr(outcome.out, lines[i]) != NULL, "no '%s'", lines[i]);
    for (const char *at = outcome.out; (at = strstr(at, " bits  ")); at++)
        ciphers += strncmp(at, " bits  TLS_", 11) == 0 || strncmp(at, " bits  ECDHE-", 13) == 0;
    ck_assert_uint_eq(ciphers, 3 + 6);
    ck_assert_ptr_null(strstr(outcome.out, "sha1"));
    stop();
}
END_TEST

Suite *tls_defaults_suite(void)
{
    Suite *suite = suite_create("tls_defaults");
    scenario_add(suite, ciphers_of_tls_1_2, 240);
    scenario_add(suite, other_versions, 120);
    scenario_add(suite, curves, 120);
    scenario_add(suite, what_a_scanner_says, 240);
    return suite;
}
