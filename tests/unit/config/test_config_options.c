#include "config/model/config.h"
#include "config/options/options.h"
#include "tests/unit/suites.h"

#include <stdlib.h>
#include <string.h>

START_TEST(a_name_means_one_option_in_a_section)
{
    for (size_t i = 0; i < option_count(); i++)
        for (size_t j = 0; j < i; j++)
            ck_assert_msg(strcmp(option_at(i)->name, option_at(j)->name) != 0 ||
                              (option_at(i)->sections & option_at(j)->sections) == 0,
                          "%s", option_at(i)->name);
}
END_TEST

START_TEST(every_default_is_in_its_range)
{
    struct config config = {0};
    struct frontend_conf frontend = {0};
    struct backend_conf backend = {0};
    options_set_initial(OWNER_CONFIG, &config); /* aborts if a default is not valid */
    options_set_initial(OWNER_FRONTEND, &frontend);
    options_set_initial(OWNER_BACKEND, &backend);
    ck_assert_uint_eq(backend.retries, 3);
    options_release(OWNER_CONFIG, &config);
    options_release(OWNER_FRONTEND, &frontend);
    options_release(OWNER_BACKEND, &backend);
}
END_TEST

START_TEST(defaults_have_all_options_of_one_value)
{
    const unsigned both = IN(SECTION_FRONTEND) | IN(SECTION_BACKEND);
    for (size_t i = 0; i < option_count(); i++) {
        const struct option *option = option_at(i);
        bool expected =
            (option->sections & both) && !option->repeated && option->type != OPTION_BACKEND;
        if (option->type != OPTION_CUSTOM)
            ck_assert_msg(expected == ((option->sections & IN(SECTION_DEFAULTS)) != 0), "%s",
                          option->name);
        /* idle-timeout of a [listen] is that of its frontend. */
        bool in_listen = (option->sections & both) && option->type != OPTION_BACKEND &&
                         !(option->owner == OWNER_BACKEND &&
                           option->offset == offsetof(struct backend_conf, idle_timeout));
        ck_assert_msg(in_listen == ((option->sections & IN(SECTION_LISTEN)) != 0), "%s",
                      option->name);
    }
}
END_TEST

START_TEST(help_shows_every_option)
{
    char *text;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(stream);
    options_print(stream);
    fclose(stream);
    for (size_t i = 0; i < option_count(); i++) {
        const struct option *option = option_at(i);
        char line[OPTION_TEXT_MAX + 64];
        char values[OPTION_TEXT_MAX];
        snprintf(line, sizeof line, "\n  %s = %s", option->name, option_values(option, values));
        ck_assert_msg(strstr(text, line) != NULL, "%s", line);
        ck_assert_ptr_nonnull(strstr(text, option->help));
    }
    for (const struct option *row = attribute_table(OWNER_SERVER); row->name; row++)
        ck_assert_ptr_nonnull(strstr(text, row->help));
    ck_assert_ptr_nonnull(
        strstr(text, "\n  log-level = error, warning, notice, info or debug (default: info)\n"));
    ck_assert_ptr_nonnull(strstr(text, "\n  idle-timeout = 0s to 8760h (default: 1h)\n"));
    free(text);
}
END_TEST

Suite *options_suite(void)
{
    Suite *suite = suite_create("options");
    TCase *table = tcase_create("table");
    tcase_add_test(table, a_name_means_one_option_in_a_section);
    tcase_add_test(table, every_default_is_in_its_range);
    tcase_add_test(table, defaults_have_all_options_of_one_value);
    tcase_add_test(table, help_shows_every_option);
    suite_add_tcase(suite, table);
    return suite;
}
