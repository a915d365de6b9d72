/* The difference between two configs, as lines of change_print(). */
#include "config/base/memory.h"
#include "config/diff.h"
#include "config/load.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"
#include "tests/unit/support/issued.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Compares two texts; lines: one line for each change. */
static void expect_changes(const char *from_text, const char *to_text, const char *lines)
{
    struct config *from = load_good(from_text);
    struct config *to = load_good(to_text);
    struct config_diff diff;
    char *text;
    size_t length;
    config_compare(from, to, &diff);
    FILE *out = open_memstream(&text, &length);
    for (size_t i = 0; i < diff.count; i++) {
        change_print(&diff.items[i], out);
        fputs("\n", out);
    }
    fclose(out);
    ck_assert_str_eq(text, lines);
    free(text);
    config_diff_free(&diff);
    config_free(from);
    config_free(to);
}

#define WEB "[frontend web]\nbind = 127.0.0.1:1\nbackend = app\n"
#define APP "[backend app]\nserver = a 127.0.0.1:2\n"

START_TEST(equal_configs_have_no_difference)
{
    expect_changes(WEB APP, WEB APP, "");
    expect_changes(WEB APP, "; moved\n" APP WEB, "");
    expect_changes(WEB APP "server = b 127.0.0.1:3\n",
                   WEB "[backend app]\nserver = b 127.0.0.1:3\nserver = a 127.0.0.1:2\n", "");
}
END_TEST

START_TEST(options)
{
    expect_changes(WEB APP, "[global]\nworkers = 4\npidfile = /tmp/p\n" WEB APP,
                   "global: workers: auto -> 4\n"
                   "global: pidfile: none -> /tmp/p\n");
    expect_changes(WEB "access-log = yes\n" APP, WEB "idle-timeout = 5s\n" APP "retries = 0\n",
                   "frontend web: idle-timeout: 1h -> 5s\n"
                   "frontend web: access-log: yes -> no\n"
                   "backend app: retries: 3 -> 0\n");
    /* [defaults] appears in the sections that it changes. */
    expect_changes(WEB APP, "[defaults]\nretries = 1\n" WEB APP, "backend app: retries: 3 -> 1\n");
}
END_TEST

START_TEST(binds)
{
    expect_changes(WEB APP, WEB "bind = [::1]:1\n" APP, "bind [::1]:1 of frontend web: added\n");
    expect_changes(WEB "bind = [::1]:1\n" APP, WEB APP, "bind [::1]:1 of frontend web: removed\n");
    expect_changes(WEB "bind = [::1]:1\n" APP,
                   WEB APP "[frontend api]\nbind = [::1]:1\nbackend = app\n",
                   "frontend api: added\n"
                   "bind [::1]:1 of frontend api: moved from frontend web\n");
    expect_changes(WEB "bind = [::1]:1\n" APP, WEB "bind = [::1]:1 accept=shared\n" APP,
                   "bind [::1]:1 of frontend web: [::1]:1 accept=sharded steer=hash -> [::1]:1 "
                   "accept=shared\n");
    expect_changes(WEB "bind = unix:/w\n" APP, WEB "bind = unix:/w mode=0660\n" APP,
                   "bind unix:/w of frontend web: unix:/w -> unix:/w mode=0660\n");
}
END_TEST

START_TEST(frontends)
{
    expect_changes(WEB APP "[frontend api]\nbind = [::1]:1\nbackend = app\n", WEB APP,
                   "frontend api: removed\n"
                   "bind [::1]:1 of frontend api: removed\n");
    expect_changes(WEB APP, "[frontend www]\nbind = 127.0.0.1:1\nbackend = app\n" APP,
                   "frontend www: added\n"
                   "bind 127.0.0.1:1 of frontend www: moved from frontend web\n"
                   "frontend web: removed\n");
    expect_changes(WEB APP,
                   "[frontend web]\nbind = 127.0.0.1:1\nbackend = new\n" APP
                   "[backend new]\nserver = n 127.0.0.1:9\n",
                   "frontend web: backend: app -> new\n"
                   "backend new: added\n"
                   "server new/n: added: 127.0.0.1:9 weight=1\n");
}
END_TEST

START_TEST(servers)
{
    expect_changes(WEB APP "server = b 127.0.0.1:3\n",
                   WEB "[backend app]\nserver = a 127.0.0.1:4 weight=2\nserver = c 127.0.0.1:3\n",
                   "server app/a: 127.0.0.1:2 weight=1 -> 127.0.0.1:4 weight=2\n"
                   "server app/c: added: 127.0.0.1:3 weight=1\n"
                   "server app/b: removed\n");
    expect_changes(WEB APP "[backend old]\nserver = o 127.0.0.1:3\n", WEB APP,
                   "backend old: removed\n"
                   "server old/o: removed\n");
}
END_TEST

/* Servers with the same name in two backends are different servers. */
START_TEST(servers_of_two_backends_may_share_a_name)
{
    expect_changes(WEB APP "[backend other]\nserver = a 127.0.0.1:3\n",
                   WEB APP "[backend other]\nserver = b 127.0.0.1:3\n",
                   "server other/b: added: 127.0.0.1:3 weight=1\n"
                   "server other/a: removed\n");
}
END_TEST

/* A map whose bytes have changed. */
START_TEST(a_map_that_has_changed_is_shown)
{
    static const char text[] = "[frontend f]\nbind = 127.0.0.1:1\nroute = sni-map:map\n"
                               "[backend b]\nserver = a 127.0.0.1:2\n";
    struct config_diff diff;
    folder_write("map", "a.org b\n", 8);
    struct config *from = load_good(text);
    folder_write("map", "b.org b\nc.org b\n", 16);
    struct config *to = load_good(text);
    config_compare(from, to, &diff);
    ck_assert_uint_eq(diff.count, 1);
    ck_assert_int_eq(diff.items[0].subject, CHANGED_LIST);
    ck_assert_str_eq(diff.items[0].section, folder_path("map"));
    ck_assert_ptr_nonnull(strstr(diff.items[0].to, "2 entries"));
    config_diff_free(&diff);
    config_free(from);
    config_free(to);
}
END_TEST

/* What certificates are for, and until when: never the files themselves. */
START_TEST(certificates_that_have_changed_are_shown)
{
    static const char text[] = WEB "certificate = certs\ncertificate = one.pem\n" APP;
    struct config_diff diff;
    struct memory_stream out;
    ck_assert_int_eq(mkdir(folder_path("certs"), 0700), 0);
    issued_write_new("certs/a.pem", "DNS:a.example");
    issued_write_new("certs/b.pem", "DNS:b.example");
    issued_write_new("certs/c.pem", "DNS:c.example");
    issued_write_new("one.pem", "DNS:one.example");
    struct config *from = load_good(text);
    issued_write_new("certs/b.pem", "DNS:b.example,DNS:*.b.example");
    issued_write_new("certs/d.pem", "DNS:d.example");
    unlink(folder_path("certs/c.pem"));
    struct config *to = load_good(text);
    config_compare(from, to, &diff);
    memory_stream_begin(&out);
    for (size_t i = 0; i < diff.count; i++) {
        fputs(i ? "\n" : "", out.stream);
        change_print(&diff.items[i], out.stream);
    }
    char *got = memory_stream_end(&out);
    ck_assert_msg(diff.count == 3, "%s", got);
    ck_assert_ptr_nonnull(strstr(got, "/certs/b.pem: b.example, until 20"));
    ck_assert_ptr_nonnull(strstr(got, " UTC -> b.example *.b.example, until 20"));
    ck_assert_ptr_nonnull(strstr(got, "/certs/d.pem: added: d.example, until 20"));
    ck_assert_ptr_nonnull(strstr(got, "/certs/c.pem: removed"));
    free(got);
    config_diff_free(&diff);
    config_free(from);
    config_free(to);
}
END_TEST

Suite *diff_suite(void)
{
    Suite *suite = suite_create("diff");
    TCase *changes = tcase_create("changes");
    tcase_add_checked_fixture(changes, folder_make, folder_remove);
    tcase_add_test(changes, equal_configs_have_no_difference);
    tcase_add_test(changes, options);
    tcase_add_test(changes, binds);
    tcase_add_test(changes, frontends);
    tcase_add_test(changes, servers);
    tcase_add_test(changes, a_map_that_has_changed_is_shown);
    tcase_add_test(changes, certificates_that_have_changed_are_shown);
    tcase_add_test(changes, servers_of_two_backends_may_share_a_name);
    suite_add_tcase(suite, changes);
    return suite;
}
