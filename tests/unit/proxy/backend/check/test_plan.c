/* When a server is checked next. */
#include "proxy/backend/check/plan.h"
#include "tests/unit/suites.h"

#include <check.h>

static const struct check_conf conf = {
    .interval = 2000, .interval_fast = 100, .interval_down = 9000};

START_TEST(the_interval_follows_the_state)
{
    const struct check_conf plain = {.interval = 2000};
    ck_assert_uint_eq(plan_next(&conf, PACE_NORMAL, 10000, 10001, 0), 12000);
    ck_assert_uint_eq(plan_next(&conf, PACE_CHANGING, 10000, 10001, 0), 10100);
    ck_assert_uint_eq(plan_next(&conf, PACE_DOWN, 10000, 10001, 0), 19000);
    for (unsigned pace = PACE_NORMAL; pace <= PACE_DOWN; pace++)
        ck_assert_uint_eq(plan_interval(&plain, pace), 2000);
}
END_TEST

/* However late the loop was, servers that were spread stay spread. */
START_TEST(a_late_check_keeps_its_place)
{
    ck_assert_uint_eq(plan_next(&conf, PACE_NORMAL, 10000, 12000, 0), 14000);
    ck_assert_uint_eq(plan_next(&conf, PACE_NORMAL, 10000, 17999, 0), 18000);
    ck_assert_uint_eq(plan_next(&conf, PACE_NORMAL, 10000, 18000, 0), 20000);
}
END_TEST

START_TEST(jitter_is_earlier)
{
    struct check_conf jittery = conf;
    jittery.jitter = 50;
    uint64_t least = UINT64_MAX, most = 0;
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t due = plan_next(&jittery, PACE_NORMAL, 10000, 10001, i * UINT32_C(2654435769));
        least = due < least ? due : least;
        most = due > most ? due : most;
    }
    ck_assert_uint_ge(least, 11000);
    ck_assert_uint_le(least, 11010);
    ck_assert_uint_ge(most, 11990);
    ck_assert_uint_le(most, 12000);
    /* never in the past */
    ck_assert_uint_gt(plan_next(&jittery, PACE_NORMAL, 10000, 11999, UINT32_MAX), 11999);
}
END_TEST

START_TEST(checks_come_in_groups)
{
    ck_assert_uint_eq(plan_wake(10001, 2000), 10020);
    ck_assert_uint_eq(plan_wake(10020, 2000), 10020);
    ck_assert_uint_eq(plan_wake(10001, 100), 10001);
    ck_assert_uint_eq(plan_wake(10001, 1000), 10010);
}
END_TEST

Suite *plan_suite(void)
{
    Suite *suite = suite_create("plan");
    TCase *tcase = tcase_create("plan");
    tcase_add_test(tcase, the_interval_follows_the_state);
    tcase_add_test(tcase, a_late_check_keeps_its_place);
    tcase_add_test(tcase, jitter_is_earlier);
    tcase_add_test(tcase, checks_come_in_groups);
    suite_add_tcase(suite, tcase);
    return suite;
}
