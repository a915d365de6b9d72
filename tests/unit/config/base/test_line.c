#include "config/base/line.h"
#include "tests/unit/suites.h"

#include <jansson.h>
#include <string.h>

static char bytes[256];

static struct line line_of(size_t size)
{
    memset(bytes, '#', sizeof bytes);
    return (struct line){.bytes = bytes, .size = size};
}

static void expect(const struct line *line, const char *text)
{
    ck_assert_msg(line->length == strlen(text) && memcmp(line->bytes, text, line->length) == 0,
                  "'%.*s' is not '%s'", (int)line->length, line->bytes, text);
    ck_assert_int_eq(bytes[line->size], '#');
}

START_TEST(what_does_not_fit_changes_nothing)
{
    struct line line = line_of(8);
    ck_assert(line_put(&line, "12345", 5));
    ck_assert(!line_put(&line, "6789", 4));
    ck_assert(!line_print(&line, "%d", 678)); /* printf needs room for a NUL */
    ck_assert(line_print(&line, "%d", 67));
    ck_assert(line_put(&line, "8", 1));
    expect(&line, "12345678");
}
END_TEST

START_TEST(text_stays_one_line)
{
    struct line line = line_of(100);
    line_put_text(&line, "a\nb\r\t\x1b[31m\x7f\x01 \xc3\xa4 \\\"", false, 100);
    expect(&line, "a\\nb\\r\\t\\x1b[31m\\x7f\\x01 \xc3\xa4 \\\"");
    line.length = 0;
    line_put_quotable(&line, "a\\\"b\n", 100);
    expect(&line, "a\\x5c\\x22b\\n");
}
END_TEST

/* Of each size: never longer, never half an escape or half a character. */
START_TEST(text_is_cut_between_characters)
{
    static const char text[] = "ab\xe2\x82\xac\x01\xf0\x9f\x98\x80z";
    for (size_t most = 0; most < 30; most++) {
        struct line line = line_of(200);
        line_put(&line, "x", 1);
        line_put_text(&line, text, false, most);
        ck_assert(line.length <= most || line.length == 1);
        char copy[64];
        snprintf(copy, sizeof copy, "%.*s", (int)line.length, line.bytes);
        json_t *checked = json_string(copy); /* refuses what is no UTF-8 */
        ck_assert_msg(checked != NULL, "%zu: %s", most, copy);
        json_decref(checked);
        char *escape = strchr(copy, '\\');
        ck_assert(!escape || strncmp(escape, "\\x01", 4) == 0);
        ck_assert(strcmp(copy, "x") == 0 || strstr(copy, "...") || strstr(copy, "z"));
    }
    struct line line = line_of(200);
    line_put_text(&line, "whole", true, 200);
    expect(&line, "whole...");
}
END_TEST

/* Reads what was written as JSON; the caller frees it. */
static char *read_json(const char *text, bool cut, size_t most)
{
    struct line line = line_of(200);
    ck_assert(line_put_json(&line, text, cut, most));
    ck_assert_uint_le(line.length, most);
    json_t *string = json_loadb(line.bytes, line.length, JSON_DECODE_ANY, NULL);
    ck_assert_msg(string != NULL, "%.*s", (int)line.length, line.bytes);
    char *copy = strdup(json_string_value(string));
    json_decref(string);
    return copy;
}

static const struct {
    const char *text, *read;
} strings[] = {
    {"", ""},
    {"plain", "plain"},
    {"\"\\/\n\x01\x7f", "\"\\/\n\x01\x7f"},
    {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
    {"a\x80z", "a\xef\xbf\xbdz"},
    {"a\xc3", "a\xef\xbf\xbd"},
    {"a\xc0\xaf", "a\xef\xbf\xbd\xef\xbf\xbd"},                               /* overlong */
    {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},                 /* a surrogate */
    {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* beyond Unicode */
    {"\xff", "\xef\xbf\xbd"},
};

START_TEST(json_is_read_as_it_was)
{
    char *read = read_json(strings[_i].text, false, 200);
    ck_assert_str_eq(read, strings[_i].read);
    free(read);
}
END_TEST

START_TEST(json_that_is_cut_is_valid)
{
    static const char text[] = "ab\xe2\x82\xac\x01\xf0\x9f\x98\x80\"\\z";
    for (size_t most = 5; most < 40; most++)
        free(read_json(text, false, most));
    char *read = read_json("whole", true, 200);
    ck_assert_str_eq(read, "whole...");
    free(read);
    struct line line = line_of(4);
    ck_assert(!line_put_json(&line, "", false, 4));
    ck_assert_uint_eq(line.length, 0);
}
END_TEST

START_TEST(microseconds_are_milliseconds)
{
    struct line line = line_of(40);
    ck_assert(line_put_milliseconds(&line, 0));
    ck_assert(line_put(&line, " ", 1));
    ck_assert(line_put_milliseconds(&line, 1234567));
    expect(&line, "0.000 1234.567");
}
END_TEST

Suite *line_suite(void)
{
    Suite *suite = suite_create("line");
    TCase *tcase = tcase_create("line");
    tcase_add_test(tcase, what_does_not_fit_changes_nothing);
    tcase_add_test(tcase, text_stays_one_line);
    tcase_add_test(tcase, text_is_cut_between_characters);
    tcase_add_loop_test(tcase, json_is_read_as_it_was, 0, sizeof strings / sizeof strings[0]);
    tcase_add_test(tcase, json_that_is_cut_is_valid);
    tcase_add_test(tcase, microseconds_are_milliseconds);
    suite_add_tcase(suite, tcase);
    return suite;
}
