/* When servers are ejected, for how long, and how many of them; by values, without a clock. */
#include "proxy/backend/ejection.h"
#include "tests/unit/suites.h"

#include <check.h>

static const struct ejection_rules rules = {.max_fails = 3, .window = 1000, .time = 500};
static struct ejection ejection;
static struct fail_times fail_times;

static void setup(void)
{
    ejection = (struct ejection){0};
}

static void teardown(void)
{
    fail_times_free(&fail_times);
}

static bool fail_at(uint64_t now)
{
    return ejection_note_failures(&ejection, &fail_times, &rules, 1, now);
}

START_TEST(enough_failures_in_the_window)
{
    ck_assert(!fail_at(10000));
    ck_assert(!fail_at(10900));
    ck_assert(!fail_at(11001)); /* the first one is too old */
    ck_assert_uint_eq(ejection.fails, 2);
    ck_assert_uint_eq(ejection.first_fail, 10900);
    ck_assert(fail_at(11900));
    ck_assert(fail_at(11900)); /* it could not be ejected: the next failure asks again */
}
END_TEST

START_TEST(many_at_once)
{
    ck_assert(ejection_note_failures(&ejection, &fail_times, &rules, 1000000, 5));
    ck_assert_uint_eq(ejection.fails, 3);
}
END_TEST

START_TEST(never)
{
    const struct ejection_rules off = {0};
    ck_assert(!ejection_note_failures(&ejection, &fail_times, &off, 1000, 5));
}
END_TEST

/* What another process has counted counts. */
START_TEST(failures_go_over)
{
    (void)fail_at(10000);
    (void)fail_at(10400);
    struct fail_times other = {0};
    ck_assert(ejection_note_failures(&ejection, &other, &rules, 1, 10900));
    fail_times_free(&other);
    ejection = (struct ejection){.fails = 100, .first_fail = 10000};
    ck_assert(!ejection_note_failures(&ejection, &other, &rules, 1, 12000));
    ck_assert_uint_eq(ejection.fails, 1);
    fail_times_free(&other);
}
END_TEST

START_TEST(each_repeat_is_longer)
{
    uint64_t now = 10000;
    for (unsigned n = 1; n <= EJECTION_MOST + 2; n++) {
        ejection_begin(&ejection, &fail_times, &rules, now);
        unsigned times = n < EJECTION_MOST ? n : EJECTION_MOST;
        ck_assert(ejection_holds(&ejection));
        ck_assert_uint_eq(ejection.until, now + 500 * times);
        ck_assert_uint_eq(ejection.repeats, n);
        ck_assert(!fail_at(now)); /* of sessions that had begun before */
        now = ejection.until;
        ejection_end(&ejection, now);
        ck_assert(!ejection_holds(&ejection));
        ck_assert(!fail_at(now));
        now += 1000;
    }
}
END_TEST

START_TEST(after_a_good_time_it_begins_anew)
{
    ejection_begin(&ejection, &fail_times, &rules, 10000);
    ejection_end(&ejection, 10500);
    ejection_begin(&ejection, &fail_times, &rules, 12000); /* 500 and 1000 after its end */
    ck_assert_uint_eq(ejection.repeats, 2);
    ejection_end(&ejection, 13000);
    ejection_begin(&ejection, &fail_times, &rules, 15001);
    ck_assert_uint_eq(ejection.repeats, 1);
    ck_assert_uint_eq(ejection.until, 15501);
}
END_TEST

START_TEST(not_all_are_ejected)
{
    ck_assert(ejection_is_allowed(4, 0, 3, 50));
    ck_assert(ejection_is_allowed(4, 1, 2, 50));
    ck_assert(!ejection_is_allowed(4, 2, 1, 50));
    ck_assert(ejection_is_allowed(5, 1, 3, 50));
    ck_assert(!ejection_is_allowed(5, 2, 2, 50));
    ck_assert(ejection_is_allowed(5, 0, 4, 1)); /* one may always be */
    ck_assert(!ejection_is_allowed(5, 0, 4, 0));
    ck_assert(!ejection_is_allowed(5, 0, 0, 100)); /* it is alone */
    ck_assert(!ejection_is_allowed(1, 0, 0, 50));
    ck_assert(ejection_is_allowed(2, 0, 1, 50));
}
END_TEST

Suite *ejection_suite(void)
{
    Suite *suite = suite_create("ejection");
    TCase *tcase = tcase_create("ejection");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, enough_failures_in_the_window);
    tcase_add_test(tcase, many_at_once);
    tcase_add_test(tcase, never);
    tcase_add_test(tcase, failures_go_over);
    tcase_add_test(tcase, each_repeat_is_longer);
    tcase_add_test(tcase, after_a_good_time_it_begins_anew);
    tcase_add_test(tcase, not_all_are_ejected);
    suite_add_tcase(suite, tcase);
    return suite;
}
