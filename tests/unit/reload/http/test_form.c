/* The forms and queries of the status page. */
#include "reload/http/form.h"
#include "tests/unit/suites.h"

#include <string.h>

static bool reads(const char *text, struct change_form *form)
{
    return form_read_change(text, strlen(text), form);
}

START_TEST(a_change_has_an_action_and_names)
{
    struct change_form form;
    ck_assert(reads("action=server&server=app%2Fa+b&set=weight%3D5", &form));
    ck_assert_str_eq(form.action, "server");
    ck_assert_str_eq(form.server, "app/a b");
    ck_assert_str_eq(form.set, "weight=5");
    ck_assert_str_eq(form.frontend, "");
    ck_assert(reads("set=pause&frontend=web&action=frontend", &form));
    ck_assert_str_eq(form.frontend, "web");
    ck_assert(reads("action=promote", &form));
    ck_assert(reads("action=abort", &form));
}
END_TEST

START_TEST(other_forms_are_refused)
{
    static const char *const texts[] = {
        "",
        "action",
        "action=",
        "action=reload",
        "action=serverserverserver",
        "server=app/a&set=maint",
        "action=server&server=a%00/b%0a&set=maint",
        "action=server&server=a%7f/b&set=maint",
        "action=server&=&set=maint",
    };
    struct change_form form;
    char bytes[FORM_MAX + 1];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ck_assert_msg(!reads(texts[i], &form), "%s", texts[i]);
    ck_assert(!form_read_change("action=promote\0", 15, &form));
    memset(bytes, '+', sizeof bytes);
    memcpy(bytes, "action=promote&x=", 17);
    ck_assert(!form_read_change(bytes, FORM_MAX + 1, &form));
    ck_assert(form_read_change(bytes, FORM_MAX, &form));
    memcpy(bytes, "action=server&server=", 21);
    ck_assert(!form_read_change(bytes, 21 + sizeof form.server, &form));
    ck_assert(form_read_change(bytes, 21 + sizeof form.server - 1, &form));
}
END_TEST

START_TEST(a_query_names_two_generations)
{
    static const char *const wrong[] = {
        "",          "from=1",       "to=1",        "from=0&to=1",  "from=1&to=2147483648",
        "from=&to=", "from=-1&to=2", "from=1;to=2", "from=1&to=2x",
    };
    unsigned from = 0, to = 0;
    ck_assert(form_read_generations("to=2147483647&from=1", &from, &to));
    ck_assert_uint_eq(from, 1);
    ck_assert_uint_eq(to, 2147483647);
    ck_assert(!form_read_generations(NULL, &from, &to));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_msg(!form_read_generations(wrong[i], &from, &to), "%s", wrong[i]);
}
END_TEST

Suite *form_suite(void)
{
    Suite *suite = suite_create("form");
    TCase *forms = tcase_create("forms");
    tcase_add_test(forms, a_change_has_an_action_and_names);
    tcase_add_test(forms, other_forms_are_refused);
    tcase_add_test(forms, a_query_names_two_generations);
    suite_add_tcase(suite, forms);
    return suite;
}
