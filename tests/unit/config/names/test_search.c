#include "config/names/search.h"
#include "config/names/servers.h"

#include "tests/unit/suites.h"

#include <stdlib.h>
#include <string.h>

/* All names for `name`, with a ' ' behind each. */
static const char *names_for(const char *name, unsigned ndots)
{
    static char all[4096];
    static char one[] = "one.example", two[] = "two.example.", root[] = ".";
    char *const domains[] = {one, two, root};
    char text[SEARCH_NAME_MAX];
    all[0] = '\0';
    for (size_t i = 0; search_name(name, domains, 2, ndots, i, text); i++)
        strcat(strcat(all, text), " ");
    return all;
}

START_TEST(names_are_completed)
{
    ck_assert_str_eq(names_for("app", 1), "app.one.example app.two.example app ");
    ck_assert_str_eq(names_for("app.x", 1), "app.x app.x.one.example app.x.two.example ");
    ck_assert_str_eq(names_for("app.x", 2), "app.x.one.example app.x.two.example app.x ");
    ck_assert_str_eq(names_for("app.x.", 5), "app.x ");
    ck_assert_str_eq(names_for("app.", 0), "app ");
    ck_assert_str_eq(names_for("app", 0), "app app.one.example app.two.example ");
}
END_TEST

START_TEST(names_that_become_too_long_are_left_out)
{
    char name[254], wanted[300];
    memset(name, 'a', 253);
    for (size_t i = 60; i < 253; i += 60)
        name[i] = '.';
    name[253] = '\0';
    snprintf(wanted, sizeof wanted, "%s ", name);
    ck_assert_str_eq(names_for(name, 10), wanted);
}
END_TEST

static const struct {
    const char *value, *written, *wrong;
} resolvers[] = {
    {"system", "system", NULL},
    {"127.0.0.1", "127.0.0.1:53", NULL},
    {"127.0.0.1:5353  10.0.0.2", "127.0.0.1:5353 10.0.0.2:53", NULL},
    {"::1 [::2]:54 [::3]", "[::1]:53 [::2]:54 [::3]:53", NULL},
    {"::ffff:10.0.0.2", "10.0.0.2:53", NULL},
    {"system 10.0.0.2", NULL, "must be system, or"},
    {"ns.example", NULL, "must be system, or"},
    {"10.0.0.2:0", NULL, "must be system, or"},
    {"10.0.0.2:99999", NULL, "must be system, or"},
    {"0.0.0.0", NULL, "must be system, or"},
    {"unix:/x", NULL, "must be system, or"},
    {"[::1", NULL, "must be system, or"},
    {"10.0.0.2 10.0.0.2:53", NULL, "must not have a name server twice"},
    {"1.0.0.1 1.0.0.2 1.0.0.3 1.0.0.4 1.0.0.5 1.0.0.6 1.0.0.7 1.0.0.8 1.0.0.9", NULL,
     "must not be more than 8"},
};

START_TEST(resolver_is_read)
{
    struct resolver_conf conf = {0};
    char *text = NULL;
    size_t length;
    const char *wrong = resolver_read(resolvers[_i].value, &conf);
    if (resolvers[_i].wrong) {
        ck_assert_ptr_nonnull(wrong);
        ck_assert_msg(strstr(wrong, resolvers[_i].wrong) != NULL, "%s", wrong);
        ck_assert_uint_eq(conf.server_count, 0);
        return;
    }
    ck_assert_pstr_eq(wrong, NULL);
    FILE *out = open_memstream(&text, &length);
    resolver_write(&conf, out);
    fclose(out);
    ck_assert_str_eq(text, resolvers[_i].written);
    free(text);
}
END_TEST

Suite *search_suite(void)
{
    Suite *suite = suite_create("search");
    TCase *tcase = tcase_create("search");
    tcase_add_test(tcase, names_are_completed);
    tcase_add_test(tcase, names_that_become_too_long_are_left_out);
    tcase_add_loop_test(tcase, resolver_is_read, 0, sizeof resolvers / sizeof resolvers[0]);
    suite_add_tcase(suite, tcase);
    return suite;
}
