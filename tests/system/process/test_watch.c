/* --watch-files: a reload when a file of the configuration changes. */
#include "tests/system/scenarios.h"
#include "tests/system/support/churn.h"
#include "tests/system/support/origin.h"
#include "tests/system/support/scene.h"
#include "tests/system/support/supervisor.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pid_t watch(struct scene *scene)
{
    return supervisor_start(&scene->proxy, "--watch-files");
}

static void wait_reloaded(struct scene *scene, const char *why)
{
    wait_until(has_reloaded, &scene->proxy, why);
    proxy_wait_drained(&scene->proxy);
}

/* As an editor saves it: in place, and by rename. Files with another ending do not count, such as
 * the log, which stands beside the file here. A file with a mistake changes nothing. */
START_TEST(a_changed_file_is_a_reload)
{
    struct scene scene;
    char path[PATH_MAX], other[PATH_MAX];
    scene_init(&scene);
    ck_assert_int_eq(mkdir(test_path(path, "conf.d"), 0755), 0);
    test_path(path, "conf.d/more.ini");
    scene_configure(&scene, "include = conf.d/*.ini\n", "");
    pid_t supervisor = watch(&scene);
    scene_configure(&scene, "include = conf.d/*.ini\n", "idle-timeout = 5m\n");
    wait_reloaded(&scene, "the file was written");
    write_file(path, 0644, "[listen more]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:9\n",
               port_reserve(getuid()));
    wait_reloaded(&scene, "an included file was added");
    write_file(path, 0644, "nonsense\n");
    wait_mentioned(scene.proxy.log, "more.ini:1: ");
    ck_assert_int_eq(rename(path, test_path(other, "conf.d/more.off")), 0);
    wait_reloaded(&scene, "the file was renamed");
    unsigned generation = scene.proxy.generation;
    write_file(test_path(other, "beside.log"), 0644, "a line\n");
    write_file(test_path(other, ".proxy.ini"), 0644, "hidden\n");
    ck_assert_int_eq(utimensat(AT_FDCWD, scene.proxy.file, NULL, 0), 0);
    wait_reloaded(&scene, "the file was touched");
    ck_assert_uint_eq(scene.proxy.generation, generation + 1);
    stop_through(&scene.proxy, supervisor);
}
END_TEST

/* Kubernetes makes a directory with the new files, and moves a symbolic link to it. */
static void put_version(const struct scene *scene, const char *mount, unsigned version)
{
    struct outcome outcome;
    char script[4 * PATH_MAX];
    snprintf(script, sizeof script,
             "cd '%s' && mkdir ..v%u && cp '%s' ..v%u/proxy.ini && ln -s ..v%u ..data_tmp && "
             "mv -T ..data_tmp ..data && { [ -L proxy.ini ] || ln -s ..data/proxy.ini .; } && "
             "rm -rf ..v%u",
             mount, version, scene->proxy.file, version, version, version - 1);
    run(&outcome, "sh", "-c", script, NULL);
    ck_assert_msg(outcome.code == 0, "%s", outcome.err);
}

START_TEST(a_changed_config_map_is_a_reload)
{
    struct scene scene;
    struct outcome outcome;
    char mount[PATH_MAX], original[PATH_MAX];
    struct origin *origin = origin_start(ORIGIN_ANSWER);
    scene_init(&scene);
    scene.server_port = origin_port(origin);
    ck_assert_int_eq(mkdir(test_path(mount, "mount"), 0755), 0);
    scene_configure(&scene, "", "");
    put_version(&scene, mount, 1);
    snprintf(original, sizeof original, "%s", scene.proxy.file);
    test_path(scene.proxy.file, "mount/proxy.ini");
    pid_t supervisor = watch(&scene);
    struct churn *churn =
        churn_start(&(struct churn_options){.target = scene.front, .in_flight = 10});
    for (unsigned version = 2; version < 5; version++) {
        char rest[64], mounted[PATH_MAX];
        snprintf(rest, sizeof rest, "connect-timeout = %us\n", version);
        snprintf(mounted, sizeof mounted, "%s", scene.proxy.file);
        snprintf(scene.proxy.file, sizeof scene.proxy.file, "%s", original);
        scene_configure(&scene, "", rest);
        put_version(&scene, mount, version);
        snprintf(scene.proxy.file, sizeof scene.proxy.file, "%s", mounted);
        wait_reloaded(&scene, "the link was moved");
        ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "config", NULL), 0);
        ck_assert_msg(strstr(outcome.out, rest) != NULL, "%s: %s", rest, outcome.out);
    }
    churn_stop_clean(churn, "changes of a config map");
    stop_through(&scene.proxy, supervisor);
}
END_TEST

static unsigned put(const struct scene *scene, const char *name, const char *text)
{
    char path[PATH_MAX], new[PATH_MAX];
    write_file(test_path(new, "beside"), 0644, "%s", text);
    ck_assert_int_eq(rename(new, test_path(path, name)), 0);
    return scene->proxy.generation;
}

/* What the configuration names, in other directories: a list, a map that a symbolic link leads to,
 * and a file that includes match. A list that is missing makes a reload fail; it succeeds when the
 * list is there, also if its directory was missing. Nothing else in these directories counts. */
START_TEST(a_changed_file_that_the_configuration_names_is_a_reload)
{
    struct scene scene;
    struct outcome outcome;
    char path[PATH_MAX], other[PATH_MAX];
    scene_init(&scene);
    proxy_own_binary(&scene.proxy);
    const char *const folders[] = {"away", "away/lists", "away/maps", "away/real", "away/more"};
    for (unsigned i = 0; i < 5; i++)
        ck_assert_int_eq(mkdir(test_path(path, folders[i]), 0755), 0);
    put(&scene, "away/lists/friends", "127.0.0.1\n");
    put(&scene, "away/real/map.txt", "a.example main\n");
    ck_assert_int_eq(symlink("../real/map.txt", test_path(path, "away/maps/hosts.map")), 0);
    scene_configure(&scene, "include = away/more/*.conf\n",
                    "allow = @away/lists/friends\nroute = sni-map:away/maps/hosts.map\n");
    pid_t supervisor = watch(&scene);
    put(&scene, "away/lists/friends", "127.0.0.1\n10.0.0.1\n");
    wait_reloaded(&scene, "the list was replaced");
    write_file(test_path(path, "away/real/map.txt"), 0644, "b.example main\n");
    wait_reloaded(&scene, "the map behind the link was written");
    put(&scene, "away/more/b.conf", "[defaults]\nidle-timeout = 5m\n");
    wait_reloaded(&scene, "a file that is included has come");

    put(&scene, "away/lists/beside", "text\n");
    put(&scene, "away/more/b.off", "text\n");
    ck_assert_int_eq(symlink("friends", test_path(path, "away/lists/link")), 0);
    unsigned generation = put(&scene, "away/lists/friends", "127.0.0.1\n10.0.0.2\n");
    wait_reloaded(&scene, "the list was replaced again");
    ck_assert_uint_eq(scene.proxy.generation, generation + 1);

    scene_configure(&scene, "include = away/more/*.conf\n", "allow = @away/new/there/friends\n");
    wait_mentioned(scene.proxy.log, "away/new/there/friends: No such file");
    generation = scene.proxy.generation;
    ck_assert_int_eq(mkdir(test_path(path, "away/new"), 0755), 0);
    ck_assert_int_eq(mkdir(test_path(path, "away/new/there"), 0755), 0);
    put(&scene, "away/new/there/friends", "127.0.0.1\n");
    wait_reloaded(&scene, "the missing list has come");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "config", NULL), 0);
    ck_assert_msg(strstr(outcome.out, "away/new/there/friends"), "%s", outcome.out);

    copy_file(proxy_binary(), test_path(other, "other"), 0755);
    ck_assert_int_eq(rename(other, scene.proxy.program), 0);
    reload_through(&scene.proxy, supervisor, SIGHUP);
    wait_mentioned(scene.proxy.log, "goes on by the new program");
    proxy_wait_drained(&scene.proxy);
    generation = put(&scene, "away/new/there/friends", "127.0.0.1\n10.0.0.3\n");
    wait_reloaded(&scene, "the new program of the supervisor knows the list");
    ck_assert_uint_eq(scene.proxy.generation, generation + 1);
    stop_through(&scene.proxy, supervisor);
}
END_TEST

START_TEST(a_directory_that_is_not_there_cannot_be_watched)
{
    struct outcome outcome;
    run(&outcome, proxy_binary(), "-f", "/nonexistent/proxy.ini", "--watch-files", NULL);
    ck_assert_msg(outcome.code == 1 && strstr(outcome.err, "cannot be watched"), "exit %d: %s",
                  outcome.code, outcome.err);
}
END_TEST

Suite *watch_suite(void)
{
    Suite *suite = suite_create("watch");
    scenario_add(suite, a_changed_file_is_a_reload, 120);
    scenario_add(suite, a_changed_config_map_is_a_reload, 120);
    scenario_add(suite, a_changed_file_that_the_configuration_names_is_a_reload, 300);
    scenario_add(suite, a_directory_that_is_not_there_cannot_be_watched, 60);
    return suite;
}
