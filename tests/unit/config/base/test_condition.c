#include "config/base/condition.h"
#include "tests/unit/suites.h"

#include <check.h>

/* Any time, in milliseconds since the start of the machine. */
#define START 5

START_TEST(begins_once)
{
    struct condition condition = {0};
    ck_assert(!condition_over(&condition, START));
    ck_assert(!condition_lasts(&condition));
    ck_assert(condition_met(&condition, 24, START));
    ck_assert(condition_lasts(&condition));
    for (uint64_t now = START; now < START + 100 * CONDITION_QUIET_MS; now += 100)
        ck_assert(!condition_met(&condition, 24, now));
}
END_TEST

START_TEST(is_over_after_a_quiet_time)
{
    struct condition condition = {0};
    ck_assert(condition_met(&condition, 24, START));
    ck_assert_uint_eq(condition_ends_at(&condition), START + CONDITION_QUIET_MS);
    ck_assert(!condition_over(&condition, condition_ends_at(&condition) - 1));
    ck_assert(condition_over(&condition, condition_ends_at(&condition)));
    ck_assert(!condition_over(&condition, START + 2 * CONDITION_QUIET_MS));
    ck_assert(condition_met(&condition, 24, START + 2 * CONDITION_QUIET_MS));
}
END_TEST

/* For example: one of two servers refuses connections. */
START_TEST(short_breaks_do_not_end_a_condition)
{
    struct condition condition = {0};
    unsigned begun = 0, over = 0;
    for (uint64_t now = START; now < START + 100 * CONDITION_QUIET_MS; now += 50) {
        begun += condition_met(&condition, 24, now);
        over += condition_over(&condition, now + 25);
    }
    ck_assert_uint_eq(begun, 1);
    ck_assert_uint_eq(over, 0);
}
END_TEST

/* condition_over() is not called in between. */
START_TEST(begins_again_after_a_quiet_time)
{
    struct condition condition = {0};
    ck_assert(condition_met(&condition, 24, START));
    ck_assert(condition_met(&condition, 24, START + CONDITION_QUIET_MS));
    ck_assert(!condition_met(&condition, 24, START + CONDITION_QUIET_MS + 1));
}
END_TEST

START_TEST(rare_attempts_take_longer)
{
    const uint64_t interval = 3 * CONDITION_QUIET_MS;
    struct condition condition = {.quiet_ms = 2 * interval};
    ck_assert(condition_met(&condition, 24, START));
    for (int i = 1; i < 10; i++)
        ck_assert(!condition_met(&condition, 24, START + (uint64_t)i * interval));
    ck_assert(!condition_over(&condition, START + 10 * interval));
    ck_assert(condition_over(&condition, START + 11 * interval));
}
END_TEST

START_TEST(another_reason_is_a_change)
{
    struct condition condition = {0};
    unsigned begun = 0;
    for (uint64_t now = START; now < START + CONDITION_QUIET_MS; now += 10) {
        begun += condition_met(&condition, 23, now);
        begun += condition_met(&condition, 24, now);
    }
    ck_assert_uint_eq(begun, 2);
    for (int reason = 1; reason < 100; reason++)
        begun += condition_met(&condition, reason, START + CONDITION_QUIET_MS);
    ck_assert_uint_eq(begun, CONDITION_REASONS_MAX);
}
END_TEST

Suite *condition_suite(void)
{
    Suite *suite = suite_create("condition");
    TCase *tests = tcase_create("tests");
    tcase_add_test(tests, begins_once);
    tcase_add_test(tests, is_over_after_a_quiet_time);
    tcase_add_test(tests, short_breaks_do_not_end_a_condition);
    tcase_add_test(tests, begins_again_after_a_quiet_time);
    tcase_add_test(tests, rare_attempts_take_longer);
    tcase_add_test(tests, another_reason_is_a_change);
    suite_add_tcase(suite, tests);
    return suite;
}
