/* Certificates in PEM files and folders. */
#include "config/tls/certificate.h"

#include "config/tls/certificate_store.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"
#include "tests/unit/support/issued.h"

#include <check.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *path_of(const char *file)
{
    return strdup(folder_path(file));
}

static struct certificate *read_good(const char *file, const char *key)
{
    struct certificate *certificate = NULL;
    char *path = path_of(file), *key_path = key ? path_of(key) : NULL;
    const char *wrong = certificate_read(path, key_path, NULL, &certificate);
    ck_assert_msg(!wrong, "%s", wrong);
    free(path);
    free(key_path);
    return certificate;
}

/* What is wrong must begin with the path of `culprit`, and contain the text. */
static void is_wrong(const char *file, const char *culprit, const char *text)
{
    struct certificate *certificate = NULL;
    char *path = path_of(file), *begin = path_of(culprit);
    const char *wrong = certificate_read(path, NULL, NULL, &certificate);
    ck_assert_msg(wrong != NULL, "%s is read", file);
    ck_assert_msg(strncmp(wrong, begin, strlen(begin)) == 0, "%s", wrong);
    ck_assert_msg(strstr(wrong, text) != NULL, "%s", wrong);
    free(path);
    free(begin);
}

static void has_names(const char *alternatives, const char *names)
{
    char text[1024] = "";
    struct issued issued =
        issue((struct request){.name = "Common.Example", .alternatives = alternatives});
    issued_write("n.pem", &issued);
    struct certificate *certificate = read_good("n.pem", NULL);
    for (size_t i = 0; i < certificate->names.count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "",
                 certificate->names.list[i]);
    ck_assert_str_eq(text, names);
    certificate_free(certificate);
    issued_free(&issued);
}

START_TEST(names_are_those_of_the_alternatives)
{
    has_names("DNS:A.example,DNS:*.B.example", "a.example *.b.example");
    has_names("DNS:xn--bcher-kva.example,IP:10.0.0.1,email:a@b.example", "xn--bcher-kva.example");
    has_names(NULL, "common.example");
    has_names("IP:10.0.0.1", "");
    has_names("DNS:f*.example,DNS:a b,DNS:ok.example.", "ok.example");
}
END_TEST

START_TEST(types_of_keys)
{
    static const struct {
        const char *key, *text;
    } rows[] = {{"P-256", "ECDSA P-256"},
                {"P-384", "ECDSA P-384"},
                {"RSA-2048", "RSA 2048"},
                {"ED25519", "Ed25519"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct issued issued = issue((struct request){.name = "x", .key = rows[i].key});
        issued_write("k.pem", &issued);
        struct certificate *certificate = read_good("k.pem", NULL);
        ck_assert_str_eq(certificate->key_type, rows[i].text);
        ck_assert_str_eq(certificate->subject, "CN=x");
        ck_assert_uint_eq(strlen(certificate->print), 64);
        ck_assert_int_gt(certificate->not_after, time(NULL));
        ck_assert_int_lt(certificate->not_before, time(NULL));
        ck_assert_ptr_null(certificate_warning(certificate, time(NULL)));
        certificate_free(certificate);
        issued_free(&issued);
    }
}
END_TEST

START_TEST(key_is_in_the_file_or_beside_it)
{
    struct issued issued = issue((struct request){.name = "x"});
    char *certificate = pem_of_certificate(&issued), *key = pem_of_key(&issued), *text;
    ck_assert_int_ge(asprintf(&text, "a comment\n%s%s", key, certificate), 0);
    text_write("first.pem", text);
    certificate_free(read_good("first.pem", NULL));
    text_write("site.crt", certificate);
    is_wrong("site.crt", "site.crt", "has no private key, and there is no file");
    text_write("site.key", key);
    certificate_free(read_good("site.crt", NULL));
    text_write("site.crt.key", "rubbish"); /* comes first */
    is_wrong("site.crt", "site.crt.key", "has no private key (PEM)");
    text_write("site.crt.key", key);
    unlink(folder_path("site.key"));
    certificate_free(read_good("site.crt", NULL));
    text_write("elsewhere", key);
    unlink(folder_path("site.crt.key"));
    certificate_free(read_good("site.crt", "elsewhere"));
    free(certificate);
    free(key);
    free(text);
    issued_free(&issued);
}
END_TEST

START_TEST(chain_follows_the_certificate)
{
    struct issued root = issue((struct request){.name = "root", .authority = true});
    struct issued leaf = issue((struct request){.name = "leaf", .by = &root});
    char *one = pem_of_certificate(&leaf), *two = pem_of_certificate(&root);
    char *key = pem_of_key(&leaf), *text;
    ck_assert_int_ge(asprintf(&text, "%s%s%s", one, key, two), 0);
    text_write("c.pem", text);
    struct certificate *certificate = read_good("c.pem", NULL);
    ck_assert_int_eq(sk_X509_num(certificate->chain), 1);
    ck_assert_str_eq(certificate->subject, "CN=leaf");
    certificate_free(certificate);
    free(text);
    ck_assert_int_ge(asprintf(&text, "%s%s%s", two, one, key), 0);
    text_write("c.pem", text);
    is_wrong("c.pem", "c.pem", "the key is that of certificate 2");
    free(text);
    ck_assert_int_ge(asprintf(&text,
                              "%s%s-----BEGIN CERTIFICATE-----\nMIIB\n"
                              "-----END CERTIFICATE-----\n",
                              one, key),
                     0);
    text_write("c.pem", text);
    is_wrong("c.pem", "c.pem", "certificate 2: ");
    free(text);
    free(one);
    free(two);
    free(key);
    issued_free(&leaf);
    issued_free(&root);
}
END_TEST

static void write_encrypted(const char *file, const struct issued *issued, const char *certificate)
{
    char *bytes;
    BIO *bio = BIO_new(BIO_s_mem());
    BIO_puts(bio, certificate);
    PEM_write_bio_PrivateKey(bio, issued->key, EVP_aes_128_cbc(), (const unsigned char *)"secret",
                             6, NULL, NULL);
    long length = BIO_get_mem_data(bio, &bytes);
    folder_write(file, bytes, (size_t)length);
    BIO_free(bio);
}

START_TEST(mistakes_in_files_are_named)
{
    struct issued issued = issue((struct request){.name = "x"});
    struct issued other = issue((struct request){.name = "y"});
    char *certificate = pem_of_certificate(&issued), *key = pem_of_key(&other), *text;
    is_wrong("none.pem", "none.pem", "cannot be read: No such file or directory");
    ck_assert_int_eq(mkdir(folder_path("folder"), 0700), 0);
    is_wrong("folder", "folder", "cannot be read: Is a directory");
    ck_assert_int_eq(mkfifo(folder_path("fifo"), 0600), 0);
    is_wrong("fifo", "fifo", "cannot be read: not a regular file");
    text_write("e.pem", "");
    is_wrong("e.pem", "e.pem", "has no certificate (PEM)");
    text_write("e.pem", key);
    is_wrong("e.pem", "e.pem", "has no certificate (PEM)");
    ck_assert_int_ge(asprintf(&text, "%s%s", certificate, key), 0);
    text_write("e.pem", text);
    is_wrong("e.pem", "e.pem", "the key is not that of the certificate");
    text_write("f.pem", certificate);
    text_write("f.key", key);
    is_wrong("f.pem", "f.key", "the key is not that of the certificate in ");
    text[strlen(certificate) / 2] = '!';
    text_write("e.pem", text);
    is_wrong("e.pem", "e.pem", "certificate 1: ");
    free(text);
    ck_assert_int_ge(asprintf(&text,
                              "%s-----BEGIN PRIVATE KEY-----\nTUlJ\n-----END PRIVATE KEY-----\n",
                              certificate),
                     0);
    text_write("e.pem", text);
    is_wrong("e.pem", "e.pem", "the key is broken");
    free(text);
    write_encrypted("e.pem", &issued, certificate);
    is_wrong("e.pem", "e.pem", "the key is encrypted");
    text = calloc(1, CERTIFICATE_BYTES_MAX + 1);
    folder_write("e.pem", text, CERTIFICATE_BYTES_MAX + 1);
    is_wrong("e.pem", "e.pem", "is larger than 1024 KiB");
    free(text);
    free(certificate);
    free(key);
    issued_free(&issued);
    issued_free(&other);
}
END_TEST

START_TEST(time_is_warned_of)
{
    struct issued old = issue((struct request){.name = "x", .begins = -7200, .ends = -3600});
    struct issued new = issue((struct request){.name = "x", .begins = 3600, .ends = 7200});
    issued_write("old.pem", &old);
    issued_write("new.pem", &new);
    struct certificate *certificate = read_good("old.pem", NULL);
    const char *warning = certificate_warning(certificate, time(NULL));
    ck_assert_ptr_nonnull(warning);
    ck_assert_ptr_nonnull(strstr(warning, "old.pem: the certificate expired at 20"));
    certificate_free(certificate);
    certificate = read_good("new.pem", NULL);
    warning = certificate_warning(certificate, time(NULL));
    ck_assert_ptr_nonnull(warning);
    ck_assert_ptr_nonnull(strstr(warning, "is not valid before 20"));
    certificate_free(certificate);
    issued_free(&old);
    issued_free(&new);
}
END_TEST

START_TEST(staple_is_beside_the_file)
{
    struct issued root = issue((struct request){.name = "root", .authority = true});
    struct issued leaf = issue((struct request){.name = "leaf", .by = &root});
    struct issued other = issue((struct request){.name = "other", .by = &root});
    issued_write("s.pem", &leaf);
    staple_write("s.ocsp", &leaf, &root, 3600);
    struct certificate *certificate = read_good("s.pem", NULL);
    ck_assert_ptr_nonnull(certificate->ocsp);
    ck_assert_int_gt(certificate->ocsp_until, time(NULL) + 3000);
    ck_assert_ptr_null(certificate_warning(certificate, time(NULL)));
    certificate_free(certificate);
    staple_write("s.pem.ocsp", &leaf, &root, -60); /* comes first */
    certificate = read_good("s.pem", NULL);
    const char *warning = certificate_warning(certificate, time(NULL));
    ck_assert_ptr_nonnull(warning);
    ck_assert_ptr_nonnull(strstr(warning, "OCSP response is out of date"));
    certificate_free(certificate);
    staple_write("s.pem.ocsp", &other, &root, 3600);
    is_wrong("s.pem", "s.pem.ocsp", "the OCSP response is not about the certificate");
    text_write("s.pem.ocsp", "rubbish");
    is_wrong("s.pem", "s.pem.ocsp", "is no OCSP response (DER)");
    folder_write("s.pem.ocsp", "0\3\n\1\6", 5);
    is_wrong("s.pem", "s.pem.ocsp", "the OCSP responder answered: unauthorized");
    issued_free(&root);
    issued_free(&leaf);
    issued_free(&other);
}
END_TEST

/* --- folders ------------------------------------------------------------------------------- */

static struct problems problems;

static const struct certificate_source *get(struct certificate_store *store, const char *file,
                                            const char *key)
{
    static char name[] = "p.ini";
    static struct source source = {.path = name};
    const struct list_origin origin = {
        .problems = &problems, .place = {&source, 7}, .option = "certificate"};
    char *path = path_of(file);
    const struct certificate_source *found =
        certificate_store_get(store, path, key, false, &origin);
    free(path);
    return found;
}

static void has_problem(const char *text)
{
    ck_assert_uint_eq(problems.count, 1);
    ck_assert_uint_eq(problems.items[0].place.line, 7);
    ck_assert_msg(strstr(problems.items[0].text, text) != NULL, "%s", problems.items[0].text);
    problems_free(&problems);
}

START_TEST(folder_has_its_files_in_the_order_of_bytes)
{
    struct certificate_store *store = certificate_store_new(NULL);
    ck_assert_int_eq(mkdir(folder_path("d"), 0700), 0);
    ck_assert_int_eq(mkdir(folder_path("d/sub.pem"), 0700), 0);
    issued_write_new("d/b.pem", "DNS:b");
    issued_write_new("d/B.crt", "DNS:B2");
    issued_write_new("d/a.crt", "DNS:a");
    issued_write_new("d/10.pem", "DNS:ten");
    issued_write_new("d/9.pem", "DNS:nine");
    text_write("d/.hidden.pem", "rubbish");
    text_write("d/readme", "rubbish");
    text_write("d/x.key", "rubbish");
    text_write("d/.pem", "rubbish");
    const struct certificate_source *source = get(store, "d", NULL);
    static const char *const expected[] = {"ten", "nine", "b2", "a", "b"};
    ck_assert_uint_eq(problems.count, 0);
    ck_assert_uint_eq(source->count, 5);
    for (size_t i = 0; i < 5; i++)
        ck_assert_str_eq(source->list[i]->names.list[0], expected[i]);
    ck_assert_ptr_eq(get(store, "d", NULL), source);
    certificate_store_free(store);
}
END_TEST

START_TEST(mistakes_in_folders_are_named_once)
{
    struct certificate_store *store = certificate_store_new(NULL);
    ck_assert_int_eq(mkdir(folder_path("d"), 0700), 0);
    ck_assert_uint_eq(get(store, "d", NULL)->count, 0);
    has_problem("/d: has no file *.pem or *.crt");
    certificate_store_free(store);
    store = certificate_store_new(NULL);
    issued_write_new("d/a.pem", "DNS:a");
    text_write("d/b.pem", "rubbish");
    ck_assert_uint_eq(get(store, "d", NULL)->count, 0);
    has_problem("certificate: /");
    ck_assert_uint_eq(get(store, "d", NULL)->count, 0);
    ck_assert_uint_eq(problems.count, 0);
    ck_assert_uint_eq(get(store, "d", "/key")->count, 0);
    has_problem("a folder has no key=FILE");
    certificate_store_free(store);
}
END_TEST

START_TEST(a_thousand_certificates)
{
    struct certificate_store *store = certificate_store_new(NULL);
    struct issued issued = issue((struct request){.name = "x", .alternatives = "DNS:x"});
    char name[32];
    ck_assert_int_eq(mkdir(folder_path("d"), 0700), 0);
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "d/%04d.pem", i);
        issued_write(name, &issued);
    }
    ck_assert_uint_eq(get(store, "d", NULL)->count, 1000);
    ck_assert_uint_eq(problems.count, 0);
    certificate_store_free(store);
    issued_free(&issued);
}
END_TEST

Suite *certificate_suite(void)
{
    Suite *suite = suite_create("certificate");
    TCase *tcase = tcase_create("certificate");
    tcase_add_checked_fixture(tcase, folder_make, folder_remove);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, names_are_those_of_the_alternatives);
    tcase_add_test(tcase, types_of_keys);
    tcase_add_test(tcase, key_is_in_the_file_or_beside_it);
    tcase_add_test(tcase, chain_follows_the_certificate);
    tcase_add_test(tcase, mistakes_in_files_are_named);
    tcase_add_test(tcase, time_is_warned_of);
    tcase_add_test(tcase, staple_is_beside_the_file);
    tcase_add_test(tcase, folder_has_its_files_in_the_order_of_bytes);
    tcase_add_test(tcase, mistakes_in_folders_are_named_once);
    tcase_add_test(tcase, a_thousand_certificates);
    suite_add_tcase(suite, tcase);
    return suite;
}
