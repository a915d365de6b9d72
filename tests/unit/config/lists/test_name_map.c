#include "config/lists/name_map.h"

#include "tests/unit/suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct name_map *map;

static void setup(void)
{
    map = name_map_make();
}

static void teardown(void)
{
    name_map_free(map);
}

static void add(const char *text, uint32_t value)
{
    ck_assert_ptr_null(name_map_add(map, text, value));
}

START_TEST(an_empty_map_has_nothing)
{
    ck_assert_uint_eq(name_map_find(map, "a"), NAME_NO_VALUE);
    ck_assert_uint_eq(name_map_find(map, ""), NAME_NO_VALUE);
}
END_TEST

START_TEST(the_longest_match_counts)
{
    add("*", 0);
    add("*.org", 1);
    add("*.example.org", 2);
    add("*ample.org", 3);
    add("www.example.org", 4);
    add("*.www.example.org", 5);
    ck_assert_uint_eq(name_map_find(map, "com"), 0);
    ck_assert_uint_eq(name_map_find(map, "org"), 0);
    ck_assert_uint_eq(name_map_find(map, ".org"), 0);
    ck_assert_uint_eq(name_map_find(map, "a.org"), 1);
    ck_assert_uint_eq(name_map_find(map, "example.org"), 3);
    ck_assert_uint_eq(name_map_find(map, "ample.org"), 3);
    ck_assert_uint_eq(name_map_find(map, "mple.org"), 1);
    ck_assert_uint_eq(name_map_find(map, "xample.org"), 3);
    ck_assert_uint_eq(name_map_find(map, "a.b.example.org"), 2);
    ck_assert_uint_eq(name_map_find(map, "www.example.org"), 4);
    ck_assert_uint_eq(name_map_find(map, "x.www.example.org"), 5);
    ck_assert_uint_eq(name_map_find(map, "xwww.example.org"), 2);
    ck_assert_uint_eq(name_map_find(map, ""), NAME_NO_VALUE);
    ck_assert_uint_eq(name_map_find(map, "."), NAME_NO_VALUE);
}
END_TEST

START_TEST(case_and_the_last_dot_do_not_count)
{
    add("Www.Example.Org.", 1);
    add("*.EXAMPLE.com.", 2);
    ck_assert_uint_eq(name_map_find(map, "WWW.eXample.org"), 1);
    ck_assert_uint_eq(name_map_find(map, "www.example.org."), 1);
    ck_assert_uint_eq(name_map_find(map, "A.Example.com."), 2);
    ck_assert_uint_eq(name_map_find(map, "www.example.org.."), NAME_NO_VALUE);
    ck_assert_uint_eq(name_map_find(map, ".example.com"), NAME_NO_VALUE);
}
END_TEST

START_TEST(a_name_is_added_once)
{
    char text[NAME_MAP_TEXT_MAX + 2];
    uint32_t value;
    add("a.b", 1);
    add("*a.b", 2);
    ck_assert_ptr_eq(name_map_add(map, "A.b.", 3), name_is_twice);
    ck_assert_ptr_eq(name_map_add(map, "*A.B", 3), name_is_twice);
    ck_assert_uint_eq(name_map_count(map), 2);
    ck_assert_str_eq(name_map_entry(map, 0, text, &value), "a.b");
    ck_assert_uint_eq(value, 1);
    ck_assert_str_eq(name_map_entry(map, 1, text, &value), "*a.b");
    ck_assert_uint_eq(value, 2);
}
END_TEST

START_TEST(what_is_no_name_is_refused)
{
    static const char *const wrong[] = {"",
                                        ".",
                                        "*.",
                                        "a*b",
                                        "a.*.b",
                                        "**",
                                        "a b",
                                        "a/b",
                                        ("b\xc3\xbc"
                                         "cher"),
                                        "a,b",
                                        "~a.*b",
                                        "a\tb",
                                        "a\\b",
                                        "(a|b).c"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_ptr_nonnull(name_map_add(map, wrong[i], 1));
    ck_assert_uint_eq(name_map_count(map), 0);
}
END_TEST

START_TEST(the_longest_name_and_no_longer)
{
    char text[NAME_MAP_TEXT_MAX + 3];
    memset(text, 'x', sizeof text);
    text[NAME_MAP_TEXT_MAX + 1] = '\0';
    ck_assert_ptr_nonnull(name_map_add(map, text, 1));
    ck_assert_uint_eq(name_map_find(map, text), NAME_NO_VALUE);
    text[0] = '*';
    add(text, 2);
    text[0] = 'x';
    text[NAME_MAP_TEXT_MAX] = '\0';
    ck_assert_uint_eq(name_map_find(map, text), 2);
    add(text, 1);
    ck_assert_uint_eq(name_map_find(map, text), 1);
}
END_TEST

/* What the map finds, found by looking at all entries. */
static uint32_t slow_find(const char *name)
{
    char text[NAME_MAP_TEXT_MAX + 2];
    uint32_t value, best = NAME_NO_VALUE;
    size_t best_length = 0;
    for (size_t i = 0; i < name_map_count(map); i++) {
        name_map_entry(map, i, text, &value);
        size_t length = strlen(text) - 1, name_length = strlen(name);
        if (strcmp(text, name) == 0)
            return value;
        if (text[0] == '*' && length >= best_length && length <= name_length &&
            strcmp(name + name_length - length, text + 1) == 0 &&
            !(text[1] == '.' && length == name_length)) {
            best = value;
            best_length = length;
        }
    }
    return best;
}

static const char *random_name(char text[static 16])
{
    size_t length = 1 + (size_t)rand() % 7;
    for (size_t i = 0; i < length; i++)
        text[i] = "ab."[rand() % 3];
    for (size_t i = 0; i < length; i++)
        if (text[i] == '.' && (i == length - 1 || (i > 0 && text[i - 1] == '.')))
            text[i] = 'a';
    text[length] = '\0';
    return text;
}

START_TEST(any_map_finds_what_a_search_finds)
{
    char text[18] = "*";
    srand((unsigned)_i);
    for (int i = 0; i < 5 + 30 * _i; i++)
        if (name_map_add(map, random_name(text + 1) - (rand() % 2), (uint32_t)i))
            continue;
    for (int i = 0; i < 2000; i++) {
        random_name(text);
        ck_assert_msg(name_map_find(map, text) == slow_find(text), "seed %d: %s", _i, text);
    }
}
END_TEST

START_TEST(a_hundred_thousand_names)
{
    char text[64];
    for (uint32_t i = 0; i < 100000; i++) {
        snprintf(text, sizeof text, "%sname-%u.customers.example.org", i % 4 ? "" : "*.", i);
        add(text, i);
    }
    for (uint32_t i = 0; i < 100000; i++) {
        snprintf(text, sizeof text, "%sNAME-%u.customers.example.org", i % 4 ? "" : "a.b.", i);
        ck_assert_uint_eq(name_map_find(map, text), i);
    }
    ck_assert_uint_eq(name_map_find(map, "name-100000.customers.example.org"), NAME_NO_VALUE);
}
END_TEST

Suite *name_map_suite(void)
{
    Suite *suite = suite_create("name_map");
    TCase *tcase = tcase_create("name_map");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, an_empty_map_has_nothing);
    tcase_add_test(tcase, the_longest_match_counts);
    tcase_add_test(tcase, case_and_the_last_dot_do_not_count);
    tcase_add_test(tcase, a_name_is_added_once);
    tcase_add_test(tcase, what_is_no_name_is_refused);
    tcase_add_test(tcase, the_longest_name_and_no_longer);
    tcase_add_loop_test(tcase, any_map_finds_what_a_search_finds, 0, 10);
    tcase_add_test(tcase, a_hundred_thousand_names);
    suite_add_tcase(suite, tcase);
    return suite;
}
