/* The dialogue with PostgreSQL. What the server says was recorded from PostgreSQL 15. Each test
 * runs twice: the server's words come at once, and byte by byte. */
#include "proxy/backend/check/pgsql_auth.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/talk.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE (_i ? 1 : 65536)

static char user[] = "m", password[] = "secret", database[] = "shop";

#define STARTUP(length, user, database)                                                            \
    length "\000\003\000\000user\000" user "\000database\000" database                             \
           "\000application_name\000rpproxy check\000"
#define AUTHENTICATION_OK "R\000\000\000\010\000\000\000\000"
#define READY             "Z\000\000\000\005I"
#define ASK_CLEAR_TEXT    "R\000\000\000\010\000\000\000\003"
#define ASK_MD5           "R\000\000\000\014\000\000\000\005\365V|!"
#define ASK_SCRAM         "R\000\000\000\027\000\000\000\012SCRAM-SHA-256\000\000"
#define LOGGED_IN                                                                                  \
    AUTHENTICATION_OK "S\000\000\000#application_name\000rpproxy check\000"                        \
                      "S\000\000\000\027in_hot_standby\000off\000"                                 \
                      "K\000\000\000\014\000\000t@%\367a\236" READY
#define ROW(value) "D\000\000\000\013\000\001\000\000\000\001" value
#define ANSWER(value)                                                                              \
    "T\000\000\000*\000\001pg_is_in_recovery\000\000\000\000\000\000\000\000\000\000\020\000\001"  \
    "\377\377\377\377\000\000" ROW(value) "C\000\000\000\015SELECT 1\000"
#define TERMINATE "X\000\000\000\004"

#define hear(talk, bytes) talk_hear(talk, bytes, sizeof(bytes) - 1)
#define said(talk, bytes) talk_said(talk, bytes, sizeof(bytes) - 1)

static void drop(struct talk *talk)
{
    evbuffer_drain(talk->output, evbuffer_get_length(talk->output));
}

START_TEST(no_user_is_known)
{
    static const char startup[] = STARTUP("\000\000\000G", "rpproxy", "postgres");
    const struct check_conf conf = {.kind = CHECK_PGSQL};
    struct talk talk;
    talk_begin(&talk, &conf, PIECE);
    talk_said(&talk, startup, sizeof startup);
    ck_assert_int_eq(hear(&talk, LOGGED_IN), DIALOGUE_PASSED);
    ck_assert(talk.dialogue.awaits_close);
    said(&talk, TERMINATE);
    talk_close(&talk);
}
END_TEST

START_TEST(user_and_database)
{
    static const char startup[] = STARTUP("\000\000\000=", "m", "shop");
    const struct check_conf conf = {.kind = CHECK_PGSQL, .user = user, .database = database};
    struct talk talk;
    talk_begin(&talk, &conf, PIECE);
    talk_said(&talk, startup, sizeof startup);
    talk_close(&talk);
}
END_TEST

/* Of every kind: Kerberos 5, clear text, MD5, GSSAPI, SSPI, SASL, and one to come. */
START_TEST(requests_pass_without_password)
{
    static const char kinds[] = {2, 3, 5, 7, 9, 10, 99};
    const struct check_conf conf = {.kind = CHECK_PGSQL, .user = user};
    for (size_t i = 0; i < sizeof kinds; i++) {
        const char request[] = {'R', 0, 0, 0, 8, 0, 0, 0, kinds[i]};
        struct talk talk;
        talk_begin(&talk, &conf, PIECE);
        drop(&talk);
        ck_assert_int_eq(talk_hear(&talk, request, sizeof request), DIALOGUE_PASSED);
        ck_assert(talk.dialogue.awaits_close);
        said(&talk, "");
        talk_close(&talk);
    }
}
END_TEST

static void begin_with_password(struct talk *talk, struct check_conf *conf, size_t piece)
{
    conf->kind = CHECK_PGSQL;
    conf->user = user;
    conf->password = password;
    talk_begin(talk, conf, piece);
    drop(talk);
}

START_TEST(password_in_clear_text)
{
    struct check_conf conf = {0};
    struct talk talk;
    begin_with_password(&talk, &conf, PIECE);
    ck_assert_int_eq(hear(&talk, ASK_CLEAR_TEXT), DIALOGUE_GOES_ON);
    said(&talk, "p\000\000\000\013secret\000");
    ck_assert_int_eq(hear(&talk, LOGGED_IN), DIALOGUE_PASSED);
    said(&talk, TERMINATE);
    talk_close(&talk);
}
END_TEST

START_TEST(password_by_md5)
{
    struct check_conf conf = {0};
    struct talk talk;
    begin_with_password(&talk, &conf, PIECE);
    ck_assert_int_eq(hear(&talk, ASK_MD5), DIALOGUE_GOES_ON);
    said(&talk, "p\000\000\000(md5a8655cda95c6887fe93866b3479f7219\000");
    talk_close(&talk);
}
END_TEST

/* A server that knows the password needs the proof of RFC 5802; the vector below checks the
 * arithmetic, this the messages around it. */
START_TEST(password_by_scram)
{
    static const char first[] = "p\000\000\0006SCRAM-SHA-256\000\000\000\000 n,,n=,r=";
    struct check_conf conf = {0};
    struct talk talk;
    size_t length;
    char challenge[256] = "R\000\000\000";
    begin_with_password(&talk, &conf, PIECE);
    ck_assert_int_eq(hear(&talk, ASK_SCRAM), DIALOGUE_GOES_ON);
    unsigned char *message = talk_take(&talk, &length);
    ck_assert_uint_eq(length, 0x36 + 1);
    ck_assert_mem_eq(message, first, sizeof first - 1);
    int text =
        snprintf(challenge + 9, sizeof challenge - 9, "r=%.24sXY,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
                 (const char *)message + sizeof first - 1);
    challenge[4] = (char)(text + 8);
    challenge[8] = 11;
    free(message);
    ck_assert_int_eq(talk_hear(&talk, challenge, (size_t)text + 9), DIALOGUE_GOES_ON);
    message = talk_take(&talk, &length);
    ck_assert_int_eq(message[0], 'p');
    ck_assert_mem_eq(message + 5, "c=biws,r=", 9);
    ck_assert_ptr_nonnull(strstr((char *)message + 5, "XY,p="));
    free(message);
    ck_assert_int_eq(hear(&talk, "R\000\000\000\015\000\000\000\014v=abc"), DIALOGUE_FAILED);
    ck_assert_str_eq(talk.dialogue.reason, "the server does not know the password");
    talk_close(&talk);
}
END_TEST

START_TEST(role_is_asked_for)
{
    static const struct {
        enum check_role role;
        bool replica;
        enum dialogue_verdict verdict;
        const char *reason;
    } cases[] = {
        {CHECK_ROLE_PRIMARY, false, DIALOGUE_PASSED, ""},
        {CHECK_ROLE_MASTER, false, DIALOGUE_PASSED, ""},
        {CHECK_ROLE_PRIMARY, true, DIALOGUE_FAILED, "is a replica"},
        {CHECK_ROLE_REPLICA, false, DIALOGUE_FAILED, "is the primary"},
        {CHECK_ROLE_REPLICA, true, DIALOGUE_PASSED, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct check_conf conf = {.kind = CHECK_PGSQL, .role = cases[i].role};
        struct talk talk;
        talk_begin(&talk, &conf, PIECE);
        drop(&talk);
        ck_assert_int_eq(hear(&talk, LOGGED_IN), DIALOGUE_GOES_ON);
        said(&talk, "Q\000\000\000\037SELECT pg_is_in_recovery()\000");
        ck_assert_int_eq(cases[i].replica ? hear(&talk, ANSWER("t")) : hear(&talk, ANSWER("f")),
                         DIALOGUE_GOES_ON);
        said(&talk, ""); /* the server still writes */
        ck_assert_int_eq(hear(&talk, READY), cases[i].verdict);
        ck_assert_str_eq(talk.dialogue.reason, cases[i].reason);
        ck_assert(talk.dialogue.awaits_close);
        said(&talk, TERMINATE);
        talk_close(&talk);
    }
}
END_TEST

static void answers(const struct check_conf *conf, size_t piece, const char *says, size_t length,
                    enum dialogue_verdict verdict, const char *reason)
{
    struct talk talk;
    talk_begin(&talk, conf, piece);
    ck_assert_int_eq(talk_hear(&talk, says, length), verdict);
    ck_assert_str_eq(talk.dialogue.reason, reason);
    talk_close(&talk);
}

#define fails(conf, says, reason)                                                                  \
    answers(conf, PIECE, says, sizeof(says) - 1, DIALOGUE_FAILED, reason)
#define passes(conf, says) answers(conf, PIECE, says, sizeof(says) - 1, DIALOGUE_PASSED, "")

#define STARTING_UP                                                                                \
    "E\000\000\000hSFATAL\000VFATAL\000C57P03\000Mthe database system is starting up\000"          \
    "Fpostmaster.c\000L2378\000RProcessStartupPacket\000"
#define NO_ROLE                                                                                    \
    "E\000\000\000cSFATAL\000VFATAL\000C28000\000Mrole \"trusted\" does not exist\000"             \
    "Fmiscinit.c\000L768\000RInitializeSessionUserId\000"
#define NO_DATABASE                                                                                \
    "E\000\000\000YSFATAL\000VFATAL\000C3D000\000Mdatabase \"nodb\" does not exist\000"            \
    "Fpostinit.c\000L948\000RInitPostgres\000"

START_TEST(errors_by_sqlstate)
{
    const struct check_conf none = {.kind = CHECK_PGSQL};
    const struct check_conf some = {.kind = CHECK_PGSQL, .user = user};
    struct check_conf role = {.kind = CHECK_PGSQL, .role = CHECK_ROLE_PRIMARY};
    static const char starting[] = STARTING_UP, no_role[] = NO_ROLE, no_database[] = NO_DATABASE;
    static const char late[] = AUTHENTICATION_OK NO_DATABASE;
    const char *reason = "says \"the database system is starting up\" (SQLSTATE 57P03)";
    answers(&none, PIECE, starting, sizeof starting, DIALOGUE_FAILED, reason);
    answers(&some, PIECE, starting, sizeof starting, DIALOGUE_FAILED, reason);
    answers(&none, PIECE, no_role, sizeof no_role, DIALOGUE_PASSED, "");
    answers(&none, PIECE, no_database, sizeof no_database, DIALOGUE_PASSED, "");
    answers(&none, PIECE, late, sizeof late, DIALOGUE_PASSED, "");
    answers(&some, PIECE, no_role, sizeof no_role, DIALOGUE_FAILED,
            "says \"role \"trusted\" does not exist\" (SQLSTATE 28000)");
    fails(&role, ASK_SCRAM, "asks for a password, and there is no check-password");
    role.password = password;
    fails(&role, "R\000\000\000\010\000\000\000\007", "asks for a login that checks do not know");
    fails(&role, "R\000\000\000\016\000\000\000\012OTHER\000",
          "wants the password in a way that checks do not know");
}
END_TEST

static const char foreign[] = "does not speak the protocol of PostgreSQL";

START_TEST(nonsense_fails)
{
    const struct check_conf conf = {.kind = CHECK_PGSQL};
    const struct check_conf role = {.kind = CHECK_PGSQL, .role = CHECK_ROLE_PRIMARY};
    struct check_conf with = {.kind = CHECK_PGSQL, .password = password};
    fails(&conf, "HTTP/1.1 400 Bad Request\r\n\r\n", foreign);
    fails(&conf, "R\000\000\000\003", foreign);
    fails(&conf, "R\000\000\000\007\000\000\000", foreign);
    fails(&conf, "R\377\377\377\377", foreign);
    fails(&conf, "x\000\000\000\004", foreign);
    fails(&conf, "E\000\000\000\004", foreign);
    fails(&conf, "E\000\000\000\010CXXX", foreign);
    fails(&conf, "E\000\000\000\005\000", "says \"\" (SQLSTATE )");
    fails(&conf, READY, foreign);
    fails(&conf, AUTHENTICATION_OK AUTHENTICATION_OK, foreign);
    fails(&conf, AUTHENTICATION_OK ROW("f"), foreign);
    fails(&role, LOGGED_IN READY, foreign);
    fails(&role, LOGGED_IN ROW("f") ROW("f"), foreign);
    fails(&with, "R\000\000\000\012\000\000\000\005\001\001", foreign);
    fails(&with, "R\000\000\000\010\000\000\000\013", foreign); /* SCRAM goes on before it began */
    fails(&with, "R\000\000\000\010\000\000\000\014", foreign);
    passes(&conf, "v\000\000\000\014\000\003\000\000\000\000\000\000" ASK_MD5);
}
END_TEST

START_TEST(endless_messages_fail)
{
    static const char parameter[] = AUTHENTICATION_OK;
    const struct check_conf conf = {.kind = CHECK_PGSQL};
    struct talk talk;
    char notice[1025] = "N\000\000\004\000";
    talk_begin(&talk, &conf, PIECE);
    hear(&talk, parameter);
    enum dialogue_verdict verdict = DIALOGUE_GOES_ON;
    unsigned count = 0;
    for (; verdict == DIALOGUE_GOES_ON && count < 100; count++)
        verdict = talk_hear(&talk, notice, sizeof notice);
    ck_assert_int_eq(verdict, DIALOGUE_FAILED);
    ck_assert_uint_lt(count, 70);
    talk_close(&talk);
}
END_TEST

START_TEST(early_ends_fail)
{
    static const char words[] = LOGGED_IN;
    const struct check_conf conf = {.kind = CHECK_PGSQL};
    for (size_t length = 0; length < sizeof words - 1; length += 7) {
        struct talk talk;
        talk_begin(&talk, &conf, PIECE);
        ck_assert_int_eq(talk_hear(&talk, words, length), DIALOGUE_GOES_ON);
        ck_assert_int_eq(talk_end_of_stream(&talk), DIALOGUE_FAILED);
        talk_close(&talk);
    }
}
END_TEST

/* --- SCRAM --------------------------------------------------------------------------------- */

#define SERVER_NONCE "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"

/* RFC 7677, 3. */
START_TEST(scram_vector)
{
    struct scram scram;
    char message[SCRAM_MESSAGE_MAX];
    ck_assert_ptr_null(scram_begin(&scram, "user", "rOprNGfwEbeRWgbNEkqO", message));
    ck_assert_str_eq(message, "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    ck_assert_ptr_null(scram_prove(
        &scram, "pencil", "r=" SERVER_NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", message));
    ck_assert_str_eq(message,
                     "c=biws,r=" SERVER_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
    ck_assert_ptr_null(scram_verify(&scram, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
    ck_assert_ptr_nonnull(scram_verify(&scram, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5="));
    ck_assert_ptr_nonnull(scram_verify(&scram, "e=invalid-proof"));
    ck_assert_ptr_nonnull(scram_verify(&scram, ""));
}
END_TEST

START_TEST(scram_bad_challenges)
{
    static const char *const challenges[] = {
        "",
        "r=",
        "r=abc",
        "r=abcdef",
        "r=xyzdef,s=W22Z,i=4096",
        "r=abc,s=W22Z,i=4096", /* the server adds nothing to the nonce */
        "r=abcdef,s=W22,i=4096",
        "r=abcdef,s=,i=4096",
        "r=abcdef,s=W2*Z,i=4096",
        "r=abcdef,s=W22Z,i=",
        "r=abcdef,s=W22Z,i=0",
        "r=abcdef,s=W22Z,i=-4096",
        "r=abcdef,s=W22Z,i=4096x",
        "r=abcdef,s=W22Z,i=2147483647",
        "r=abcdef,s=W22Z,i=99999999999999999999",
        "m=ext,r=abcdef,s=W22Z,i=4096",
        "r=abcdef,i=4096,s=W22Z",
    };
    struct scram scram;
    char message[SCRAM_MESSAGE_MAX];
    ck_assert_ptr_null(scram_begin(&scram, "", "abc", message));
    for (size_t i = 0; i < sizeof challenges / sizeof challenges[0]; i++)
        ck_assert_msg(scram_prove(&scram, "x", challenges[i], message) != NULL, "%s",
                      challenges[i]);
    ck_assert_ptr_null(scram_prove(&scram, "x", "r=abcdef,s=W22Z,i=4096", message));
}
END_TEST

START_TEST(scram_nonces_differ)
{
    char one[SCRAM_NONCE_SIZE], two[SCRAM_NONCE_SIZE];
    ck_assert_int_eq(scram_nonce(one), 0);
    ck_assert_int_eq(scram_nonce(two), 0);
    ck_assert_uint_eq(strlen(one), SCRAM_NONCE_SIZE - 1);
    ck_assert_str_ne(one, two);
}
END_TEST

Suite *pgsql_suite(void)
{
    Suite *suite = suite_create("pgsql");
    TCase *tcase = tcase_create("pgsql");
    tcase_add_loop_test(tcase, no_user_is_known, 0, 2);
    tcase_add_loop_test(tcase, user_and_database, 0, 2);
    tcase_add_loop_test(tcase, requests_pass_without_password, 0, 2);
    tcase_add_loop_test(tcase, password_in_clear_text, 0, 2);
    tcase_add_loop_test(tcase, password_by_md5, 0, 2);
    tcase_add_loop_test(tcase, password_by_scram, 0, 2);
    tcase_add_loop_test(tcase, role_is_asked_for, 0, 2);
    tcase_add_loop_test(tcase, errors_by_sqlstate, 0, 2);
    tcase_add_loop_test(tcase, nonsense_fails, 0, 2);
    tcase_add_loop_test(tcase, endless_messages_fail, 0, 2);
    tcase_add_loop_test(tcase, early_ends_fail, 0, 2);
    tcase_add_test(tcase, scram_vector);
    tcase_add_test(tcase, scram_bad_challenges);
    tcase_add_test(tcase, scram_nonces_differ);
    suite_add_tcase(suite, tcase);
    return suite;
}
