#include "config/base/cpus.h"
#include "tests/unit/suites.h"

#include <check.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

static struct cpus usable;

static void setup(void)
{
    cpus_usable(&usable);
    ck_assert_uint_gt(usable.count, 0);
}

START_TEST(usable_cpus_come_from_the_kernel)
{
    cpu_set_t set;
    ck_assert_int_eq(sched_getaffinity(0, sizeof set, &set), 0);
    ck_assert_int_eq(CPU_COUNT(&set), (int)usable.count);
    for (unsigned i = 0; i < usable.count; i++) {
        ck_assert(CPU_ISSET(usable.list[i], &set));
        ck_assert(i == 0 || usable.list[i - 1] < usable.list[i]);
    }
}
END_TEST

START_TEST(a_list_keeps_its_order)
{
    char text[32];
    struct cpus cpus;
    unsigned first = usable.list[0], last = usable.list[usable.count - 1];
    if (first == last)
        snprintf(text, sizeof text, "%u", first);
    else
        snprintf(text, sizeof text, "%u,%u", last, first);
    ck_assert_ptr_null(cpus_parse(text, &cpus));
    ck_assert_uint_eq(cpus.list[0], last);
    ck_assert_uint_eq(cpus.list[cpus.count - 1], first);
}
END_TEST

START_TEST(written_list_can_be_read)
{
    char text[CPUS_TEXT_MAX];
    struct cpus cpus;
    cpus_format(&usable, text);
    if (strstr(text, "...")) {
        unit_skip("too many CPUs for a text");
        return;
    }
    ck_assert_ptr_null(cpus_parse(text, &cpus));
    ck_assert_uint_eq(cpus.count, usable.count);
    ck_assert_int_eq(memcmp(cpus.list, usable.list, cpus.count * sizeof *cpus.list), 0);
}
END_TEST

START_TEST(texts)
{
    char text[CPUS_TEXT_MAX];
    const struct cpus some = {.count = 5, .list = {0, 2, 3, 4, 1}};
    ck_assert_str_eq(cpus_format(&some, text), "0,2-4,1");
    ck_assert_str_eq(cpus_format(&(struct cpus){0}, text), "");
    struct cpus many = {0};
    while (many.count < 100) {
        many.list[many.count] = (unsigned short)(2 * many.count);
        many.count++;
    }
    cpus_format(&many, text);
    ck_assert_str_eq(text + strlen(text) - 3, "...");
}
END_TEST

static const char *const no_lists[] = {"",    ",",   "a",    "-1",   "1-",  "0,",  "0-1-2",
                                       "0 1", "0;1", "0, 1", "1-0,", "2-1", "0x1", "all"};

START_TEST(not_a_list)
{
    struct cpus cpus = {.count = 7};
    const char *wrong = cpus_parse(no_lists[_i], &cpus);
    ck_assert_ptr_nonnull(wrong);
    ck_assert_uint_eq(cpus.count, 7);
}
END_TEST

START_TEST(cpus_must_be_usable_and_unique)
{
    char text[32];
    char wanted[64];
    struct cpus cpus = {0};
    snprintf(text, sizeof text, "%u,%u", usable.list[0], usable.list[0]);
    snprintf(wanted, sizeof wanted, "names CPU %u twice", usable.list[0]);
    ck_assert_str_eq(cpus_parse(text, &cpus), wanted);
    const char *wrong = cpus_parse("99999999999999999999", &cpus);
    ck_assert_msg(strncmp(wrong, "names CPU 1024 or higher, and", 29) == 0, "%s", wrong);
    wrong = cpus_parse("0-99999999999999999999", &cpus);
    ck_assert_ptr_nonnull(strstr(wrong, ", and this process may use only "));
    ck_assert_uint_eq(cpus.count, 0);
}
END_TEST

Suite *cpus_suite(void)
{
    Suite *suite = suite_create("cpus");
    TCase *tcase = tcase_create("cpus");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, usable_cpus_come_from_the_kernel);
    tcase_add_test(tcase, a_list_keeps_its_order);
    tcase_add_test(tcase, written_list_can_be_read);
    tcase_add_test(tcase, texts);
    tcase_add_loop_test(tcase, not_a_list, 0, sizeof no_lists / sizeof no_lists[0]);
    tcase_add_test(tcase, cpus_must_be_usable_and_unique);
    suite_add_tcase(suite, tcase);
    return suite;
}
