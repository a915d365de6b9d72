/* Tables of any width, of names of any length; and what answers may hold. */
#include "reload/cli/plain.h"
#include "reload/cli/table.h"
#include "tests/unit/suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME = 200 };

static char *output;
static size_t size;

static void setup(void)
{
    output = NULL;
}

static void teardown(void)
{
    free(output);
}

/* What table_print() makes of it: for a terminal of that width, which cuts too long lines. */
static void print(const char *text, const char *aligns, int width)
{
    char *copy = strdup(text), *table = NULL;
    size_t length;
    FILE *out = open_memstream(&table, &length);
    table_print(copy, aligns, width, out);
    fclose(out);
    free(output);
    out = open_memstream(&output, &size);
    table_print_cut(table, width, out);
    fclose(out);
    free(table);
    free(copy);
}

/* In columns; each three-byte character of these tests takes two. */
static int longest_line(void)
{
    int longest = 0;
    for (const char *at = output; *at; at += strcspn(at, "\n") + 1) {
        int columns = 0;
        for (const unsigned char *c = (const unsigned char *)at; *c && *c != '\n'; c++)
            columns += (*c & 0xc0) == 0x80 ? 0 : *c >= 0xe0 && *c < 0xff ? 2 : 1;
        if (columns > longest)
            longest = columns;
    }
    return longest;
}

static void fill(char *name, const char *character)
{
    name[0] = '\0';
    while (strlen(name) + strlen(character) <= NAME)
        strcat(name, character);
}

START_TEST(columns_are_as_wide_as_needed)
{
    print("NAME\tSTATE\tN\na\tup\t7\nlonger\tdown\t12\n", "llr", 0);
    ck_assert_str_eq(output, "NAME    STATE   N\n"
                             "a       up      7\n"
                             "longer  down   12\n");
}
END_TEST

START_TEST(long_names_lose_their_middle)
{
    print("SERVER\tN\napp/a-very-long-name-1\t7\napp/a-very-long-name-2\t8\n", "lr", 16);
    ck_assert_str_eq(output, "SERVER         N\n"
                             "app/a-..ame-1  7\n"
                             "app/a-..ame-2  8\n");
}
END_TEST

START_TEST(wide_characters_take_two_columns)
{
    print("N\tS\n\xe6\xbc\xa2\xe5\xad\x97\t1\nb\t2\ne\xcc\x81\t3\n", "lr", 0);
    ck_assert_str_eq(output, "N     S\n\xe6\xbc\xa2\xe5\xad\x97  1\nb     2\ne\xcc\x81     3\n");
}
END_TEST

/* ASCII, characters of two columns, and such with accents; at each width. */
START_TEST(no_line_is_longer_than_the_terminal_is_wide)
{
    static const char *const characters[] = {"x", "\xc3\xa4", "\xe6\xbc\xa2", "\xff"};
    char name[NAME + 1], text[4 * NAME + 200];
    for (size_t i = 0; i < sizeof characters / sizeof *characters; i++) {
        fill(name, characters[i]);
        snprintf(text, sizeof text,
                 "SERVER\tSTATE\tSESSIONS\tIN/S\n%s/%s\tup\t12345\t1.5M\n%s\tx\t0\t0\n", name, name,
                 characters[i]);
        for (int width = 1; width < 2 * NAME; width++) {
            print(text, "llrr", width);
            ck_assert_int_le(longest_line(), width);
            ck_assert(width < 40 || strstr(output, "1.5M\n"));
            ck_assert(width < 40 || width > 200 || strstr(output, ".."));
        }
    }
}
END_TEST

START_TEST(no_character_is_cut)
{
    char name[NAME + 1], text[NAME + 100];
    fill(name, "\xe6\xbc\xa2");
    snprintf(text, sizeof text, "A\tB\n%s\t1\n", name);
    for (int width = 1; width < NAME; width++) {
        print(text, "lr", width);
        json_t *string = json_string(output); /* NULL: it is no UTF-8 */
        ck_assert_ptr_nonnull(string);
        json_decref(string);
    }
}
END_TEST

START_TEST(control_characters_are_replaced)
{
    json_t *answer = json_loads("{\"a\": [\"x\\ty\\n\", {\"b\": \"\\u001b[2J\\u007f\\u009b\"}],"
                                " \"c\": \"\\u00e4\\u6f22\", \"d\": 7}",
                                0, NULL);
    ck_assert_ptr_nonnull(answer);
    plain_strings(answer);
    plain_strings(NULL);
    char *text = json_dumps(answer, JSON_COMPACT);
    ck_assert_str_eq(text, "{\"a\":[\"x?y?\",{\"b\":\"?[2J??\"}],"
                           "\"c\":\"\xc3\xa4\xe6\xbc\xa2\",\"d\":7}");
    free(text);
    json_decref(answer);
}
END_TEST

Suite *table_suite(void)
{
    Suite *suite = suite_create("table");
    TCase *tcase = tcase_create("table");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, columns_are_as_wide_as_needed);
    tcase_add_test(tcase, long_names_lose_their_middle);
    tcase_add_test(tcase, wide_characters_take_two_columns);
    tcase_add_test(tcase, no_line_is_longer_than_the_terminal_is_wide);
    tcase_add_test(tcase, no_character_is_cut);
    tcase_add_test(tcase, control_characters_are_replaced);
    suite_add_tcase(suite, tcase);
    return suite;
}
