#include "config/syntax/expand.h"
#include "config/syntax/suggest.h"
#include "config/syntax/value.h"
#include "tests/unit/suites.h"

#include <stdlib.h>

static const struct {
    const char *text;
    millis value;
} good_times[] = {
    {"0s", 0},       {"0h", 0},       {"1ms", 1},     {"5s", 5000},
    {"10m", 600000}, {"1h", 3600000}, {"007s", 7000}, {"18446744073709551615ms", UINT64_MAX}};

START_TEST(time_is_read)
{
    millis value = 1;
    ck_assert_ptr_null(value_duration(good_times[_i].text, &value));
    ck_assert_uint_eq(value, good_times[_i].value);
}
END_TEST

#define NO_TIME "is not a time; write a number and its unit: 100ms, 5s, 10m, 1h"

static const struct {
    const char *text;
    const char *wrong;
} bad_times[] = {
    {"", NO_TIME},
    {"s", NO_TIME},
    {"-1s", NO_TIME},
    {"+1s", NO_TIME},
    {"1.5s", NO_TIME},
    {"1 s", NO_TIME},
    {"1S", NO_TIME},
    {"1h30m", NO_TIME},
    {"1d", NO_TIME},
    {"0x1s", NO_TIME},
    {"0", "needs a unit: 100ms, 5s, 10m, 1h"},
    {"5", "needs a unit: 100ms, 5s, 10m, 1h"},
    {"18446744073709551616ms", "is too large"},
    {"18446744073709552s", "is too large"},
    {"99999999999999999999999h", "is too large"},
};

START_TEST(bad_time_is_refused)
{
    millis value = 42;
    ck_assert_pstr_eq(value_duration(bad_times[_i].text, &value), bad_times[_i].wrong);
    ck_assert_uint_eq(value, 42);
}
END_TEST

static const struct {
    millis value;
    const char *text;
} time_texts[] = {{0, "0s"},
                  {1, "1ms"},
                  {1000, "1s"},
                  {1500, "1500ms"},
                  {60000, "1m"},
                  {90000, "90s"},
                  {3600000, "1h"},
                  {31536000000, "8760h"},
                  {UINT64_MAX, "18446744073709551615ms"}};

START_TEST(time_is_written_in_its_largest_exact_unit)
{
    char text[DURATION_TEXT_MAX];
    millis back;
    ck_assert_str_eq(duration_text(time_texts[_i].value, text), time_texts[_i].text);
    ck_assert_ptr_null(value_duration(text, &back));
    ck_assert_uint_eq(back, time_texts[_i].value);
}
END_TEST

START_TEST(number_is_digits_only)
{
    uint64_t value = 42;
    ck_assert_ptr_null(value_unsigned("0", &value));
    ck_assert_uint_eq(value, 0);
    ck_assert_ptr_null(value_unsigned("18446744073709551615", &value));
    ck_assert_uint_eq(value, UINT64_MAX);
    ck_assert_str_eq(value_unsigned("18446744073709551616", &value), "is too large");
    ck_assert_str_eq(value_unsigned("184467440737095516150", &value), "is too large");
    ck_assert_str_eq(value_unsigned("", &value), "is not a whole number");
    ck_assert_str_eq(value_unsigned("-1", &value), "is not a whole number");
    ck_assert_str_eq(value_unsigned("+1", &value), "is not a whole number");
    ck_assert_str_eq(value_unsigned(" 1", &value), "is not a whole number");
    ck_assert_str_eq(value_unsigned("1k", &value), "is not a whole number");
    ck_assert_str_eq(value_unsigned("0x10", &value), "is not a whole number");
    ck_assert_uint_eq(value, UINT64_MAX);
}
END_TEST

START_TEST(yes_and_no_and_nothing_else)
{
    bool value = false;
    ck_assert_ptr_null(value_bool("yes", &value));
    ck_assert(value);
    ck_assert_ptr_null(value_bool("no", &value));
    ck_assert(!value);
    ck_assert_str_eq(value_bool("true", &value), "must be yes or no");
    ck_assert_str_eq(value_bool("Yes", &value), "must be yes or no");
    ck_assert_str_eq(value_bool("", &value), "must be yes or no");
}
END_TEST

START_TEST(names_contain_few_characters)
{
    ck_assert(is_name("a"));
    ck_assert(is_name("Web-1_b.example"));
    ck_assert(!is_name(""));
    ck_assert(!is_name("a b"));
    ck_assert(!is_name("a/b"));
    ck_assert(!is_name("a\nb"));
    ck_assert(!is_name("\xc3\xa4"));
}
END_TEST

static const struct {
    const char *value;
    const char *expanded; /* NULL: an error */
    const char *wrong;
} expansions[] = {
    {"plain", "plain", NULL},
    {"", "", NULL},
    {"${SET}", "it", NULL},
    {"a${SET}b${SET}c", "aitbitc", NULL},
    {"${EMPTY}", "", NULL},
    {"${EMPTY:-d}", "d", NULL},
    {"${UNSET:-d}", "d", NULL},
    {"${UNSET:-}", "", NULL},
    {"${UNSET:-a:-b c}", "a:-b c", NULL},
    {"${SET:-d}", "it", NULL},
    {"${NESTED}", "${SET}", NULL},
    {"${UNSET:-${SET}}", "it", NULL},
    {"<${UNSET:-a${SET}b}>", "<aitb>", NULL},
    {"${UNSET:-${UNSET:-${EMPTY:-${SET}!}}}", "it!", NULL},
    {"${UNSET:-${NESTED}}", "${SET}", NULL},
    {"${SET:-${UNSET}}", "it", NULL},
    {"${UNSET:-{$}}", "{$}", NULL},
    {"${UNSET:-${UNSET:-${UNSET:-${UNSET:-${UNSET:-${UNSET:-${UNSET:-${UNSET:-8}}}}}}}}", "8",
     NULL},
    {"$SET $", "$SET $", NULL},
    {"$${SET}", "$it", NULL},
    {"}", "}", NULL},
    {"${UNSET}", NULL, "variable 'UNSET' is not defined; ${UNSET:-DEFAULT} gives it a default"},
    {"x${SET}${UNSET}", NULL,
     "variable 'UNSET' is not defined; ${UNSET:-DEFAULT} gives it a default"},
    {"${SET", NULL, "'${' has no '}'"},
    {"${", NULL, "'${' has no '}'"},
    {"${}", NULL, "variables are written ${NAME} or ${NAME:-DEFAULT}"},
    {"${1A}", NULL, "variables are written ${NAME} or ${NAME:-DEFAULT}"},
    {"${A B}", NULL, "variables are written ${NAME} or ${NAME:-DEFAULT}"},
    {"${SET-d}", NULL, "variables are written ${NAME} or ${NAME:-DEFAULT}"},
    {"${UNSET:-${UNSET}}", NULL,
     "variable 'UNSET' is not defined; ${UNSET:-DEFAULT} gives it a default"},
    {"${UNSET:-${SET}", NULL, "'${' has no '}'"},
    {"${SET:-${SET}", NULL, "'${' has no '}'"},
    {"${SET:-${1A}}", NULL, "variables are written ${NAME} or ${NAME:-DEFAULT}"},
    {"${UNSET:-${UNSET:-${UNSET:-${UNSET:-${UNSET:-${UNSET:-${UNSET:-${UNSET:-${UNSET:-9}}}}}}}}}",
     NULL, "too many nested defaults; at most 8 are possible"},
    {"${:-d}", NULL, "variables are written ${NAME} or ${NAME:-DEFAULT}"},
};

START_TEST(variables_are_expanded)
{
    const char *wrong;
    setenv("SET", "it", 1);
    setenv("EMPTY", "", 1);
    setenv("NESTED", "${SET}", 1);
    unsetenv("UNSET");
    char *expanded = expand_variables(expansions[_i].value, NULL, &wrong);
    ck_assert_pstr_eq(expanded, expansions[_i].expanded);
    ck_assert_pstr_eq(wrong, expansions[_i].wrong);
    free(expanded);
}
END_TEST

START_TEST(only_values_of_variables_are_quoted)
{
    const char *wrong;
    setenv("SPECIAL", "a*\\", 1);
    char *expanded = expand_variables("*${SPECIAL}${UNSET:-*${SPECIAL}}", "*\\", &wrong);
    ck_assert_pstr_eq(expanded, "*a\\*\\\\*a\\*\\\\");
    free(expanded);
}
END_TEST

static const struct {
    const char *unknown;
    const char *text;
} suggestions[] = {
    {"retires", "; did you mean 'retries'?"},
    {"retrie", "; did you mean 'retries'?"},
    {"Retries", "; did you mean 'retries'?"},
    {"conect_timeout", "; did you mean 'connect-timeout'?"},
    {"bnd", "; did you mean 'bind'?"},
    {"timeout", ""},
    {"x", ""},
    {"", ""},
    {"queue-timeout", ""},
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", ""},
};

START_TEST(nearest_word_is_suggested)
{
    char text[SUGGEST_TEXT_MAX];
    struct suggestion suggestion = suggest_begin(suggestions[_i].unknown);
    suggest_offer(&suggestion, "bind");
    suggest_offer(&suggestion, "retries");
    suggest_offer(&suggestion, "connect-timeout");
    suggest_offer(&suggestion, "y");
    ck_assert_str_eq(suggest_text(&suggestion, text), suggestions[_i].text);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

Suite *value_suite(void)
{
    Suite *suite = suite_create("value");
    TCase *values = tcase_create("values");
    tcase_add_loop_test(values, time_is_read, 0, COUNT(good_times));
    tcase_add_loop_test(values, bad_time_is_refused, 0, COUNT(bad_times));
    tcase_add_loop_test(values, time_is_written_in_its_largest_exact_unit, 0, COUNT(time_texts));
    tcase_add_test(values, number_is_digits_only);
    tcase_add_test(values, yes_and_no_and_nothing_else);
    tcase_add_test(values, names_contain_few_characters);
    suite_add_tcase(suite, values);
    TCase *texts = tcase_create("texts");
    tcase_add_loop_test(texts, variables_are_expanded, 0, COUNT(expansions));
    tcase_add_test(texts, only_values_of_variables_are_quoted);
    tcase_add_loop_test(texts, nearest_word_is_suggested, 0, COUNT(suggestions));
    suite_add_tcase(suite, texts);
    return suite;
}
