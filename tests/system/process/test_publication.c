/* Paths by which others find the proxy: paths that cannot be used, that change their owner, or that
 * are taken back. And orders that are aborted or refused. */
#include "tests/system/scenarios.h"
#include "tests/system/support/canary.h"
#include "tests/system/support/harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A scene with a Unix bind "w" as well; attributes: " mode=0660", or "". */
static const char *configure(struct scene *scene, char path[static PATH_MAX], const char *global,
                             const char *attributes)
{
    char line[PATH_MAX + 128];
    snprintf(line, sizeof line, "bind = unix:%s%s\n", test_path(path, "w"), attributes);
    scene_configure(scene, global, line);
    return path;
}

static struct session through_path(const struct scene *scene, const char *path)
{
    const struct endpoint front = endpoint_unix(path);
    return session_through(&front, scene->listener);
}

static void serves_at(const struct scene *scene, const char *path)
{
    const struct session session = through_path(scene, path);
    session_works(&session);
    session_close(&session);
}

static mode_t mode_of(const char *path)
{
    struct stat status;
    ck_assert_int_eq(lstat(path, &status), 0);
    return status.st_mode & 0777;
}

/* --- starts -------------------------------------------------------------------------------- */

static void expect_no_start(const struct scene *scene, int code, const char *why)
{
    struct outcome outcome;
    run(&outcome, scene->proxy.program, "-f", scene->proxy.file, NULL);
    ck_assert_int_eq(outcome.code, code);
    ck_assert_msg(strstr(outcome.err, why) != NULL, "%s", outcome.err);
    ck_assert_msg(strstr(outcome.err, "serving") == NULL, "%s", outcome.err);
}

START_TEST(what_cannot_be_replaced_is_an_error_of_the_start)
{
    struct scene scene;
    char path[PATH_MAX];
    scene_init(&scene);
    configure(&scene, path, "", "");
    ck_assert_int_eq(mkdir(path, 0700), 0);
    expect_no_start(&scene, 3, "not a socket");
    ck_assert_int_eq(rmdir(path), 0);

    ck_assert_int_eq(mkdir(scene.proxy.pidfile, 0700), 0);
    expect_no_start(&scene, 1, "a directory is there");
    ck_assert_int_eq(rmdir(scene.proxy.pidfile), 0);

    ck_assert_int_eq(mkdir(scene.proxy.control, 0700), 0);
    expect_no_start(&scene, 1, "a directory is there");
    ck_assert_int_eq(rmdir(scene.proxy.control), 0);
    ck_assert_int_ne(access(path, F_OK), 0);
    proxy_start(&scene.proxy);
    serves_at(&scene, path);
    proxy_stop(&scene.proxy);
}
END_TEST

/* --- reloads ------------------------------------------------------------------------------- */

/* The canary is ready when the path of its pid file becomes unusable. */
START_TEST(what_cannot_be_published_is_an_error_of_the_reload)
{
    struct scene scene;
    struct outcome outcome;
    char path[PATH_MAX];
    scene_init(&scene);
    configure(&scene, path, "", "");
    proxy_start(&scene.proxy);
    configure(&scene, path, "", " mode=0640");
    mode_t mode = mode_of(path);
    struct reload reload = reload_start(&scene.proxy, "50%:10m");
    struct canary canary = canary_wait(&scene.proxy);
    ck_assert_int_eq(unlink(scene.proxy.pidfile), 0);
    ck_assert_int_eq(mkdir(scene.proxy.pidfile, 0700), 0);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--promote", NULL), 5);
    ck_assert_msg(strstr(outcome.err, "a directory is there") != NULL, "%s", outcome.err);
    reload_ends(&reload, 5);
    ck_assert_uint_eq(mode_of(path), mode);
    serves_at(&scene, path);
    wait_until(is_reaped, &canary.pid, "the canary is gone");

    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 5);
    ck_assert_int_eq(rmdir(scene.proxy.pidfile), 0);
    next_reload(&scene.proxy);
    ck_assert_int_eq(proxy_pidfile(&scene.proxy), scene.proxy.pid);
    ck_assert_uint_eq(mode_of(path), 0640);
    serves_at(&scene, path);
    proxy_stop(&scene.proxy);
}
END_TEST

/* What an administrator changed on the file stays. When a new process dies, everything is as
 * before. */
START_TEST(what_a_successor_took_is_taken_back)
{
    struct scene scene;
    char path[PATH_MAX];
    scene_init(&scene);
    configure(&scene, path, "probation = 10m\n", "");
    proxy_start(&scene.proxy);
    ck_assert_int_eq(chmod(path, 0612), 0);
    struct proxy first = scene.proxy;
    configure(&scene, path, "probation = 10m\n", " mode=0640");
    proxy_reload(&scene.proxy);
    ck_assert_uint_eq(mode_of(path), 0640);
    ck_assert_int_eq(proxy_pidfile(&scene.proxy), scene.proxy.pid);
    serves_at(&scene, path);

    struct session session = through_path(&scene, path);
    kill(scene.proxy.pid, SIGKILL);
    wait_mentioned(first.log, "generation 1 serves again");
    session_close(&session);
    ck_assert_uint_eq(mode_of(path), 0612);
    ck_assert_int_eq(proxy_pidfile(&first), first.pid);
    serves_at(&scene, path);

    scene.proxy = first;
    configure(&scene, path, "probation = 0s\n", "");
    proxy_reload(&scene.proxy);
    ck_assert_uint_eq(mode_of(path), 0612);
    serves_at(&scene, path);
    proxy_reload(&scene.proxy); /* this ends the first probation */
    proxy_wait_drained(&scene.proxy);
    serves_at(&scene, path);
    proxy_stop(&scene.proxy);
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

/* --- orders -------------------------------------------------------------------------------- */

START_TEST(a_signal_does_not_try_again_what_was_rolled_back)
{
    struct scene scene;
    struct status status;
    scene_start(&scene, "probation = 0s\n", "");
    struct reload reload = reload_start(&scene.proxy, "50%:10m");
    struct canary canary = canary_wait(&scene.proxy);
    kill(scene.proxy.pid, SIGHUP); /* this reload waits for the end of the canary */
    kill(canary.pid, SIGKILL);
    reload_ends(&reload, 5);
    wait_mentions(scene.proxy.log, "a signal does not reload it", 1);
    wait_mentions(scene.proxy.log, "generation 1 serves on", 2);
    kill(scene.proxy.pid, SIGHUP);
    wait_mentions(scene.proxy.log, "a signal does not reload it", 2);
    wait_mentions(scene.proxy.log, "generation 1 serves on", 3);
    ck_assert(proxy_status(&scene.proxy, &status));
    ck_assert_int_eq(status.pid, scene.proxy.pid);

    scene_configure(&scene, "probation = 0s\nlinger-timeout = 4s\n", "");
    proxy_reload_by_signal(&scene.proxy, SIGHUP);
    proxy_stop(&scene.proxy);
}
END_TEST

Suite *publication_suite(void)
{
    Suite *suite = suite_create("publication");
    scenario_add(suite, what_cannot_be_replaced_is_an_error_of_the_start, 60);
    scenario_add(suite, what_cannot_be_published_is_an_error_of_the_reload, 120);
    scenario_add(suite, what_a_successor_took_is_taken_back, 120);
    scenario_add(suite, a_signal_does_not_try_again_what_was_rolled_back, 120);
    return suite;
}
