/* Commands, split into words. */
#include "config/syntax/words.h"
#include "tests/unit/suites.h"

#include <check.h>
#include <string.h>

START_TEST(words_are_split)
{
    static const struct {
        const char *text, *words; /* each word in brackets */
    } cases[] = {
        {"/bin/true", "[/bin/true]"},
        {"  /bin/x\t-a  b ", "[/bin/x][-a][b]"},
        {"/bin/x \"a b\" c\"d e\"f", "[/bin/x][a b][cd ef]"},
        {"/bin/x \"\" \"\\\"\" \"\\\\\" \\ \"\\n\"", "[/bin/x][][\"][\\][\\][\\n]"},
        {"a b c d e", "[a][b][c][d][e]"},
        {"$HOME '*' `x`", "[$HOME]['*'][`x`]"},
        {"", ""},
        {" \t ", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char **words, found[128] = "";
        size_t count;
        ck_assert_ptr_null(words_split(cases[i].text, &words, &count));
        for (size_t j = 0; j < count; j++) {
            strcat(found, "[");
            strcat(found, words[j]);
            strcat(found, "]");
        }
        ck_assert_str_eq(found, cases[i].words);
        ck_assert_ptr_null(words[count]);
        words_free(words);
    }
}
END_TEST

START_TEST(open_quotes_are_wrong)
{
    static const char *const texts[] = {"\"", "a \"b", "a \"b\\\"", "\"\\"};
    char **words;
    size_t count;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        ck_assert_ptr_nonnull(words_split(texts[i], &words, &count));
    words_free(NULL);
}
END_TEST

Suite *words_suite(void)
{
    Suite *suite = suite_create("words");
    TCase *tcase = tcase_create("words");
    tcase_add_test(tcase, words_are_split);
    tcase_add_test(tcase, open_quotes_are_wrong);
    suite_add_tcase(suite, tcase);
    return suite;
}
