/* What operators are told when something is wrong: the cause, the place in the file, and which
 * process gave an order. */
#include "tests/system/scenarios.h"
#include "tests/system/support/canary.h"
#include "tests/system/support/example.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/scene.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void says(const char *text, const char *what)
{
    ck_assert_msg(strstr(text, what) != NULL, "'%s' is not said in: %s", what, text);
}

static void expect_reload(const struct scene *scene, int code, const char *what)
{
    struct outcome outcome;
    proxy_command(&scene->proxy, &outcome, "reload", NULL);
    ck_assert_msg(outcome.code == code, "exit %d, not %d: %s", outcome.code, code, outcome.err);
    says(outcome.err, what);
}

/* Each failed reload has its own number, and its lines in the log are tagged with it. */
START_TEST(failed_reloads)
{
    struct scene scene;
    char what[PATH_MAX + 256];
    scene_start(&scene, "", "");
    scene_configure(&scene, "log-level = much\n", "");
    snprintf(what, sizeof what, "%s:6: log-level: 'much' must be ", scene.proxy.file);
    expect_reload(&scene, 2, what);
    snprintf(what, sizeof what, "ERROR [generation 2] %s:6: log-level", scene.proxy.file);
    wait_mentioned(scene.proxy.log, what);
    wait_mentioned(scene.proxy.log, "ERROR [generation 1] reload to generation 2 failed: ");

    scene_configure(&scene, "log = file:/nonexistent/log\n", "");
    snprintf(what, sizeof what,
             "%s:6: log: /nonexistent/log cannot be opened: No such file or directory",
             scene.proxy.file);
    expect_reload(&scene, 2, what);
    snprintf(what, sizeof what, "ERROR [generation 3] %s:6: log: ", scene.proxy.file);
    wait_mentioned(scene.proxy.log, what);
    wait_mentioned(scene.proxy.log, "reload to generation 3 failed: ");

    scene_configure(&scene, "user = no-such-user\n", "");
    snprintf(what, sizeof what, "%s:6: user: there is no user no-such-user", scene.proxy.file);
    expect_reload(&scene, 2, what);

    scene_configure(&scene, "", "");
    proxy_reload(&scene.proxy);
    ck_assert_uint_eq(scene.proxy.generation, 5);
    proxy_stop(&scene.proxy);
}
END_TEST

/* A control socket or pid file that cannot be is told with its line, and with the directory. */
START_TEST(directories_that_are_missing)
{
    struct proxy proxy;
    struct outcome outcome;
    char what[2 * PATH_MAX + 256];
    proxy_init(&proxy, "proxy");
    write_file(proxy.file, 0644,
               "[global]\ncontrol = %s\npidfile = /nonexistent/deep/pid\n[listen l]\n"
               "bind = 127.0.0.1:%u\nserver = a 127.0.0.1:1\n",
               proxy.control, port_reserve(getuid()));
    run(&outcome, proxy_binary(), "-f", proxy.file, NULL);
    ck_assert_int_eq(outcome.code, 2);
    snprintf(
        what, sizeof what,
        "%s:3: pidfile: '/nonexistent/deep/pid': its directory /nonexistent/deep: No such file",
        proxy.file);
    says(outcome.err, what);
    write_file(proxy.file, 0644,
               "[global]\npidfile = %s\ncontrol = /nonexistent/deep/sock\n[listen l]\n"
               "bind = 127.0.0.1:%u\nserver = a 127.0.0.1:1\n",
               proxy.pidfile, port_reserve(getuid()));
    run(&outcome, proxy_binary(), "-f", proxy.file, NULL);
    ck_assert_int_eq(outcome.code, 2);
    snprintf(what, sizeof what,
             "%s:3: control: '/nonexistent/deep/sock': its directory /nonexistent/deep: No such",
             proxy.file);
    says(outcome.err, what);
}
END_TEST

/* A reload cannot become another user, and says so instead of blaming a port. */
START_TEST(a_reload_that_adds_a_user)
{
    if (getuid() != 0)
        skip_test("only root can become another user");
    struct scene scene;
    char what[PATH_MAX + 128];
    scene_start(&scene, "", "");
    scene_configure(&scene, "user = nobody\n", "");
    snprintf(what, sizeof what, "%s:6: user: a reload cannot change the user from root to nobody",
             scene.proxy.file);
    expect_reload(&scene, 2, what);
    scene_configure(&scene, "", "");
    proxy_reload(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(another_user_asks)
{
    if (getuid() != 0)
        skip_test("only root can become another user");
    struct scene scene;
    struct outcome outcome;
    char folder[PATH_MAX];
    scene_init(&scene);
    proxy_own_binary(&scene.proxy);
    scene_configure(&scene, "", "");
    proxy_start(&scene.proxy);
    const char *argv[] = {scene.proxy.program, "status", "-s", scene.proxy.control, NULL};
    const struct program stranger = {.argv = argv, .user = "nobody"};
    program_run(&stranger, PATIENCE_MS, &outcome);
    ck_assert_int_eq(outcome.code, 8);
    says(outcome.err, "user nobody may not use ");
    says(outcome.err, "the proxy answers user root and root only");
    snprintf(folder, sizeof folder, "%s", scene.proxy.control);
    *strrchr(folder, '/') = '\0';
    ck_assert_int_eq(chmod(folder, 0700), 0);
    program_run(&stranger, PATIENCE_MS, &outcome);
    ck_assert_int_eq(outcome.code, 8);
    says(outcome.err, "user nobody may not look at ");
    proxy_stop(&scene.proxy);
}
END_TEST

/* An operator's decision is no error. */
START_TEST(a_canary_that_is_called_off)
{
    struct scene scene;
    struct outcome outcome;
    scene_start(&scene, "", "");
    struct reload reload = reload_start(&scene.proxy, "50%:10m");
    (void)canary_wait(&scene.proxy);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--abort", NULL), 0);
    reload_ends(&reload, 4);
    wait_mentioned(scene.proxy.log, "a command of uid ");
    wait_mentioned(scene.proxy.log, "NOTICE [generation 1] reload to generation 2 called off: ");
    ck_assert_uint_eq(file_mentions(scene.proxy.log, "ERROR"), 0);
    proxy_stop(&scene.proxy);
}
END_TEST

/* The log names the process that gave an order. */
START_TEST(orders_are_told)
{
    struct scene scene;
    char what[128];
    scene_start(&scene, "", "");
    pid_t pid = proxy_command_start(&scene.proxy, NULL, "reload", NULL);
    ck_assert_int_eq(wait_gone(pid), 0);
    snprintf(what, sizeof what,
             "generation 2 is started, as ordered by a command of uid %u, pid %d", getuid(),
             (int)pid);
    wait_mentioned(scene.proxy.log, what);
    proxy_follow(&scene.proxy);
    proxy_reload_by_signal(&scene.proxy, SIGHUP);
    snprintf(what, sizeof what, "generation 3 is started, as ordered by SIGHUP from uid %u, pid %d",
             getuid(), (int)getpid());
    wait_mentioned(scene.proxy.log, what);
    proxy_wait_drained(&scene.proxy);
    kill(scene.proxy.pid, SIGTERM);
    ck_assert_int_le(wait_gone(scene.proxy.pid), 0);
    snprintf(what, sizeof what,
             "stopping: no new connections are accepted, as ordered by SIGTERM "
             "from uid %u, pid %d",
             getuid(), (int)getpid());
    wait_mentioned(scene.proxy.log, what);
}
END_TEST

/* Warnings: printed by check, logged by a start and a reload, and printed by reload --dry-run. */
START_TEST(warnings)
{
    struct scene scene;
    struct outcome outcome;
    char what[PATH_MAX + 128], logged[PATH_MAX + 160];
    scene_start(&scene, "", "max-queue = 5\n");
    snprintf(what, sizeof what, "%s:9: warning: max-queue has no effect without", scene.proxy.file);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "check", NULL), 0);
    says(outcome.err, what);
    says(outcome.out, ": valid\n");
    snprintf(logged, sizeof logged, "WARNING [generation 1] %s", what);
    wait_mentioned(scene.proxy.log, logged);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--dry-run", NULL), 0);
    says(outcome.err, what);
    proxy_reload(&scene.proxy);
    snprintf(logged, sizeof logged, "WARNING [generation 2] %s", what);
    wait_mentioned(scene.proxy.log, logged);
    proxy_stop(&scene.proxy);
}
END_TEST

/* A file that an option names is part of the configuration: a preview tells that it has changed. */
START_TEST(a_changed_password)
{
    struct scene scene;
    struct outcome outcome;
    char password[PATH_MAX], what[PATH_MAX + 64];
    write_file(test_path(password, "password"), 0600, "first\n");
    scene_start(&scene, "", "check = redis\ncheck-password = @password\nfall = 1000\n");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--dry-run", NULL), 0);
    ck_assert_msg(strstr(outcome.out, "a reload would change nothing") != NULL, "%s", outcome.out);
    write_file(password, 0600, "second, and longer\n");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--dry-run", NULL), 0);
    snprintf(what, sizeof what, "file %s: as it was read -> changed since", password);
    says(outcome.out, what);
    ck_assert_ptr_null(strstr(outcome.out, "second"));
    proxy_stop(&scene.proxy);
}
END_TEST

/* A preview tells for whom a certificate is, and until when; the running configuration has the old
 * one until a reload. */
START_TEST(a_changed_certificate)
{
    struct scene scene;
    struct outcome outcome, before, after;
    char what[PATH_MAX + 64], path[PATH_MAX];
    example_certificate();
    scene_start(&scene, "[defaults]\ncertificate = cert.pem key=key.pem\n", "");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--dry-run", NULL), 0);
    ck_assert_msg(strstr(outcome.out, "a reload would change nothing") != NULL, "%s", outcome.out);
    ck_assert_int_eq(proxy_command(&scene.proxy, &before, "config", NULL), 0);
    example_certificate();
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--dry-run", NULL), 0);
    snprintf(what, sizeof what, "certificate %s: ", test_path(path, "cert.pem"));
    says(outcome.out, what);
    says(outcome.out, " UTC -> ");
    ck_assert_ptr_null(strstr(outcome.out, "PRIVATE"));
    proxy_reload(&scene.proxy);
    ck_assert_int_eq(proxy_command(&scene.proxy, &after, "config", NULL), 0);
    says(after.out, what);
    ck_assert_str_ne(before.out, after.out);
    proxy_stop(&scene.proxy);
}
END_TEST

Suite *diagnoses_suite(void)
{
    Suite *suite = suite_create("diagnoses");
    scenario_add(suite, failed_reloads, 120);
    scenario_add(suite, directories_that_are_missing, 60);
    scenario_add(suite, a_reload_that_adds_a_user, 120);
    scenario_add(suite, another_user_asks, 120);
    scenario_add(suite, a_canary_that_is_called_off, 120);
    scenario_add(suite, orders_are_told, 120);
    scenario_add(suite, warnings, 120);
    scenario_add(suite, a_changed_password, 120);
    scenario_add(suite, a_changed_certificate, 120);
    return suite;
}
