/* The words of errors. */
#include "config/base/error_text.h"
#include "tests/unit/suites.h"

#include <errno.h>
#include <string.h>

START_TEST(several_texts_are_valid)
{
    const char *first = error_text("%d", 1), *second = error_text("%s, 2", first);
    errno = ENOENT;
    const char *third = error_text("%s, 3", second);
    ck_assert_int_eq(errno, ENOENT);
    (void)error_text("4");
    ck_assert_str_eq(first, "1");
    ck_assert_str_eq(second, "1, 2");
    ck_assert_str_eq(third, "1, 2, 3");
}
END_TEST

START_TEST(long_texts_are_cut)
{
    char argument[2 * ERROR_TEXT_MAX];
    memset(argument, 'x', sizeof argument);
    argument[sizeof argument - 1] = '\0';
    ck_assert_uint_eq(strlen(error_text("%s", argument)), ERROR_TEXT_MAX - 1);
}
END_TEST

Suite *error_text_suite(void)
{
    Suite *suite = suite_create("error_text");
    TCase *tcase = tcase_create("error_text");
    tcase_add_test(tcase, several_texts_are_valid);
    tcase_add_test(tcase, long_texts_are_cut);
    suite_add_tcase(suite, tcase);
    return suite;
}
