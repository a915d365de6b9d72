/* The options of checks that log in or use TLS, and of programs that check; attributes that are
 * options of the backend. */
#include "config/load.h"
#include "config/write.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct check_conf *check_of(const struct config *config)
{
    return &config->backends[0].check;
}

START_TEST(values_are_kept)
{
    struct config *config =
        load_good(VALID "check = pgsql\ncheck-user = a user\ncheck-password = p#ss \"word\"\n"
                        "check-database = shop\ncheck-role = replica\n"
                        "[global]\ncheck-programs = 3\n");
    ck_assert_str_eq(check_of(config)->user, "a user");
    ck_assert_str_eq(check_of(config)->password, "p#ss \"word\"");
    ck_assert_ptr_null(check_of(config)->password_file);
    ck_assert_str_eq(check_of(config)->database, "shop");
    ck_assert_int_eq(check_of(config)->role, CHECK_ROLE_REPLICA);
    ck_assert_uint_eq(config->check_programs, 3);
    config_free(config);
    config = load_good(VALID "check = exec\ncheck-command = /bin/sh -c \"exit 1\"\n");
    ck_assert_str_eq(check_of(config)->command, "/bin/sh -c \"exit 1\"");
    ck_assert_uint_eq(config->check_programs, 16);
    config_free(config);
}
END_TEST

START_TEST(defaults_are_for_those_that_need_them)
{
    struct config *config = load_good("[defaults]\ncheck = redis\ncheck-password = x\n"
                                      "check-role = master\n" VALID "check = tcp\n");
    ck_assert_ptr_null(check_of(config)->password);
    ck_assert_int_eq(check_of(config)->role, CHECK_ROLE_ANY);
    config_free(config);
}
END_TEST

/* A reload with --dry-run reads the configuration of the running process, from any folder, and when
 * the files are gone. */
START_TEST(files_of_another_process_are_not_read)
{
    struct config_errors errors;
    size_t length;
    folder_write("secret", "x\n", 2);
    struct config *config = load_good(VALID "check = redis\ncheck-password = @secret\n");
    char *text = config_text(config, &length);
    folder_write("secret", "", 0);
    struct config *again = config_load_text("running", text, length, &errors);
    ck_assert_ptr_nonnull(again);
    ck_assert_str_eq(check_of(again)->password_file, folder_path("secret"));
    config_free(again);
    config_errors_free(&errors);
    free(text);
    config_free(config);
    static const char others[] = VALID "check = exec\ncheck-command = /nowhere x\n"
                                       "[backend b]\nserver = b 192.0.2.7:1\ncheck = tls\n"
                                       "check-verify = /nowhere\n";
    again = config_load_text("running", others, sizeof others - 1, &errors);
    ck_assert_ptr_nonnull(again);
    config_free(again);
    config_errors_free(&errors);
}
END_TEST

START_TEST(what_is_for_tls_needs_tls)
{
    struct loaded loaded = load_text(VALID "check = http\ncheck-sni = a.org\n");
    ck_assert_ptr_nonnull(strstr(loaded.errors, "check-sni has no effect without check-tls"));
    loaded_free(&loaded);
    config_free(
        load_good("[defaults]\ncheck-sni = a.org\ncheck-verify = none\n" VALID "check = http\n"));
}
END_TEST

START_TEST(options_and_attributes_are_told_apart)
{
    struct loaded loaded = load_text(VALID "server = c 192.0.2.9:1 slow-start=1s\nweight = 2\n");
    ck_assert_str_eq(loaded.errors, "p.ini:4: server: unknown attribute 'slow-start': it is the "
                                    "option 'slow-start' of the backend here\n"
                                    "p.ini:5: unknown key 'weight' in [listen ok]: it is the "
                                    "attribute 'weight' of a 'server' line here\n");
    loaded_free(&loaded);
}
END_TEST

START_TEST(password_is_the_first_line_of_a_file)
{
    static const struct {
        const char *bytes, *password; /* NULL: wrong */
    } cases[] = {
        {"secret", "secret"},
        {"secret\n", "secret"},
        {"secret\r\nmore\n", "secret"},
        {" with spaces ; and # \n", " with spaces ; and # "},
        {"", NULL},
        {"\n", NULL},
        {"\r\nsecret\n", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        folder_write("secret", cases[i].bytes, strlen(cases[i].bytes));
        struct loaded loaded = load_text(VALID "check = redis\ncheck-password = @secret\n");
        if (cases[i].password) {
            ck_assert_str_eq(loaded.errors, "");
            ck_assert_str_eq(check_of(loaded.config)->password, cases[i].password);
            ck_assert_str_eq(check_of(loaded.config)->password_file, folder_path("secret"));
        } else {
            ck_assert_ptr_nonnull(strstr(loaded.errors, "the first line is empty"));
        }
        loaded_free(&loaded);
    }
    folder_write("secret", "a\0b\n", 4);
    struct loaded loaded = load_text(VALID "check = redis\ncheck-password = @secret\n");
    ck_assert_ptr_nonnull(strstr(loaded.errors, "has a NUL byte in it"));
    loaded_free(&loaded);
}
END_TEST

Suite *login_options_suite(void)
{
    Suite *suite = suite_create("login_options");
    TCase *tcase = tcase_create("login_options");
    tcase_add_checked_fixture(tcase, folder_make, folder_remove);
    tcase_add_test(tcase, values_are_kept);
    tcase_add_test(tcase, files_of_another_process_are_not_read);
    tcase_add_test(tcase, what_is_for_tls_needs_tls);
    tcase_add_test(tcase, options_and_attributes_are_told_apart);
    tcase_add_test(tcase, defaults_are_for_those_that_need_them);
    tcase_add_test(tcase, password_is_the_first_line_of_a_file);
    suite_add_tcase(suite, tcase);
    return suite;
}
