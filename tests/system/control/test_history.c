/* rpproxy history and rpproxy rollback. */
#include "tests/system/scenarios.h"
#include "tests/system/support/canary.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/scene.h"
#include "tests/system/support/small_disk.h"

#include "tests/system/support/trap.h"

#include <dirent.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
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

/* The newest that served with another configuration, and not just the newest. */
START_TEST(a_rollback_passes_over_what_is_the_same)
{
    struct scene scene;
    struct outcome outcome;
    scene_init(&scene);
    configure(&scene, "1");
    proxy_start(&scene.proxy);
    configure(&scene, "2");
    proxy_reload(&scene.proxy);
    proxy_reload(&scene.proxy);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "rollback", NULL), 0);
    expect_running(&scene.proxy, "retries = 1\n");
    proxy_follow(&scene.proxy);
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

/* --- files that are not whole ------------------------------------------------------------------
 */

static void expect_refused(const struct proxy *proxy, const char *number, const char *reason)
{
    struct outcome outcome;
    int code = proxy_command(proxy, &outcome, "rollback", number, NULL);
    ck_assert_msg(code == 1 && strstr(outcome.err, reason), "exit %d: %s", code, outcome.err);
}

/* Shortened, as after a loss of power, and edited by somebody. */
START_TEST(a_file_that_is_not_as_it_was_written_is_not_used)
{
    struct scene scene;
    struct outcome outcome;
    char path[PATH_MAX], text[8192], *value;
    struct stat status;
    static const char reason[] = "does not have the configuration that was written to it";
    scene_init(&scene);
    configure(&scene, "1");
    proxy_start(&scene.proxy);
    configure(&scene, "2");
    proxy_reload(&scene.proxy);
    configure(&scene, "3");
    proxy_reload(&scene.proxy);
    wait_file(test_path(path, "proxy.run/history/generation-3.ini"));
    ck_assert_int_eq(stat(test_path(path, "proxy.run/history/generation-2.ini"), &status), 0);
    ck_assert_int_eq(truncate(path, status.st_size / 2), 0);
    read_file(test_path(path, "proxy.run/history/generation-1.ini"), text, sizeof text);
    ck_assert_ptr_nonnull(value = strstr(text, "retries = 1"));
    value[strlen("retries = ")] = '7';
    write_file(path, 0600, "%s", text);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "history", NULL), 0);
    ck_assert_ptr_nonnull(strstr(outcome.err, "generation-1.ini does not have the configuration"));
    ck_assert_ptr_nonnull(strstr(outcome.err, "generation-2.ini does not have the configuration"));
    expect_refused(&scene.proxy, "1", reason);
    expect_refused(&scene.proxy, "2", reason);
    expect_refused(&scene.proxy, NULL, "the history has no generation that served with another");
    expect_running(&scene.proxy, "retries = 3\n");
    configure(&scene, "4");
    for (unsigned i = 0; i < 4; i++) /* history-keep is 4: they are removed as any other */
        proxy_reload(&scene.proxy);
    json_t *list = history(&scene.proxy);
    ck_assert_uint_eq(json_array_size(list), 4);
    expect_entry(list, 3, 7, 0);
    json_decref(list);
    ck_assert_int_eq(access(path, F_OK), -1);
    proxy_stop(&scene.proxy);
}
END_TEST

/* The configuration is longer than a page, so that a write stops in its midst. */
static void configure_long(const struct scene *scene, const char *folder, const char *retries)
{
    char global[PATH_MAX + 64], rest[8192];
    size_t used = (size_t)snprintf(rest, sizeof rest, "retries = %s\n", retries);
    snprintf(global, sizeof global, "history = %s\n", folder);
    for (unsigned i = 0; i < 100; i++)
        used += (size_t)snprintf(rest + used, sizeof rest - used,
                                 "server = s%u 127.0.0.1:%u backup\n", i, 1000 + i);
    scene_configure(scene, global, rest);
}

/* Files that end with ".new", whose longest size is *longest. */
static unsigned unfinished(const char *folder, off_t *longest)
{
    const struct dirent *file;
    unsigned count = 0;
    DIR *directory = opendir(folder);
    *longest = 0;
    while (directory && (file = readdir(directory))) {
        struct stat status;
        const char *end = strrchr(file->d_name, '.');
        if (!end || strcmp(end, ".new") != 0 || fstatat(dirfd(directory), file->d_name, &status, 0))
            continue;
        count++;
        *longest = status.st_size > *longest ? status.st_size : *longest;
    }
    if (directory)
        closedir(directory);
    return count;
}

static void expect_last(const struct proxy *proxy, unsigned generation)
{
    json_t *list = history(proxy);
    expect_entry(list, json_array_size(list) - 1, generation, 0);
    json_decref(list);
}

/* Reloads go on, the operator is told, and what was kept can be used. */
START_TEST(a_full_disk)
{
    struct scene scene;
    struct outcome outcome;
    char folder[PATH_MAX], path[PATH_MAX];
    off_t longest;
    scene_init(&scene);
    ck_assert_int_eq(mkdir(test_path(folder, "history"), 0755), 0);
    if (!small_disk_mount(folder))
        skip_test("no file system can be mounted here");
    configure_long(&scene, folder, "1");
    proxy_start(&scene.proxy);
    configure_long(&scene, folder, "2");
    proxy_reload(&scene.proxy);
    wait_file(test_path(path, "history/generation-2.ini"));
    small_disk_fill(test_path(path, "history/filler"), 1); /* so that a write stops in its midst */
    configure_long(&scene, folder, "3");
    proxy_reload(&scene.proxy);
    wait_mentioned(scene.proxy.log, "history: generation 3 is not kept in ");
    wait_mentioned(scene.proxy.log, "No space left on device");
    ck_assert_uint_eq(unfinished(folder, &longest), 0);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "history", NULL), 0);
    ck_assert_ptr_nonnull(
        strstr(outcome.err, "generation-3.ini is empty: it could not be written"));
    expect_last(&scene.proxy, 2);
    expect_running(&scene.proxy, "retries = 3\n");
    expect_refused(&scene.proxy, "3", "is empty");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "rollback", NULL), 0);
    proxy_follow(&scene.proxy);
    expect_running(&scene.proxy, "retries = 2\n");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "rollback", "1", NULL), 0);
    proxy_follow(&scene.proxy);
    expect_running(&scene.proxy, "retries = 1\n");
    ck_assert_uint_eq(scene.proxy.generation, 5);
    wait_mentioned(scene.proxy.log, "history: generation 5 is not kept in ");
    proxy_wait_drained(&scene.proxy);

    ck_assert_int_eq(kill(scene.proxy.pid, SIGKILL), 0); /* numbers go on while the disk is full */
    (void)wait_gone(scene.proxy.pid);
    proxy_launch(&scene.proxy);
    proxy_wait_serving(&scene.proxy);
    proxy_follow(&scene.proxy);
    ck_assert_uint_eq(scene.proxy.generation, 6);
    ck_assert_int_eq(unlink(test_path(path, "history/filler")), 0);
    proxy_reload(&scene.proxy);
    expect_last(&scene.proxy, 7);
    proxy_stop(&scene.proxy);
    small_disk_unmount(folder);
}
END_TEST

struct victim {
    struct scene *scene;
    bool killed;
};

static bool is_killed_or_serves(void *argument)
{
    struct victim *victim = argument;
    struct status status;
    victim->killed = !process_alive(victim->scene->proxy.pid);
    return victim->killed || proxy_status(&victim->scene->proxy, &status);
}

/* A start that is killed at the N-th call of that kind of its main thread. False: it serves. */
static bool start_is_killed(struct scene *scene, const char *call, unsigned step)
{
    struct victim victim = {.scene = scene};
    char trace[PATH_MAX];
    write_file(scene->proxy.program, 0755,
               "#!/bin/sh\nexport ASAN_OPTIONS=detect_leaks=0:$ASAN_OPTIONS\n"
               "exec strace -D -qq -o %s -e trace=/^%s -e inject=/^%s:signal=SIGKILL:when=%u %s "
               "\"$@\"\n",
               test_path(trace, "trace"), call, call, step, proxy_binary());
    proxy_launch(&scene->proxy);
    wait_until(is_killed_or_serves, &victim, "the process is killed, or serves");
    if (victim.killed)
        (void)wait_gone(scene->proxy.pid);
    return victim.killed;
}

/* At each write, rename and unlink of a start, one after the other, until a start comes through. */
START_TEST(killed_in_the_midst_of_a_write)
{
    static const char *const calls[] = {"write", "rename", "unlink"};
    struct scene scene;
    struct outcome outcome;
    char folder[PATH_MAX], global[PATH_MAX + 64];
    unsigned kills = 0, left = 0;
    off_t longest;
    if (!trap_works())
        skip_test("strace cannot trace here");
    scene_init(&scene);
    proxy_own_binary(&scene.proxy);
    snprintf(global, sizeof global, "history = %s\nhistory-keep = 1000\n",
             test_path(folder, "proxy.run/history"));
    scene_configure(&scene, global, "retries = 1\n");
    proxy_start(&scene.proxy);
    proxy_stop(&scene.proxy);
    for (unsigned i = 0; i < 3; i++) {
        unsigned step = 1;
        for (; start_is_killed(&scene, calls[i], step); step++) {
            ck_assert_uint_lt(step, 100);
            left += unfinished(folder, &longest) > 0 && longest > 0;
        }
        kills += step - 1;
        (void)kill(scene.proxy.pid, SIGTERM); /* strace may kill it at a later call as well */
        (void)wait_gone(scene.proxy.pid);
    }
    ck_assert_msg(kills >= 5 && left > 1, "%u starts were killed, %u of them in a write", kills,
                  left);
    copy_file(proxy_binary(), scene.proxy.program, 0755);
    proxy_start(&scene.proxy);
    /* They are removed, but for one whose number another process has by now. */
    ck_assert_uint_lt(unfinished(folder, &longest), left);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "history", NULL), 0);
    ck_assert_str_eq(outcome.err, "");
    json_t *list = history(&scene.proxy);
    for (size_t i = 0, last = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        size_t number = (size_t)json_integer_value(json_object_get(entry, "generation"));
        ck_assert_uint_gt(number, last);
        last = number;
    }
    json_decref(list);
    scene_configure(&scene, global, "retries = 2\n");
    proxy_reload(&scene.proxy);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "rollback", NULL), 0);
    proxy_follow(&scene.proxy);
    expect_running(&scene.proxy, "retries = 1\n");
    ck_assert_int_eq(kill(scene.proxy.pid, SIGTERM), 0); /* strace's are orphans that have failed */
    (void)wait_gone(scene.proxy.pid);
    expect_clean_log(scene.proxy.log);
}
END_TEST

/* --- after a crash -----------------------------------------------------------------------------
 */

static void crash_and_start(struct scene *scene)
{
    struct status status;
    proxy_wait_drained(&scene->proxy);
    ck_assert_int_eq(kill(scene->proxy.pid, SIGKILL), 0);
    (void)wait_gone(scene->proxy.pid);
    proxy_launch(&scene->proxy);
    proxy_wait_serving(&scene->proxy);
    ck_assert(proxy_status(&scene->proxy, &status));
    scene->proxy.generation = status.generation;
}

static void expect_crashed(const struct proxy *proxy, size_t index, bool crashed)
{
    json_t *list = history(proxy);
    const json_t *entry = json_array_get(list, index);
    const char *result = json_string_value(json_object_get(entry, "result"));
    ck_assert_int_eq(json_is_true(json_object_get(entry, "crashed")), crashed);
    ck_assert_msg((strstr(result, "; crashed") != NULL) == crashed, "%s", result);
    json_decref(list);
}

/* Also when the service is started, and crashes, again and again: what served before that stays. */
START_TEST(a_start_after_a_crash_names_what_served_last)
{
    struct scene scene;
    struct outcome outcome;
    char path[PATH_MAX];
    scene_init(&scene);
    configure(&scene, "1");
    proxy_start(&scene.proxy);
    proxy_stop(&scene.proxy);
    proxy_launch(&scene.proxy);
    proxy_wait_serving(&scene.proxy);
    ck_assert_uint_eq(file_mentions(scene.proxy.log, "served without a crash"), 0);
    configure(&scene, "2");
    proxy_follow(&scene.proxy);
    proxy_reload(&scene.proxy);
    ck_assert_uint_eq(scene.proxy.generation, 3);
    wait_file(test_path(path, "proxy.run/history/generation-3.ini"));
    for (unsigned i = 0; i < 6; i++) { /* history-keep is 4 */
        crash_and_start(&scene);
        wait_mentions(scene.proxy.log,
                      "was the last that served without a crash; it had another configuration "
                      "than this start (rpproxy rollback 2)",
                      i + 1);
    }
    expect_crashed(&scene.proxy, 0, false);
    expect_crashed(&scene.proxy, 3, true);
    expect_last(&scene.proxy, 9);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "rollback", NULL), 0);
    proxy_follow(&scene.proxy);
    expect_running(&scene.proxy, "retries = 1\n");
    configure(&scene, "1");
    crash_and_start(&scene); /* it was generation 10 that crashed */
    wait_mentions(scene.proxy.log, "than this start (rpproxy rollback 9)", 1);
    proxy_stop(&scene.proxy);
    proxy_launch(&scene.proxy);
    proxy_wait_serving(&scene.proxy);
    wait_mentions(scene.proxy.log, "served without a crash", 7);
    proxy_stop(&scene.proxy);
}
END_TEST

/* What a canary was that went back is what an operator wants to see. */
START_TEST(the_configuration_of_a_canary_is_kept)
{
    struct scene scene;
    struct outcome outcome;
    struct canary canary;
    scene_init(&scene);
    configure(&scene, "1");
    proxy_start(&scene.proxy);
    configure(&scene, "2");
    struct reload reload = reload_start(&scene.proxy, "50%:1h");
    canary = canary_wait(&scene.proxy);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--abort", NULL), 0);
    reload_ends(&reload, 4);
    json_t *list = history(&scene.proxy);
    expect_entry(list, 1, 2, 4);
    json_decref(list);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "history", NULL), 0);
    ck_assert_ptr_nonnull(strstr(outcome.out, "canary rolled back: it was called off"));
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "history", "--diff", "1", "2", NULL), 0);
    ck_assert_ptr_nonnull(strstr(outcome.out, "+retries = 2\n"));
    /* It has not served all clients: no rollback leads to it unless it is named. */
    expect_refused(&scene.proxy, NULL, "the history has no generation that served with another");
    wait_until(is_reaped, &canary.pid, "the canary is gone");
    proxy_stop(&scene.proxy);
}
END_TEST

Suite *history_suite(void)
{
    Suite *suite = suite_create("history");
    scenario_add(suite, a_rollback_and_back, 60);
    scenario_add(suite, a_rollback_passes_over_what_is_the_same, 60);
    scenario_add(suite, numbers_go_on_after_a_crash, 60);
    scenario_add(suite, the_configuration_of_a_canary_is_kept, 60);
    scenario_add(suite, a_file_that_is_not_as_it_was_written_is_not_used, 60);
    scenario_add(suite, a_full_disk, 120);
    scenario_add(suite, killed_in_the_midst_of_a_write, 300);
    scenario_add(suite, a_start_after_a_crash_names_what_served_last, 120);
    return suite;
}
