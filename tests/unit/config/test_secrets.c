/* What is hidden of a configuration that is shown by HTTP. */
#include "config/options/options.h"
#include "config/secrets.h"
#include "tests/unit/suites.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static void expect(const char *line, const char *shown)
{
    size_t length = secrets_shown(line, strlen(line));
    ck_assert_msg(length == strlen(shown) && strncmp(line, shown, length) == 0,
                  "of '%s' %zu bytes are shown", line, length);
}

START_TEST(values_are_hidden)
{
    expect("check-password = hush", "check-password = ");
    expect("check-password=hush", "check-password=");
    expect("\t check-password  =\thush", "\t check-password  =\t");
    expect("check-header = Authorization: Basic x", "check-header = ");
    expect("check-step = send AUTH hush\\r\\n", "check-step = ");
    expect("check-command = /usr/bin/test -p hush", "check-command = ");
    /* As config_text() writes what no line can contain; and what somebody has commented out. */
    expect("; does not fit in a line: check-password = hush ; hush",
           "; does not fit in a line: check-password = ");
    expect("# check-password = hush", "# check-password = ");
    /* The first one that is no name of a file. */
    expect("check-password = @/run/file check-password = hush",
           "check-password = @/run/file check-password = ");
}
END_TEST

START_TEST(the_rest_is_shown)
{
    static const char *const lines[] = {"",
                                        "retries = 3",
                                        "[backend check-password]",
                                        "check-password",
                                        "check-password =",
                                        "check-password = ",
                                        "check-password = @/etc/rpproxy/password",
                                        "check-user = me",
                                        "server = check-password 127.0.0.1:80"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        expect(lines[i], lines[i]);
}
END_TEST

/* All options whose name says that they are secret. */
START_TEST(no_password_is_forgotten)
{
    for (size_t i = 0; i < option_count(); i++) {
        const struct option *option = option_at(i);
        if (strstr(option->name, "password") || strstr(option->name, "secret"))
            ck_assert_msg(option->secret, "%s is shown", option->name);
    }
}
END_TEST

Suite *secrets_suite(void)
{
    Suite *suite = suite_create("secrets");
    TCase *tcase = tcase_create("secrets");
    tcase_add_test(tcase, values_are_hidden);
    tcase_add_test(tcase, the_rest_is_shown);
    tcase_add_test(tcase, no_password_is_forgotten);
    suite_add_tcase(suite, tcase);
    return suite;
}
