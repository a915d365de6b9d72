/* Checks that send and expect. */
#include "config/base/pattern.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/answers.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS_MAX = 8 };

static struct check_step steps[STEPS_MAX];
static struct check_conf conf;

static void setup(void)
{
    memset(steps, 0, sizeof steps);
    conf = (struct check_conf){.kind = CHECK_STEPS, .steps = steps};
}

static void teardown(void)
{
    for (size_t i = 0; i < conf.step_count; i++) {
        free(steps[i].text);
        pattern_free(steps[i].pattern);
    }
}

static void add(enum check_step_kind kind, const char *text, size_t length)
{
    struct check_step *step = &steps[conf.step_count++];
    step->kind = kind;
    step->text = malloc(length + 1);
    memcpy(step->text, text, length + 1);
    step->length = length;
    if (kind == CHECK_EXPECT_REGEX)
        ck_assert_ptr_null(pattern_new(text, &step->pattern));
}

#define ADD(kind, text) add(kind, text, sizeof text - 1)

static struct talk hear(const char *said, size_t length, bool ends)
{
    struct talk whole = talk(&conf, said, length, length + 1, ends);
    for (size_t piece = 1; piece <= length && piece < 20; piece++)
        ck_assert_int_eq(talk(&conf, said, length, piece, ends).verdict, whole.verdict);
    return whole;
}

#define HEAR(text, ends) hear(text, sizeof text - 1, ends)

START_TEST(steps_in_their_order)
{
    ADD(CHECK_EXPECT, "220 ");
    ADD(CHECK_SEND, "NOOP\r\n");
    ADD(CHECK_EXPECT, "250");
    ADD(CHECK_SEND, "QUIT\r\n");
    struct talk heard = HEAR("220 mail\r\n250 OK\r\n", false);
    ck_assert_int_eq(heard.verdict, DIALOGUE_PASSED);
    ck_assert_str_eq(heard.sent, "NOOP\r\nQUIT\r\n");
    ck_assert(heard.awaits_close);
    ck_assert_int_eq(HEAR("220 mail\r\n25", false).verdict, DIALOGUE_GOES_ON);
    heard = HEAR("220 mail\r\n500 No\r\n", true);
    ck_assert_int_eq(heard.verdict, DIALOGUE_FAILED);
    ck_assert_ptr_nonnull(strstr(heard.reason, "step 3"));
    ck_assert_ptr_nonnull(strstr(heard.reason, "'mail?"
                                               "?500 No?"
                                               "?'"));
}
END_TEST

/* An expectation does not find again what the one before has found. */
START_TEST(what_was_found_is_used_up)
{
    ADD(CHECK_EXPECT, "ab");
    ADD(CHECK_EXPECT, "ab");
    ck_assert_int_eq(HEAR("xxab", true).verdict, DIALOGUE_FAILED);
    ck_assert_int_eq(HEAR("xxaabxabx", false).verdict, DIALOGUE_PASSED);
}
END_TEST

START_TEST(bytes_of_any_kind)
{
    ADD(CHECK_SEND, "a\0b");
    ADD(CHECK_EXPECT, "\0\xff\0");
    ck_assert_int_eq(HEAR("\0\xff\0", false).verdict, DIALOGUE_PASSED);
    ck_assert_int_eq(HEAR("\0\xff\1\0\xff", false).verdict, DIALOGUE_GOES_ON);
    ck_assert_int_eq(HEAR("\0\xff\1", true).verdict, DIALOGUE_FAILED);
}
END_TEST

START_TEST(regular_expressions)
{
    ADD(CHECK_EXPECT_REGEX, "role:(master|primary)\r\n");
    ADD(CHECK_EXPECT, "end");
    ck_assert_int_eq(HEAR("# x\r\nrole:primary\r\nend", false).verdict, DIALOGUE_PASSED);
    ck_assert_int_eq(HEAR("# x\r\nrole:slave\r\nend", false).verdict, DIALOGUE_GOES_ON);
    ck_assert_int_eq(HEAR("# x\r\nrole:slave\r\nend", true).verdict, DIALOGUE_FAILED);
}
END_TEST

START_TEST(only_sending_passes)
{
    ADD(CHECK_SEND, "hello");
    struct talk heard = talk(&conf, "", 0, 1, false);
    ck_assert_int_eq(heard.verdict, DIALOGUE_PASSED);
    ck_assert(heard.awaits_close); /* or it would not be sent */
}
END_TEST

START_TEST(endless_talk_is_bounded)
{
    enum { HUGE = 1024 * 1024 };
    char *said = malloc(HUGE);
    memset(said, 'x', HUGE);
    ADD(CHECK_EXPECT_REGEX, "(x+x+)+y"); /* takes exponential time in many engines */
    struct talk heard = talk(&conf, said, HUGE, 1000, false);
    ck_assert_int_eq(heard.verdict, DIALOGUE_FAILED);
    ck_assert_uint_le(heard.heard, 2 * DIALOGUE_INPUT_MAX);
    teardown();
    setup();
    ADD(CHECK_EXPECT, "y");
    heard = talk(&conf, said, HUGE, 1000, false);
    ck_assert_int_eq(heard.verdict, DIALOGUE_FAILED);
    ck_assert_uint_le(heard.heard, 2 * DIALOGUE_INPUT_MAX);
    free(said);
}
END_TEST

Suite *steps_dialogue_suite(void)
{
    Suite *suite = suite_create("steps_dialogue");
    TCase *tcase = tcase_create("steps_dialogue");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, steps_in_their_order);
    tcase_add_test(tcase, what_was_found_is_used_up);
    tcase_add_test(tcase, bytes_of_any_kind);
    tcase_add_test(tcase, regular_expressions);
    tcase_add_test(tcase, only_sending_passes);
    tcase_add_test(tcase, endless_talk_is_bounded);
    suite_add_tcase(suite, tcase);
    return suite;
}
