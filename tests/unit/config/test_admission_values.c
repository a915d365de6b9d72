/* allow, deny, limits by source and rates: read, written, compared. */
#include "config/diff.h"
#include "config/load.h"
#include "config/write.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *written(const struct config *config)
{
    size_t length;
    char *text = config_text(config, &length);
    ck_assert_ptr_nonnull(text);
    return text;
}

START_TEST(lists_keep_their_order)
{
    static const char expected[] = "deny = 10.1.2.3\n"
                                   "allow = 10.0.0.0/8\n"
                                   "allow = 2001:db8::/32\n"
                                   "deny = any\n"
                                   "allow = 192.0.2.0/24\n";
    struct config *config = load_good(VALID "deny = 10.1.2.3/32\n"
                                            "allow = 10.9.9.9/255.0.0.0   [2001:db8::1]/32\n"
                                            "deny = any\n"
                                            "allow = 192.0.2.0/24\n");
    struct config_errors errors;
    char *text = written(config);
    ck_assert_msg(strstr(text, expected) != NULL, "%s", text);
    struct config *again = config_load_text("written", text, strlen(text), &errors);
    ck_assert_ptr_nonnull(again);
    char *second = written(again);
    ck_assert_str_eq(text, second);
    ck_assert_uint_eq(again->frontends[0].access.count, 5);
    ck_assert_uint_eq(again->frontends[0].access.items[0].value, ACCESS_DENY);
    ck_assert_uint_eq(again->frontends[0].access.items[4].value, ACCESS_ALLOW);
    config_errors_free(&errors);
    free(text);
    free(second);
    config_free(again);
    config_free(config);
}
END_TEST

START_TEST(another_order_is_a_difference)
{
    struct config *from = load_good(VALID "allow = 10.0.0.0/8\ndeny = any\n");
    struct config *to = load_good(VALID "deny = any\nallow = 10.0.0.0/8\n");
    struct config_diff diff;
    char line[256] = "";
    config_compare(from, to, &diff);
    ck_assert_uint_eq(diff.count, 1);
    FILE *out = fmemopen(line, sizeof line, "w");
    change_print(&diff.items[0], out);
    fclose(out);
    ck_assert_str_eq(line, "frontend ok: allow: allow 10.0.0.0/8, deny any -> deny any, allow "
                           "10.0.0.0/8");
    config_diff_free(&diff);
    config_free(from);
    config_free(to);
}
END_TEST

START_TEST(frontends_share_a_file)
{
    folder_write("deny.txt", "10.0.0.0/8\n# x\n::1\n", 19);
    struct loaded loaded = load_text("[listen a]\nbind = 127.0.0.1:1\nserver = a 127.0.0.1:3\n"
                                     "deny = @deny.txt\nallow = 10.1.1.1 @deny.txt\n"
                                     "[listen b]\nbind = 127.0.0.1:2\nserver = a 127.0.0.1:3\n"
                                     "deny = @deny.txt\n");
    ck_assert_str_eq(loaded.errors, "");
    ck_assert_uint_eq(loaded.config->address_files.count, 1);
    ck_assert_uint_eq(loaded.config->address_files.items[0]->count, 2);
    char *text = written(loaded.config);
    char line[512];
    snprintf(line, sizeof line, "\n; list %s: 2 entries, xxh3 ", folder_path("deny.txt"));
    ck_assert_msg(strstr(text, line) != NULL, "%s", text);
    snprintf(line, sizeof line, "\ndeny = @%s\n", folder_path("deny.txt"));
    ck_assert_msg(strstr(text, line) != NULL, "%s", text);
    free(text);
    loaded_free(&loaded);
}
END_TEST

START_TEST(mistakes_are_reported)
{
    folder_write("bad.txt", "10.0.0.0/8\nnonsense\n", 20);
    static const struct {
        const char *line, *error;
    } cases[] = {
        {"deny = nonsense\n", "p.ini:4: deny: 'nonsense' is not an IP address or ADDRESS/BITS\n"},
        {"allow = 10.0.0.1 10.0.0.0/33\n",
         "p.ini:4: allow: '10.0.0.1 10.0.0.0/33' contains '10.0.0.0/33', which has no prefix "
         "length from 0 to 32, or netmask, behind the '/'\n"},
        {"deny = @\n", "p.ini:4: deny: '@' needs the name of a file: @FILE\n"},
        {"max-sessions-per-source = 0\n", "p.ini:4: max-sessions-per-source: '0' must be unlimited "
                                          "or 1 to 100000000; write 'unlimited'\n"},
        {"rate-per-source = 0/s\n", "p.ini:4: rate-per-source: '0/s' must be unlimited, or 1 to "
                                    "1000000 with /s, /m or /h: 100/s\n"},
        {"rate-per-source = 1000001/s\n", NULL},
        {"rate-per-source = 10/d\n", NULL},
        {"rate-per-source = 10\n", NULL},
        {"max-rate = /s\n", NULL},
        {"max-rate = 10 /s\n", NULL},
        {"max-rate = -1/s\n", NULL},
        {"max-rate = 99999999999999999999/s\n", NULL},
        {"over-limit = drop\n", "p.ini:4: over-limit: 'drop' must be wait or close\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[512];
        snprintf(text, sizeof text, "%s%s", VALID, cases[i].line);
        struct loaded loaded = load_text(text);
        ck_assert_msg(loaded.error_count == 1, "%s: %s", cases[i].line, loaded.errors);
        if (cases[i].error)
            ck_assert_str_eq(loaded.errors, cases[i].error);
        loaded_free(&loaded);
    }
    struct loaded loaded = load_text(VALID "deny = @bad.txt\n");
    ck_assert_ptr_nonnull(strstr(loaded.errors, "p.ini:4: deny: "));
    ck_assert_ptr_nonnull(
        strstr(loaded.errors, "bad.txt:2: 'nonsense' is not an IP address or ADDRESS/BITS\n"));
    loaded_free(&loaded);
}
END_TEST

START_TEST(rates_are_read_and_written)
{
    static const char *const rates[] = {"1/s", "1000000/s", "10/m", "7/h", "unlimited"};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        char text[256], line[64];
        snprintf(text, sizeof text, "[defaults]\nmax-rate = 3/s\n" VALID "max-rate = %s\n",
                 rates[i]);
        struct config *config = load_good(text);
        char *found = written(config);
        snprintf(line, sizeof line, "\nmax-rate = %s\n", rates[i]);
        ck_assert_msg(strstr(found, line) != NULL, "%s", found);
        free(found);
        config_free(config);
    }
}
END_TEST

Suite *admission_values_suite(void)
{
    Suite *suite = suite_create("admission_values");
    TCase *tcase = tcase_create("admission_values");
    tcase_add_checked_fixture(tcase, folder_make, folder_remove);
    tcase_add_test(tcase, lists_keep_their_order);
    tcase_add_test(tcase, another_order_is_a_difference);
    tcase_add_test(tcase, frontends_share_a_file);
    tcase_add_test(tcase, mistakes_are_reported);
    tcase_add_test(tcase, rates_are_read_and_written);
    suite_add_tcase(suite, tcase);
    return suite;
}
