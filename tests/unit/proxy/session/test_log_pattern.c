/* Lines of the access log by a pattern. */
#include "config/options/log_values.h"
#include "proxy/session/log_pattern.h"
#include "tests/unit/suites.h"

#include <check.h>
#include <string.h>

static struct log_format format;
static const char *word;

static void teardown(void)
{
    option_log_format.release(&format);
}

static struct log_field value_of(void *arg, enum access_field which)
{
    struct log_field field = {.name = access_field_names[which], .number = 1500};
    (void)arg;
    if (which == ACCESS_SNI)
        field.value = word ? LOG_WORD : LOG_NOTHING;
    else
        field.value = which == ACCESS_TOTAL_MS ? LOG_MICROSECONDS : LOG_COUNT;
    field.word = word;
    return field;
}

static void expect(const char *pattern, const char *sni, size_t room, const char *expected)
{
    char bytes[128];
    struct line line = {.bytes = bytes, .size = room};
    const struct option_context context = {.files = NULL};
    word = sni;
    ck_assert_ptr_null(option_log_format.read(pattern, &format, &context));
    log_pattern_put(&line, &format, value_of, NULL);
    bytes[line.length] = '\0';
    ck_assert_str_eq(bytes, expected);
}

START_TEST(values_stand_where_the_pattern_has_them)
{
    expect("<%{bytes_in}> \"%{sni}\" %{total_ms}%", "a.example", 100,
           "<1500> \"a.example\" 1.500%");
    expect("%{sni}", NULL, 100, "-");
}
END_TEST

/* A client chooses the name. */
START_TEST(no_value_ends_a_quotation_or_the_line)
{
    expect("\"%{sni}\"", "a\"b\\c\nd", 100, "\"a\\x22b\\x5cc\\nd\"");
}
END_TEST

START_TEST(a_line_without_room_is_cut)
{
    expect("%{sni} end", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 20, "aaaaaaaaaaaaaaaa...");
}
END_TEST

Suite *log_pattern_suite(void)
{
    Suite *suite = suite_create("log_pattern");
    TCase *tcase = tcase_create("lines");
    tcase_add_checked_fixture(tcase, NULL, teardown);
    tcase_add_test(tcase, values_stand_where_the_pattern_has_them);
    tcase_add_test(tcase, no_value_ends_a_quotation_or_the_line);
    tcase_add_test(tcase, a_line_without_room_is_cut);
    suite_add_tcase(suite, tcase);
    return suite;
}
