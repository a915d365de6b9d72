/* rpproxy history and rpproxy rollback. */
#include "tests/system/scenarios.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/scene.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void configure(const struct scene *scene, const char *weight)
{
    char global[PATH_MAX + 64], rest[64], folder[PATH_MAX];
    snprintf(global, sizeof global, "history = %s\nhistory-keep = 4\n",
             test_path(folder, "proxy.run/history"));
    snprintf(rest, sizeof rest, "retries = %s\n", weight);
    scene_configure(scene, global, rest);
}

static json_t *history(const struct proxy *proxy)
{
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(proxy, &outcome, "history", "--json", NULL), 0);
    json_t *list = json_loads(outcome.out, 0, NULL);
    ck_assert(json_is_array(list));
    return list;
}

static void expect_entry(const json_t *list, size_t index, unsigned generation, int exit)
{
    const json_t *entry = json_array_get(list, index);
    ck_assert_int_eq((int)json_integer_value(json_object_get(entry, "generation")),
                     (int)generation);
    ck_assert_int_eq((int)json_integer_value(json_object_get(entry, "exit")), exit);
    ck_assert(json_is_string(json_object_get(entry, "by")));
    ck_assert(json_is_string(json_object_get(entry, "result")));
}

static void expect_running(const struct proxy *proxy, const char *line)
{
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(proxy, &outcome, "config", NULL), 0);
    ck_assert_msg(strstr(outcome.out, line) != NULL, "%s is not in %s", line, outcome.out);
}

START_TEST(a_rollback_and_back)
{
    struct scene scene;
    struct outcome outcome;
    char path[PATH_MAX], text[8192];
    struct stat status;
    scene_init(&scene);
    configure(&scene, "1");
    proxy_start(&scene.proxy);
    struct session session = session_open(&scene);
    configure(&scene, "2");
    proxy_reload(&scene.proxy);
    proxy_configure(&scene.proxy, "nonsense = 1\n");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 2);
    configure(&scene, "2");
    wait_mentioned(scene.proxy.log, "reload to generation 3 failed");
    json_t *list = history(&scene.proxy);
    ck_assert_uint_eq(json_array_size(list), 3);
    expect_entry(list, 0, 1, 0);
    expect_entry(list, 1, 2, 0);
    expect_entry(list, 2, 3, 2);
    json_decref(list);
    ck_assert_int_eq(stat(test_path(path, "proxy.run/history/generation-2.ini"), &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0600);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "history", "--diff", "1", "2", NULL), 0);
    ck_assert_ptr_nonnull(strstr(outcome.out, "-retries = 1\n"));
    ck_assert_ptr_nonnull(strstr(outcome.out, "+retries = 2\n"));

    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "rollback", "3", NULL), 1);
    ck_assert_ptr_nonnull(strstr(outcome.err, "was refused"));
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "rollback", "77", NULL), 1);
    expect_running(&scene.proxy, "retries = 2\n");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "rollback", NULL), 0);
    ck_assert_ptr_nonnull(strstr(outcome.out, "differs from it"));
    expect_running(&scene.proxy, "retries = 1\n");
    proxy_follow(&scene.proxy);
    session_works(&session);

    proxy_reload(&scene.proxy); /* reads the file again */
    expect_running(&scene.proxy, "retries = 2\n");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "rollback", "4", "--write", NULL), 0);
    proxy_follow(&scene.proxy);
    expect_running(&scene.proxy, "retries = 1\n");
    read_file(scene.proxy.file, text, sizeof text);
    ck_assert_ptr_nonnull(strstr(text, "retries = 1\n"));
    read_file(test_path(path, "proxy.ini.before-rollback"), text, sizeof text);
    ck_assert_ptr_nonnull(strstr(text, "retries = 2\n"));
    list = history(&scene.proxy); /* history-keep is 4 */
    ck_assert_uint_eq(json_array_size(list), 4);
    expect_entry(list, 3, 6, 0);
    json_decref(list);
    session_works(&session);
    session_close(&session);
    proxy_stop(&scene.proxy);
}
END_TEST

/* A crash, a leftover of a write that was interrupted, and files that are no history. */
START_TEST(numbers_go_on_after_a_crash)
{
    struct scene scene;
    char path[PATH_MAX];
    scene_init(&scene);
    configure(&scene, "1");
    proxy_start(&scene.proxy);
    proxy_reload(&scene.proxy);
    wait_file(test_path(path, "proxy.run/history/generation-2.ini"));
    proxy_wait_drained(&scene.proxy);
    ck_assert_int_eq(kill(scene.proxy.pid, SIGKILL), 0);
    (void)wait_gone(scene.proxy.pid);
    write_file(test_path(path, "proxy.run/history/generation-7.ini"), 0644, "a stranger's\n");
    write_file(test_path(path, "proxy.run/history/notes"), 0644, "a stranger's\n");
    write_file(test_path(path, "proxy.run/history/.rpproxy-4194305.new"), 0600, "; rppro");
    proxy_launch(&scene.proxy);
    proxy_wait_serving(&scene.proxy);
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "history", NULL), 0);
    ck_assert_ptr_nonnull(strstr(outcome.err, "generation-7.ini is not a file of the history"));
    json_t *list = history(&scene.proxy);
    ck_assert_uint_eq(json_array_size(list), 3);
    expect_entry(list, 2, 8, 0);
    json_decref(list);
    ck_assert_int_eq(access(path, F_OK), -1);
    ck_assert_int_eq(access(test_path(path, "proxy.run/history/notes"), F_OK), 0);
}
END_TEST

Suite *history_suite(void)
{
    Suite *suite = suite_create("history");
    scenario_add(suite, a_rollback_and_back, 60);
    scenario_add(suite, numbers_go_on_after_a_crash, 60);
    return suite;
}
