/* The dialogues that speak in lines: Redis, SMTP, agents. Each test runs twice: the server's words
 * come at once, and byte by byte. */
#include "proxy/backend/check/line.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/talk.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE (_i ? 1 : 65536)

static char user[] = "checker", password[] = "s3cret pass", host[] = "mx.example";

/* --- redis --------------------------------------------------------------------------------- */

static const struct check_conf redis = {.kind = CHECK_REDIS};

static enum dialogue_verdict redis_says(const struct check_conf *conf, size_t piece,
                                        const char *words, char reason[DIALOGUE_REASON_MAX])
{
    struct talk talk;
    talk_begin(&talk, conf, piece);
    enum dialogue_verdict verdict = talk_hear(&talk, words, strlen(words));
    memcpy(reason, talk.dialogue.reason, DIALOGUE_REASON_MAX);
    ck_assert(!talk.dialogue.awaits_close);
    talk_close(&talk);
    return verdict;
}

START_TEST(redis_pong_passes)
{
    struct talk talk;
    talk_begin(&talk, &redis, PIECE);
    talk_said_text(&talk, "*1\r\n$4\r\nPING\r\n");
    ck_assert_int_eq(talk_hear_text(&talk, "+PONG\r\n"), DIALOGUE_PASSED);
    talk_said_text(&talk, "");
    talk_close(&talk);
}
END_TEST

START_TEST(redis_login_goes_first)
{
    struct check_conf conf = {.kind = CHECK_REDIS, .password = password};
    struct talk talk;
    talk_begin(&talk, &conf, PIECE);
    talk_said_text(&talk, "*2\r\n$4\r\nAUTH\r\n$11\r\ns3cret pass\r\n*1\r\n$4\r\nPING\r\n");
    ck_assert_int_eq(talk_hear_text(&talk, "+OK\r\n"), DIALOGUE_GOES_ON);
    ck_assert_int_eq(talk_hear_text(&talk, "+PONG\r\n"), DIALOGUE_PASSED);
    talk_close(&talk);
    conf.user = user;
    conf.role = CHECK_ROLE_MASTER;
    talk_begin(&talk, &conf, PIECE);
    talk_said_text(&talk, "*3\r\n$4\r\nAUTH\r\n$7\r\nchecker\r\n$11\r\ns3cret pass\r\n"
                          "*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nROLE\r\n");
    ck_assert_int_eq(talk_hear_text(&talk, "+OK\r\n+PONG\r\n*3\r\n$6\r\nmaster\r\n:14\r\n*0\r\n"),
                     DIALOGUE_PASSED);
    talk_close(&talk);
}
END_TEST

/* As Redis 7.0 says them. */
static const char *const redis_errors[] = {
    "-LOADING Redis is loading the dataset in memory\r\n",
    "-NOAUTH Authentication required.\r\n",
    "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n",
    "-ERR max number of clients reached\r\n",
    "-DENIED Redis is running in protected mode because protected mode is enabled\r\n",
    "+OK\r\n",
    "$4\r\nPONG\r\n",
    "HTTP/1.1 400 Bad Request\r\n",
    "\r\n",
};

START_TEST(redis_errors_fail)
{
    char reason[DIALOGUE_REASON_MAX];
    for (size_t i = 0; i < sizeof redis_errors / sizeof redis_errors[0]; i++) {
        const char *words = redis_errors[i];
        ck_assert_int_eq(redis_says(&redis, PIECE, words, reason), DIALOGUE_FAILED);
        const char *text = words + (words[0] == '-');
        char *first = strndup(text, strcspn(text, "\r"));
        ck_assert_msg(strstr(reason, first) != NULL, "%s", reason);
        free(first);
    }
    const struct check_conf conf = {.kind = CHECK_REDIS, .password = password};
    ck_assert_int_eq(redis_says(&conf, PIECE,
                                "-WRONGPASS invalid username-password pair or user is "
                                "disabled.\r\n",
                                reason),
                     DIALOGUE_FAILED);
    ck_assert_str_eq(reason, "answers AUTH with the error \"WRONGPASS invalid username-password "
                             "pair or user is disabled.\"");
}
END_TEST

#define MASTER_ROLE  "*3\r\n$6\r\nmaster\r\n:3129659\r\n*1\r\n*3\r\n$9\r\n127.0.0.1\r\n"
#define REPLICA_ROLE "*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n:6379\r\n$7\r\nconnect\r\n:-1\r\n"

START_TEST(redis_role_decides)
{
    static const struct {
        enum check_role role;
        const char *says;
        enum dialogue_verdict verdict;
        const char *reason;
    } cases[] = {
        {CHECK_ROLE_MASTER, MASTER_ROLE, DIALOGUE_PASSED, ""},
        {CHECK_ROLE_PRIMARY, MASTER_ROLE, DIALOGUE_PASSED, ""},
        {CHECK_ROLE_REPLICA, MASTER_ROLE, DIALOGUE_FAILED, "is the master"},
        {CHECK_ROLE_MASTER, REPLICA_ROLE, DIALOGUE_FAILED, "is a replica"},
        {CHECK_ROLE_REPLICA, REPLICA_ROLE, DIALOGUE_PASSED, ""},
        {CHECK_ROLE_MASTER, "*2\r\n$8\r\nsentinel\r\n*0\r\n", DIALOGUE_FAILED,
         "answers ROLE with \"sentinel\""},
        {CHECK_ROLE_MASTER, "-NOPERM no\r\n", DIALOGUE_FAILED,
         "answers ROLE with the error \"NOPERM no\""},
        {CHECK_ROLE_MASTER, "*0\r\n*0\r\n", DIALOGUE_FAILED, "answers ROLE with \"*0\""},
        {CHECK_ROLE_MASTER, "*1\r\n$-1\r\nx\r\n", DIALOGUE_FAILED, "answers ROLE with \"x\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct check_conf conf = {.kind = CHECK_REDIS, .role = cases[i].role};
        char words[256], reason[DIALOGUE_REASON_MAX];
        snprintf(words, sizeof words, "+PONG\r\n%s", cases[i].says);
        ck_assert_int_eq(redis_says(&conf, PIECE, words, reason), cases[i].verdict);
        ck_assert_str_eq(reason, cases[i].reason);
    }
}
END_TEST

/* --- smtp ---------------------------------------------------------------------------------- */

static const struct check_conf smtp = {.kind = CHECK_SMTP};

START_TEST(smtp_goes_through)
{
    struct talk talk;
    talk_begin(&talk, &smtp, PIECE);
    talk_said_text(&talk, "");
    ck_assert_int_eq(talk_hear_text(&talk, "220-mail.example ESMTP\r\n220 no UCE\r\n"),
                     DIALOGUE_GOES_ON);
    talk_said_text(&talk, "EHLO localhost\r\n");
    ck_assert_int_eq(talk_hear_text(&talk, "250-mail.example\r\n250-SIZE\r\n250 HELP\r\n"),
                     DIALOGUE_PASSED);
    talk_said_text(&talk, "QUIT\r\n");
    ck_assert(talk.dialogue.awaits_close);
    talk_close(&talk);
}
END_TEST

START_TEST(smtp_without_ehlo)
{
    const struct check_conf conf = {.kind = CHECK_SMTP, .host = host};
    struct talk talk;
    talk_begin(&talk, &conf, PIECE);
    talk_hear_text(&talk, "220\r\n");
    talk_said_text(&talk, "EHLO mx.example\r\n");
    ck_assert_int_eq(talk_hear_text(&talk, "502 not implemented\r\n"), DIALOGUE_GOES_ON);
    talk_said_text(&talk, "HELO mx.example\r\n");
    ck_assert_int_eq(talk_hear_text(&talk, "250\r\n"), DIALOGUE_PASSED);
    talk_said_text(&talk, "QUIT\r\n");
    talk_close(&talk);
    talk_begin(&talk, &conf, PIECE);
    talk_hear_text(&talk, "220\r\n500 what?\r\n");
    ck_assert_int_eq(talk_hear_text(&talk, "500 what?\r\n"), DIALOGUE_FAILED);
    talk_close(&talk);
}
END_TEST

START_TEST(smtp_refusals_fail)
{
    static const struct {
        const char *says, *reason;
    } cases[] = {
        {"554-no service\r\n554 for you\r\n", "greets with \"554 for you\""},
        {"421 too busy\r\n", "greets with \"421 too busy\""},
        {"250 ok\r\n", "greets with \"250 ok\""},
        {"220 hi\r\n550 go away\r\n", "answers EHLO with \"550 go away\""},
        {"220 hi\r\n220 hi\r\n", "answers EHLO with \"220 hi\""},
        {"+OK POP3 ready\r\n", "does not speak SMTP: \"+OK POP3 ready\""},
        {"22\r\n", "does not speak SMTP: \"22\""},
        {"2200 x\r\n", "does not speak SMTP: \"2200 x\""},
        {"\r\n", "does not speak SMTP: \"\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct talk talk;
        talk_begin(&talk, &smtp, PIECE);
        ck_assert_int_eq(talk_hear(&talk, cases[i].says, strlen(cases[i].says)), DIALOGUE_FAILED);
        ck_assert_str_eq(talk.dialogue.reason, cases[i].reason);
        talk_close(&talk);
    }
}
END_TEST

START_TEST(smtp_endless_reply_fails)
{
    struct talk talk;
    talk_begin(&talk, &smtp, PIECE);
    enum dialogue_verdict verdict = DIALOGUE_GOES_ON;
    for (unsigned i = 0; i < 100; i++) {
        ck_assert_int_eq(verdict, DIALOGUE_GOES_ON);
        verdict = talk_hear_text(&talk, "220-more\r\n");
    }
    ck_assert_int_eq(verdict, DIALOGUE_FAILED);
    talk_close(&talk);
}
END_TEST

/* --- agent --------------------------------------------------------------------------------- */

static const struct check_conf agent = {.kind = CHECK_AGENT};

START_TEST(agent_words)
{
    static const struct {
        const char *says;
        enum dialogue_verdict verdict;
        enum agent_state state;
        int percent;
        const char *reason;
    } cases[] = {
        {"up\n", DIALOGUE_PASSED, AGENT_SAYS_NOTHING, -1, ""},
        {"ready\r\n", DIALOGUE_PASSED, AGENT_READY, -1, ""},
        {"drain\n", DIALOGUE_PASSED, AGENT_DRAIN, -1, ""},
        {"MAINT\n", DIALOGUE_PASSED, AGENT_MAINT, -1, ""},
        {"75%\n", DIALOGUE_PASSED, AGENT_SAYS_NOTHING, 75, ""},
        {"0%\n", DIALOGUE_PASSED, AGENT_SAYS_NOTHING, 0, ""},
        {"999999%\n", DIALOGUE_PASSED, AGENT_SAYS_NOTHING, AGENT_PERCENT_MAX, ""},
        {"ready, up\t50% maxconn:30 # all is well\n", DIALOGUE_PASSED, AGENT_READY, 50, ""},
        {" , up ,\nsecond line", DIALOGUE_PASSED, AGENT_SAYS_NOTHING, -1, ""},
        {"down\n", DIALOGUE_FAILED, AGENT_SAYS_NOTHING, -1, "the agent says \"down\""},
        {"Fail#disk full\n", DIALOGUE_FAILED, AGENT_SAYS_NOTHING, -1,
         "the agent says \"fail\": disk full"},
        {"failed\n", DIALOGUE_FAILED, AGENT_SAYS_NOTHING, -1, "the agent says \"failed\""},
        {"stopped # upgrade\xc3\xa4\n", DIALOGUE_FAILED, AGENT_SAYS_NOTHING, -1,
         "the agent says \"stopped\":  upgrade??"},
        {"down up\n", DIALOGUE_PASSED, AGENT_SAYS_NOTHING, -1, ""},
        {"\n", DIALOGUE_FAILED, AGENT_SAYS_NOTHING, -1, "the agent says nothing"},
        {"#text only\n", DIALOGUE_FAILED, AGENT_SAYS_NOTHING, -1, "the agent says nothing"},
        {"upp\n", DIALOGUE_FAILED, AGENT_SAYS_NOTHING, -1,
         "the agent says \"upp\", which is no word of the protocol"},
        {"-5%\n", DIALOGUE_FAILED, AGENT_SAYS_NOTHING, -1,
         "the agent says \"-5%\", which is no word of the protocol"},
        {"%\n", DIALOGUE_FAILED, AGENT_SAYS_NOTHING, -1,
         "the agent says \"%\", which is no word of the protocol"},
        {"maxconn:\n", DIALOGUE_FAILED, AGENT_SAYS_NOTHING, -1,
         "the agent says \"maxconn:\", which is no word of the protocol"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct talk talk;
        talk_begin(&talk, &agent, PIECE);
        ck_assert_int_eq(talk_hear(&talk, cases[i].says, strlen(cases[i].says)), cases[i].verdict);
        ck_assert_str_eq(talk.dialogue.reason, cases[i].reason);
        ck_assert_int_eq(talk.dialogue.agent_state, cases[i].state);
        ck_assert_int_eq(talk.dialogue.agent_percent, cases[i].percent);
        talk_close(&talk);
    }
}
END_TEST

START_TEST(agent_line_ends_with_the_stream)
{
    struct talk talk;
    talk_begin(&talk, &agent, PIECE);
    ck_assert_int_eq(talk_hear_text(&talk, "drain"), DIALOGUE_GOES_ON);
    ck_assert_int_eq(talk_end_of_stream(&talk), DIALOGUE_PASSED);
    ck_assert_int_eq(talk.dialogue.agent_state, AGENT_DRAIN);
    talk_close(&talk);
    talk_begin(&talk, &agent, PIECE);
    ck_assert_int_eq(talk_end_of_stream(&talk), DIALOGUE_FAILED);
    talk_close(&talk);
}
END_TEST

/* --- all ----------------------------------------------------------------------------------- */

static const enum check kinds[] = {CHECK_REDIS, CHECK_SMTP, CHECK_AGENT};

START_TEST(early_ends_fail)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const struct check_conf conf = {.kind = kinds[i]};
        struct talk talk;
        talk_begin(&talk, &conf, PIECE);
        talk_hear_text(&talk, "+PO");
        ck_assert_int_eq(talk_end_of_stream(&talk), DIALOGUE_FAILED);
        ck_assert_str_ne(talk.dialogue.reason, "");
        talk_close(&talk);
    }
}
END_TEST

START_TEST(endless_lines_fail)
{
    char words[LINE_MAX_SIZE];
    memset(words, 'x', sizeof words);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const struct check_conf conf = {.kind = kinds[i]};
        struct talk talk;
        talk_begin(&talk, &conf, PIECE);
        ck_assert_int_eq(talk_hear(&talk, words, sizeof words - 1), DIALOGUE_GOES_ON);
        ck_assert_int_eq(talk_hear(&talk, words, 1), DIALOGUE_FAILED);
        talk_close(&talk);
    }
}
END_TEST

START_TEST(unprintable_bytes_are_masked)
{
    static const char words[] = "+PO\0NG\x1b[31m\r\n";
    struct talk talk;
    talk_begin(&talk, &redis, PIECE);
    ck_assert_int_eq(talk_hear_text(&talk, words), DIALOGUE_FAILED);
    ck_assert_str_eq(talk.dialogue.reason, "answers PING with \"+PO?NG?[31m\"");
    talk_close(&talk);
}
END_TEST

Suite *line_dialogues_suite(void)
{
    Suite *suite = suite_create("line_dialogues");
    TCase *tcase = tcase_create("line_dialogues");
    tcase_add_loop_test(tcase, redis_pong_passes, 0, 2);
    tcase_add_loop_test(tcase, redis_login_goes_first, 0, 2);
    tcase_add_loop_test(tcase, redis_errors_fail, 0, 2);
    tcase_add_loop_test(tcase, redis_role_decides, 0, 2);
    tcase_add_loop_test(tcase, smtp_goes_through, 0, 2);
    tcase_add_loop_test(tcase, smtp_without_ehlo, 0, 2);
    tcase_add_loop_test(tcase, smtp_refusals_fail, 0, 2);
    tcase_add_loop_test(tcase, smtp_endless_reply_fails, 0, 2);
    tcase_add_loop_test(tcase, agent_words, 0, 2);
    tcase_add_loop_test(tcase, agent_line_ends_with_the_stream, 0, 2);
    tcase_add_loop_test(tcase, early_ends_fail, 0, 2);
    tcase_add_loop_test(tcase, endless_lines_fail, 0, 2);
    tcase_add_loop_test(tcase, unprintable_bytes_are_masked, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}
