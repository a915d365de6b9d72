/* The options of the HTTP server of the proxy itself. */
#include "config/load.h"
#include "config/write.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(values_are_kept_and_written)
{
    size_t length;
    struct config *config =
        load_good(VALID "[global]\nmetrics = 127.0.0.1:9180\t[::0]:9 unix:/run/m unix:@m\n"
                        "ready-backends = ok other\n[backend other]\nserver = a 127.0.0.1:3\n");
    ck_assert_uint_eq(config->metrics.count, 4);
    ck_assert_str_eq(config->metrics.list[1].text, "[::]:9");
    ck_assert_uint_eq(config->ready_backends.count, 2);
    char *text = config_text(config, &length);
    ck_assert_ptr_nonnull(strstr(text, "metrics = 127.0.0.1:9180 [::]:9 unix:/run/m unix:@m\n"));
    ck_assert_ptr_nonnull(strstr(text, "ready-backends = ok other\n"));
    free(text);
    config_free(config);
    config = load_good(VALID);
    ck_assert_uint_eq(config->metrics.count + config->ready_backends.count, 0);
    config_free(config);
}
END_TEST

static void expect(const char *global, const char *error)
{
    char text[1024];
    snprintf(text, sizeof text, "[global]\n%s\n" VALID, global);
    struct loaded loaded = load_text(text);
    ck_assert_msg(strstr(loaded.errors, error) != NULL, "%s: %s", global, loaded.errors);
    ck_assert_uint_eq(loaded.error_count, 1);
    loaded_free(&loaded);
}

START_TEST(mistakes_are_told_with_their_line)
{
    expect("metrics = localhost:9180", "p.ini:2: metrics: ");
    expect("metrics = 127.0.0.1", "p.ini:2: metrics: ");
    expect("metrics = 127.0.0.1:0", "p.ini:2: metrics: ");
    expect("metrics = unix:m", "p.ini:2: metrics: ");
    expect("metrics =", "p.ini:2: ");
    expect("metrics = 127.0.0.1:9 127.0.0.1:9", "twice");
    expect("metrics = 0.0.0.0:1 0.0.0.0:2 0.0.0.0:3 0.0.0.0:4 0.0.0.0:5 0.0.0.0:6 0.0.0.0:7 "
           "0.0.0.0:8 0.0.0.0:9",
           "has more than 8 addresses");
    expect("metrics = 127.0.0.1:1",
           "p.ini:2: metrics: '127.0.0.1:1' is also the address of the bind");
    expect("control = /run/c\nmetrics = unix:/run/c", "p.ini:3: ");
    expect("ready-backends = okay", "p.ini:2: ready-backends: there is no [backend okay]");
}
END_TEST

#define HASH "$5$rounds=1000$pagetest$KGLtmJyOeUnDZgSDnDXMm0GbFX1saaAJA3t.wugDiQ1"

START_TEST(users_are_read_from_their_file)
{
    static const char file[] = "# who may look\nroot:" HASH ":admin\n\nguest:" HASH "\n";
    folder_write("users", file, sizeof file - 1);
    struct config *config =
        load_good(VALID "[global]\nmetrics-auth = users\nmetrics-host = a.example b.example\n");
    ck_assert_uint_eq(config->metrics_users.count, 2);
    ck_assert(config->metrics_users.list[0].admin);
    ck_assert(!config->metrics_users.list[1].admin);
    ck_assert_str_eq(config->metrics_users.list[1].name, "guest");
    ck_assert_str_eq(config->metrics_users.path, folder_path("users"));
    ck_assert_uint_eq(config->metrics_hosts.count, 2);
    config_free(config);
}
END_TEST

static void expect_file(const char *file, const char *error)
{
    folder_write("users", file, strlen(file));
    expect("metrics-auth = users", error);
}

START_TEST(mistakes_in_the_file_of_users)
{
    expect("metrics-auth = missing", "p.ini:2: metrics-auth: ");
    expect_file("", "p.ini:2: metrics-auth: ");
    expect_file("\nroot\n", "users:2: ");
    expect_file(":" HASH "\n", "users:1: ");
    expect_file("root:\n", "users:1: ");
    expect_file("root:secret\n", "users:1: ");
    expect_file("root:$apr1$WpBjc2gL$DTuNyOsZsxvGcyKN5w6Vd/\n", "users:1: ");
    expect_file("root:" HASH ":boss\n", "users:1: ");
    expect_file("root:" HASH "\nroot:" HASH "\n", "users:2: ");
}
END_TEST

Suite *metrics_options_suite(void)
{
    Suite *suite = suite_create("metrics_options");
    TCase *values = tcase_create("values");
    tcase_add_checked_fixture(values, folder_make, folder_remove);
    tcase_add_test(values, values_are_kept_and_written);
    tcase_add_test(values, mistakes_are_told_with_their_line);
    tcase_add_test(values, users_are_read_from_their_file);
    tcase_add_test(values, mistakes_in_the_file_of_users);
    suite_add_tcase(suite, values);
    return suite;
}
