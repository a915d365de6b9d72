/* Differences of texts: their form, that they are complete, and that they are the shortest. */
#include "reload/base/text_diff.h"
#include "tests/unit/suites.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The caller frees it. */
static char *diff(const char *from, const char *to)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    ck_assert_ptr_nonnull(out);
    ck_assert_int_eq(
        text_diff(&(struct diff_text){"old", from}, &(struct diff_text){"new", to}, out), 0);
    ck_assert_int_eq(fclose(out), 0);
    return text;
}

static void expect(const char *from, const char *to, const char *expected)
{
    char *text = diff(from, to);
    ck_assert_str_eq(text, expected);
    free(text);
}

#define HEAD "--- old\n+++ new\n"

START_TEST(the_form_is_that_of_diff)
{
    expect("", "", "");
    expect("a\nb\n", "a\nb\n", "");
    expect("", "a\n", HEAD "@@ -0,0 +1 @@\n+a\n");
    expect("a\nb\n", "", HEAD "@@ -1,2 +0,0 @@\n-a\n-b\n");
    expect("a\nb\nc\n", "a\nX\nc\n", HEAD "@@ -1,3 +1,3 @@\n a\n-b\n+X\n c\n");
    expect("1\n2\n3\n4\n5\n6\n", "1\n2\n3\n4\n5\n6\n7\n", HEAD "@@ -4,3 +4,4 @@\n 4\n 5\n 6\n+7\n");
    expect("a\n", "a", HEAD "@@ -1 +1 @@\n-a\n+a\n\\ No newline at end of file\n");
    expect("a\nb", "a\nc",
           HEAD "@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n"
                "+c\n\\ No newline at end of file\n");
}
END_TEST

/* Changes with up to six lines between them are one piece. */
START_TEST(near_changes_are_one_piece)
{
    expect("a\n1\n2\n3\n4\n5\n6\nb\n", "A\n1\n2\n3\n4\n5\n6\nB\n",
           HEAD "@@ -1,8 +1,8 @@\n-a\n+A\n 1\n 2\n 3\n 4\n 5\n 6\n-b\n+B\n");
    expect("a\n1\n2\n3\n4\n5\n6\n7\nb\n", "A\n1\n2\n3\n4\n5\n6\n7\nB\n",
           HEAD "@@ -1,4 +1,4 @@\n-a\n+A\n 1\n 2\n 3\n"
                "@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-b\n+B\n");
}
END_TEST

/* --- any two texts --------------------------------------------------------------------------- */

/* The lines of one side (' ' and that mark) of a difference that has all lines, as one piece. */
static void side_of(const char *difference, char mark, char *text, size_t size)
{
    text[0] = '\0';
    for (const char *at = strstr(difference, "@@\n") + 3; *at; at = strchr(at, '\n') + 1) {
        int length = (int)strcspn(at, "\n");
        ck_assert_msg(strchr(" +-", *at), "%s", at);
        if (*at == ' ' || *at == mark)
            snprintf(text + strlen(text), size - strlen(text), "%.*s\n", length - 1, at + 1);
    }
}

static size_t changes_in(const char *difference)
{
    size_t count = 0;
    for (const char *at = strstr(difference, "@@\n") + 3; *at; at = strchr(at, '\n') + 1)
        count += *at != ' ';
    return count;
}

/* Of two texts with a letter a line: both without what they have in common. */
static size_t fewest_changes(const char *from, const char *to)
{
    enum { MOST = 16 };
    size_t n = strlen(from) / 2, m = strlen(to) / 2, common[MOST][MOST] = {{0}};
    ck_assert(n < MOST && m < MOST);
    for (size_t i = 1; i <= n; i++)
        for (size_t j = 1; j <= m; j++) {
            size_t left = common[i - 1][j], up = common[i][j - 1];
            common[i][j] = left > up ? left : up;
            if (from[2 * i - 2] == to[2 * j - 2] && common[i][j] < common[i - 1][j - 1] + 1)
                common[i][j] = common[i - 1][j - 1] + 1;
        }
    return n + m - 2 * common[n][m];
}

static void make_text(char *text, size_t lines)
{
    for (size_t i = 0; i < lines; i++) {
        text[2 * i] = (char)('a' + rand() % 3);
        text[2 * i + 1] = '\n';
    }
    text[2 * lines] = '\0';
}

START_TEST(both_texts_are_in_the_difference)
{
    char from[64], to[64], again[64];
    srand(7);
    for (unsigned i = 0; i < 20000; i++) {
        /* Seven lines at most, so that all are in one piece. */
        make_text(from, (size_t)rand() % 8);
        make_text(to, (size_t)rand() % 8);
        char *text = diff(from, to);
        ck_assert_int_eq(text[0] == '\0', strcmp(from, to) == 0);
        if (text[0])
            ck_assert_uint_eq(changes_in(text), fewest_changes(from, to));
        /* Where the first and the last lines are others, the piece has all lines. */
        if (text[0] && from[0] && to[0] && from[0] != to[0] &&
            from[strlen(from) - 2] != to[strlen(to) - 2]) {
            side_of(text, '-', again, sizeof again);
            ck_assert_str_eq(again, from);
            side_of(text, '+', again, sizeof again);
            ck_assert_str_eq(again, to);
        }
        free(text);
    }
}
END_TEST

/* --- many lines ------------------------------------------------------------------------------ */

static char *numbers(size_t count, size_t step)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "line %zu of %s\n", i, i % step == 0 ? "one kind" : "another");
    ck_assert_int_eq(fclose(out), 0);
    return text;
}

static size_t lines_with(const char *text, char mark)
{
    size_t count = 0;
    for (const char *at = text; *at; at = strchr(at, '\n') + 1)
        count += *at == mark;
    return count;
}

/* 100,000 lines: with 1,000 changes only these are told; with too many all that is between them. */
START_TEST(many_changes_cost_little)
{
    char *none = numbers(100000, 200000), *some = numbers(100000, 200), *all = numbers(100000, 2);
    char *text = diff(none, some);
    ck_assert_uint_eq(lines_with(text, '-'), 500); /* the head counts, and line 0 is the same */
    ck_assert_uint_eq(lines_with(text, '+'), 500);
    free(text);
    text = diff(none, all);
    ck_assert_uint_eq(lines_with(text, '-'), 99998);
    free(text);
    free(none);
    free(some);
    free(all);
}
END_TEST

Suite *text_diff_suite(void)
{
    Suite *suite = suite_create("text_diff");
    TCase *tcase = tcase_create("text_diff");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, the_form_is_that_of_diff);
    tcase_add_test(tcase, near_changes_are_one_piece);
    tcase_add_test(tcase, both_texts_are_in_the_difference);
    tcase_add_test(tcase, many_changes_cost_little);
    suite_add_tcase(suite, tcase);
    return suite;
}
