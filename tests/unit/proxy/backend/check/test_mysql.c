/* The dialogue with MySQL and MariaDB. What MariaDB says was recorded from 10.11. Each test runs
 * twice: the server's words come at once, and byte by byte. */
#include "proxy/backend/check/mysql_auth.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/talk.h"

#include <check.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#define PIECE (_i ? 1 : 65536)

static char user[] = "pw", password[] = "secret", database[] = "shop";

/* The nonce is "=0v&UY@q=xfxG;.u&ZtX". */
#define GREETING(version, plugin)                                                                  \
    "\012" version "\000S\000\000\000=0v&UY@q\000\376\367\010\002\000\377\201\025"                 \
    "\000\000\000\000\000\000\035\000\000\000=xfxG;.u&ZtX\000" plugin "\000"
static const char mariadb[] =
    "d\000\000\000" GREETING("5.5.5-10.11.19-MariaDB-0+deb12u1", "mysql_native_password");
static const char mysql8[] = "O\000\000\000" GREETING("8.0.36-test", "caching_sha2_password");

#define FLAGS "\001\202\010\000\000\000\000\001!"
#define FILL                                                                                       \
    "\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000"

static const char ok[] = "\007\000\000\002\000\000\000\002\000\000\000";
static const char denied[] = "J\000\000\002\377\025\004#28000Access denied for user "
                             "'rpproxy'@'192.0.2.2' (using password: NO)";
static const char quit[] = "\001\000\000\000\001";

#define hear(talk, bytes) talk_hear(talk, bytes, sizeof(bytes) - 1)
#define said(talk, bytes) talk_said(talk, bytes, sizeof(bytes) - 1)

START_TEST(no_user_is_denied_and_passes)
{
    const struct check_conf conf = {.kind = CHECK_MYSQL, .password = password};
    static const char login[] = "\077\000\000\001" FLAGS FILL "rpproxy\000\000"
                                "mysql_native_password";
    struct talk talk;
    talk_begin(&talk, &conf, PIECE);
    said(&talk, "");
    ck_assert_int_eq(hear(&talk, mariadb), DIALOGUE_GOES_ON);
    talk_said(&talk, login, sizeof login);
    ck_assert_int_eq(hear(&talk, denied), DIALOGUE_PASSED);
    ck_assert(talk.dialogue.awaits_close);
    said(&talk, "");
    talk_close(&talk);
}
END_TEST

START_TEST(no_user_may_log_in)
{
    const struct check_conf conf = {.kind = CHECK_MYSQL};
    struct talk talk;
    talk_begin(&talk, &conf, PIECE);
    hear(&talk, mariadb);
    evbuffer_drain(talk.output, evbuffer_get_length(talk.output));
    ck_assert_int_eq(hear(&talk, ok), DIALOGUE_PASSED);
    ck_assert(talk.dialogue.awaits_close);
    said(&talk, quit);
    talk_close(&talk);
}
END_TEST

static void begin_with_user(struct talk *talk, struct check_conf *conf, size_t piece)
{
    conf->kind = CHECK_MYSQL;
    conf->user = user;
    conf->password = password;
    talk_begin(talk, conf, piece);
}

START_TEST(native_password)
{
    /* What the client of MariaDB answers to this nonce. */
    static const char login[] =
        "N\000\000\001" FLAGS FILL "pw\000\024\231k\226w\220@\232k\134O\264\362\221`\213\351\236"
        "\301\237\242mysql_native_password";
    struct check_conf conf = {0};
    struct talk talk;
    begin_with_user(&talk, &conf, PIECE);
    hear(&talk, mariadb);
    talk_said(&talk, login, sizeof login);
    ck_assert_int_eq(hear(&talk, ok), DIALOGUE_PASSED);
    said(&talk, quit);
    talk_close(&talk);
}
END_TEST

START_TEST(database_is_asked_for)
{
    struct check_conf conf = {.database = database};
    struct talk talk;
    size_t length;
    begin_with_user(&talk, &conf, PIECE);
    hear(&talk, mariadb);
    unsigned char *login = talk_take(&talk, &length);
    ck_assert_uint_eq(login[4], 0x09);
    ck_assert_mem_eq(login + length - 22 - 5, "shop", 5);
    ck_assert_uint_eq(login[0], length - 4);
    free(login);
    static const char unknown[] = "\042\000\000\002\377\031\00442000Unknown database 'shop'...";
    ck_assert_int_eq(talk_hear(&talk, unknown, 34 + 4), DIALOGUE_FAILED);
    talk_close(&talk);
}
END_TEST

START_TEST(server_switches_the_plugin)
{
    static const char to_native[] = ",\000\000\002\376mysql_native_password\000"
                                    "=0v&UY@q=xfxG;.u&ZtX";
    static const char answer[] = "\024\000\000\003\231k\226w\220@\232k\134O\264\362\221`\213\351"
                                 "\236\301\237\242";
    struct check_conf conf = {0};
    struct talk talk;
    begin_with_user(&talk, &conf, PIECE);
    hear(&talk, mysql8);
    evbuffer_drain(talk.output, evbuffer_get_length(talk.output));
    ck_assert_int_eq(talk_hear(&talk, to_native, sizeof to_native), DIALOGUE_GOES_ON);
    said(&talk, answer);
    ck_assert_int_eq(hear(&talk, ok), DIALOGUE_PASSED);
    talk_close(&talk);
}
END_TEST

START_TEST(unknown_plugin_is_told)
{
    static const char ed25519[] = "\061\000\000\002\376client_ed25519\000"
                                  "0123456789abcdef0123456789abcdef";
    static const char refusal[] = "\025\000\000\004\377\025\004#28000Access denied";
    struct check_conf conf = {0};
    struct talk talk;
    begin_with_user(&talk, &conf, PIECE);
    hear(&talk, mariadb);
    evbuffer_drain(talk.output, evbuffer_get_length(talk.output));
    ck_assert_int_eq(talk_hear(&talk, ed25519, 49 + 4), DIALOGUE_GOES_ON);
    said(&talk, "\000\000\000\003");
    ck_assert_int_eq(talk_hear(&talk, refusal, 21 + 4), DIALOGUE_FAILED);
    ck_assert_str_eq(talk.dialogue.reason, "wants a login by client_ed25519, which checks do not "
                                           "know");
    talk_close(&talk);
}
END_TEST

START_TEST(sha2_password_by_the_cache)
{
    static const char fast[] = "\002\000\000\002\001\003";
    struct check_conf conf = {0};
    struct talk talk;
    size_t length;
    unsigned char answer[MYSQL_SHA2_SIZE];
    begin_with_user(&talk, &conf, PIECE);
    hear(&talk, mysql8);
    unsigned char *login = talk_take(&talk, &length);
    ck_assert_int_eq(
        mysql_sha2_answer(password, (const unsigned char *)"=0v&UY@q=xfxG;.u&ZtX", answer), 0);
    ck_assert_uint_eq(login[4 + 32 + 3], MYSQL_SHA2_SIZE);
    ck_assert_mem_eq(login + 4 + 32 + 4, answer, sizeof answer);
    ck_assert_str_eq((char *)login + 4 + 32 + 4 + MYSQL_SHA2_SIZE, "caching_sha2_password");
    free(login);
    ck_assert_int_eq(hear(&talk, fast), DIALOGUE_GOES_ON);
    ck_assert_int_eq(hear(&talk, ok), DIALOGUE_PASSED);
    said(&talk, quit);
    talk_close(&talk);
}
END_TEST

static EVP_PKEY *make_key(char **pem, size_t *length)
{
    EVP_PKEY *key = EVP_RSA_gen(2048);
    BIO *bio = BIO_new(BIO_s_mem());
    char *data;
    ck_assert_ptr_nonnull(key);
    PEM_write_bio_PUBKEY(bio, key);
    *length = (size_t)BIO_get_mem_data(bio, &data);
    *pem = malloc(*length);
    memcpy(*pem, data, *length);
    BIO_free(bio);
    return key;
}

static void open_sealed(EVP_PKEY *key, const unsigned char *sealed, size_t length, char *text)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    unsigned char plain[512];
    size_t plain_length = sizeof plain;
    EVP_PKEY_decrypt_init(context);
    EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING);
    ck_assert_int_eq(EVP_PKEY_decrypt(context, plain, &plain_length, sealed, length), 1);
    for (size_t i = 0; i < plain_length; i++)
        text[i] = (char)(plain[i] ^ (unsigned char)"=0v&UY@q=xfxG;.u&ZtX"[i % MYSQL_NONCE_SIZE]);
    EVP_PKEY_CTX_free(context);
}

START_TEST(sha2_password_by_the_key)
{
    static const char full[] = "\002\000\000\002\001\004";
    struct check_conf conf = {0};
    struct talk talk;
    size_t length, pem_length;
    char *pem, text[512];
    EVP_PKEY *key = make_key(&pem, &pem_length);
    begin_with_user(&talk, &conf, PIECE);
    hear(&talk, mysql8);
    evbuffer_drain(talk.output, evbuffer_get_length(talk.output));
    ck_assert_int_eq(hear(&talk, full), DIALOGUE_GOES_ON);
    said(&talk, "\001\000\000\003\002");
    const unsigned char header[] = {(unsigned char)(pem_length + 1),
                                    (unsigned char)((pem_length + 1) >> 8), 0, 4, 1};
    talk_hear(&talk, header, sizeof header);
    ck_assert_int_eq(talk_hear(&talk, pem, pem_length), DIALOGUE_GOES_ON);
    unsigned char *sealed = talk_take(&talk, &length);
    ck_assert_uint_eq(length, 4 + 256);
    ck_assert_mem_eq(sealed, "\000\001\000\005", 4);
    open_sealed(key, sealed + 4, length - 4, text);
    ck_assert_str_eq(text, password);
    ck_assert_int_eq(hear(&talk, ok), DIALOGUE_PASSED);
    free(sealed);
    free(pem);
    EVP_PKEY_free(key);
    talk_close(&talk);
}
END_TEST

START_TEST(bad_keys_fail)
{
    static const char full[] = "\002\000\000\002\001\004";
    static const char bad[] = "\013\000\000\004\001-----BEGIN";
    struct check_conf conf = {0};
    struct talk talk;
    begin_with_user(&talk, &conf, PIECE);
    hear(&talk, mysql8);
    hear(&talk, full);
    ck_assert_int_eq(hear(&talk, bad), DIALOGUE_FAILED);
    ck_assert_str_eq(talk.dialogue.reason, "sends a public key that cannot be used");
    talk_close(&talk);
}
END_TEST

#define ROW(value)                                                                                 \
    "\001\000\000\001\001(\000\000\002\003def\000\000\000\022@@global.read_only\000\014?\000\001"  \
    "\000\000\000\010\200\000\000\000\000\005\000\000\003\376\000\000\002\000\002\000\000\004"     \
    "\001" value "\005\000\000\005\376\000\000\002\000"

START_TEST(role_is_read_only)
{
    static const char query[] = "\032\000\000\000\003SELECT @@global.read_only";
    static const struct {
        enum check_role role;
        char value;
        enum dialogue_verdict verdict;
    } cases[] = {
        {CHECK_ROLE_PRIMARY, '0', DIALOGUE_PASSED}, {CHECK_ROLE_MASTER, '0', DIALOGUE_PASSED},
        {CHECK_ROLE_PRIMARY, '1', DIALOGUE_FAILED}, {CHECK_ROLE_REPLICA, '0', DIALOGUE_FAILED},
        {CHECK_ROLE_REPLICA, '1', DIALOGUE_PASSED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct check_conf conf = {.role = cases[i].role};
        struct talk talk;
        begin_with_user(&talk, &conf, PIECE);
        hear(&talk, mariadb);
        evbuffer_drain(talk.output, evbuffer_get_length(talk.output));
        ck_assert_int_eq(hear(&talk, ok), DIALOGUE_GOES_ON);
        said(&talk, query);
        enum dialogue_verdict verdict =
            cases[i].value == '0' ? hear(&talk, ROW("0")) : hear(&talk, ROW("1"));
        ck_assert_int_eq(verdict, cases[i].verdict);
        ck_assert(talk.dialogue.awaits_close);
        said(&talk, quit);
        talk_close(&talk);
    }
}
END_TEST

START_TEST(error_of_the_query_quits)
{
    static const char error[] = "\020\000\000\001\377\027\004#42000No right";
    struct check_conf conf = {.role = CHECK_ROLE_PRIMARY};
    struct talk talk;
    begin_with_user(&talk, &conf, PIECE);
    hear(&talk, mariadb);
    hear(&talk, ok);
    evbuffer_drain(talk.output, evbuffer_get_length(talk.output));
    ck_assert_int_eq(talk_hear(&talk, error, 16 + 4), DIALOGUE_FAILED);
    said(&talk, quit);
    talk_close(&talk);
}
END_TEST

static void fails(const struct check_conf *conf, size_t piece, const char *greeting,
                  size_t greeting_length, const char *says, size_t length, const char *reason)
{
    struct talk talk;
    talk_begin(&talk, conf, piece);
    enum dialogue_verdict verdict = talk_hear(&talk, greeting, greeting_length);
    if (verdict == DIALOGUE_GOES_ON)
        verdict = talk_hear(&talk, says, length);
    ck_assert_int_eq(verdict, DIALOGUE_FAILED);
    ck_assert_str_eq(talk.dialogue.reason, reason);
    talk_close(&talk);
}

#define fails_at_once(conf, says, reason) fails(conf, PIECE, says, sizeof(says) - 1, "", 0, reason)
#define fails_later(conf, says, reason)                                                            \
    fails(conf, PIECE, mariadb, sizeof mariadb - 1, says, sizeof(says) - 1, reason)

START_TEST(errors_fail)
{
    const struct check_conf none = {.kind = CHECK_MYSQL};
    const struct check_conf some = {.kind = CHECK_MYSQL, .user = user};
    /* Before the greeting errors have no SQLSTATE. */
    fails_at_once(&none,
                  "j\000\000\000\377i\004Host '192.0.2.2' is blocked because of many connection "
                  "errors; unblock with 'mariadb-admin flush-hosts'",
                  "says \"Host '192.0.2.2' is blocked because of many connection errors; unblock "
                  "with 'mariadb-admin flush-hosts'\" (error 1129)");
    fails_later(&none, "\035\000\000\002\377\020\004#08004Too many connections",
                "says \"Too many connections\" (error 1040)");
    fails_later(&some, denied,
                "says \"Access denied for user 'rpproxy'@'192.0.2.2' (using password: NO)\" "
                "(error 1045)");
    fails_later(&none, "\003\000\000\002\377\020\004", "says \"\" (error 1040)");
    fails_later(&none, "\001\000\000\002\377", "says \"\" (error 0)");
}
END_TEST

START_TEST(secure_transport_passes_without_user)
{
    static const char required[] = "\013\000\000\002\377\127\014#HY000no";
    const struct check_conf conf = {.kind = CHECK_MYSQL};
    struct talk talk;
    talk_begin(&talk, &conf, PIECE);
    hear(&talk, mysql8);
    ck_assert_int_eq(hear(&talk, required), DIALOGUE_PASSED);
    talk_close(&talk);
}
END_TEST

static const char foreign[] = "does not speak the protocol of MySQL";

START_TEST(nonsense_fails)
{
    const struct check_conf conf = {.kind = CHECK_MYSQL, .role = CHECK_ROLE_PRIMARY};
    fails_at_once(&conf, "HTTP/1.1 400 Bad Request\r\n\r\n", foreign);
    fails_at_once(&conf, "\000\000\000\000", foreign);              /* an empty packet */
    fails_at_once(&conf, "\001\000\000\000\012", foreign);          /* a short greeting */
    fails_at_once(&conf, "\012\000\000\000\012no NUL...", foreign); /* no end of the version */
    fails_at_once(&conf, "\001\000\000\000\011", foreign);          /* protocol 9 */
    fails_at_once(&conf, "\377\377\377\000", foreign);              /* a huge packet */
    fails_later(&conf, "\001\000\000\002\012", foreign);
    fails_later(&conf, "\001\000\000\002\000\001\000\000\001\002", foreign); /* two columns */
    fails_later(&conf,
                "\001\000\000\002\000\001\000\000\001\001\001\000\000\002x\001\000\000\003x"
                "\002\000\000\004\0050",
                foreign); /* a value that is longer than its row */
    fails_at_once(
        &conf,
        "\064\000\000\000\0123.23.58\000S\000\000\000=0v&UY@q\000\054\000\010\002\000\000\000"
        "\000\000\000\000\000\000\000\000\000\000\000"
        "\000\000\000\000\000\000\000\000\000\000\000\000",
        "is older than MySQL 4.1: \"3.23.58\"");
}
END_TEST

START_TEST(endless_requests_fail)
{
    static const char more[] = "\002\000\000\002\001\011";
    const struct check_conf conf = {.kind = CHECK_MYSQL};
    struct talk talk;
    talk_begin(&talk, &conf, PIECE);
    hear(&talk, mariadb);
    enum dialogue_verdict verdict = DIALOGUE_GOES_ON;
    unsigned count = 0;
    for (; verdict == DIALOGUE_GOES_ON && count < 100; count++)
        verdict = hear(&talk, more);
    ck_assert_int_eq(verdict, DIALOGUE_FAILED);
    ck_assert_uint_lt(count, 100);
    talk_close(&talk);
}
END_TEST

START_TEST(early_ends_fail)
{
    const struct check_conf conf = {.kind = CHECK_MYSQL};
    for (size_t length = 0; length < sizeof mariadb; length += 13) {
        struct talk talk;
        talk_begin(&talk, &conf, PIECE);
        ck_assert_int_eq(talk_hear(&talk, mariadb, length), DIALOGUE_GOES_ON);
        ck_assert_int_eq(talk_end_of_stream(&talk), DIALOGUE_FAILED);
        talk_close(&talk);
    }
}
END_TEST

/* Go's driver for MySQL has the same in its tests. */
START_TEST(sha2_vector)
{
    static const unsigned char nonce[] = {10,  47, 74, 111, 75, 73, 34, 48, 88, 76,
                                          114, 74, 37, 13,  3,  80, 82, 2,  23, 21};
    static const unsigned char expected[] = {244, 144, 231, 111, 102, 217, 216, 102, 101, 206, 84,
                                             217, 140, 120, 208, 172, 254, 47,  176, 176, 139, 66,
                                             61,  168, 7,   20,  72,  115, 211, 11,  49,  44};
    unsigned char answer[MYSQL_SHA2_SIZE];
    ck_assert_int_eq(mysql_sha2_answer("secret", nonce, answer), 0);
    ck_assert_mem_eq(answer, expected, sizeof answer);
}
END_TEST

Suite *mysql_suite(void)
{
    Suite *suite = suite_create("mysql");
    TCase *tcase = tcase_create("mysql");
    tcase_add_loop_test(tcase, no_user_is_denied_and_passes, 0, 2);
    tcase_add_loop_test(tcase, no_user_may_log_in, 0, 2);
    tcase_add_loop_test(tcase, native_password, 0, 2);
    tcase_add_loop_test(tcase, database_is_asked_for, 0, 2);
    tcase_add_loop_test(tcase, server_switches_the_plugin, 0, 2);
    tcase_add_loop_test(tcase, unknown_plugin_is_told, 0, 2);
    tcase_add_loop_test(tcase, sha2_password_by_the_cache, 0, 2);
    tcase_add_loop_test(tcase, sha2_password_by_the_key, 0, 2);
    tcase_add_loop_test(tcase, bad_keys_fail, 0, 2);
    tcase_add_loop_test(tcase, role_is_read_only, 0, 2);
    tcase_add_loop_test(tcase, error_of_the_query_quits, 0, 2);
    tcase_add_loop_test(tcase, errors_fail, 0, 2);
    tcase_add_loop_test(tcase, secure_transport_passes_without_user, 0, 2);
    tcase_add_loop_test(tcase, nonsense_fails, 0, 2);
    tcase_add_loop_test(tcase, endless_requests_fail, 0, 2);
    tcase_add_loop_test(tcase, early_ends_fail, 0, 2);
    tcase_add_test(tcase, sha2_vector);
    suite_add_tcase(suite, tcase);
    return suite;
}
