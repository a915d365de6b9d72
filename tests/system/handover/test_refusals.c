/* Reloads that must fail, with the right exit code and the reason, and without losing a client. */
#include "tests/system/scenarios.h"
#include "tests/system/support/churn.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/net.h"
#include "tests/system/support/origin.h"
#include "tests/system/support/proxy.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A loaded proxy, run from a binary that the test may replace. */
struct scene {
    struct proxy proxy;
    struct origin *origin;
    uint16_t port;
    struct churn *churn;
};

static void configure(const struct scene *scene, const char *options, const char *more)
{
    proxy_configure(&scene->proxy,
                    "%s[listen main]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n%s", options,
                    scene->port, origin_port(scene->origin), more);
}

static void scene_start(struct scene *scene, const char *options)
{
    scene->origin = origin_start(ORIGIN_ANSWER);
    scene->port = port_reserve(getuid());
    proxy_init(&scene->proxy, "proxy");
    proxy_own_binary(&scene->proxy);
    configure(scene, options, "");
    proxy_start(&scene->proxy);
    struct endpoint front = endpoint_loopback(scene->port);
    scene->churn = churn_load(&front, 100);
}

static void expect_outcome(const struct outcome *outcome, int code, const char *reason)
{
    ck_assert_msg(outcome->code == code, "exit %d, not %d:\n%s%s", outcome->code, code,
                  outcome->out, outcome->err);
    ck_assert_msg(strstr(outcome->err, reason) != NULL, "no \"%s\" in what it says:\n%s", reason,
                  outcome->err);
}

static void expect_untouched(const struct scene *scene)
{
    struct status status;
    ck_assert(proxy_status(&scene->proxy, &status));
    ck_assert_int_eq(status.pid, scene->proxy.pid);
    ck_assert_uint_eq(status.generation, scene->proxy.generation);
    ck_assert_uint_eq(status.count, 1);
    ck_assert_int_eq(proxy_pidfile(&scene->proxy), scene->proxy.pid);
    churn_wait(scene->churn, churn_ended(scene->churn) + 100);
}

/* A reload that fails with `code` and says `reason`. The old process is not affected. */
static void expect_failure(const struct scene *scene, int code, const char *reason)
{
    struct outcome outcome;
    proxy_command(&scene->proxy, &outcome, "reload", NULL);
    expect_outcome(&outcome, code, reason);
    expect_untouched(scene);
}

/* After all failures the next reload works. Numbers of failed generations may be skipped. */
static void scene_end(struct scene *scene, const char *what)
{
    struct outcome outcome;
    int code = proxy_command(&scene->proxy, &outcome, "reload", NULL);
    ck_assert_msg(code == 0, "the reload after it: exit %d\n%s%s", code, outcome.out, outcome.err);
    proxy_follow(&scene->proxy);
    churn_wait(scene->churn, churn_ended(scene->churn) + 200);
    churn_stop_clean(scene->churn, what);
    proxy_wait_drained(&scene->proxy);
    struct outcome stopped;
    ck_assert_int_eq(proxy_command(&scene->proxy, &stopped, "stop", NULL), 0);
    ck_assert_int_le(wait_gone(scene->proxy.pid), 0);
}

START_TEST(invalid_file)
{
    struct scene scene;
    scene_start(&scene, "");
    char where[PATH_MAX + 16];
    for (unsigned i = 0; i < scaled(10, 2); i++) {
        configure(&scene, "worker = 3\n", "");
        snprintf(where, sizeof where, "%s:5: ", scene.proxy.file);
        expect_failure(&scene, 2, where);
        expect_failure(&scene, 2, "workers"); /* the suggestion */
        unlink(scene.proxy.file);
        struct outcome outcome;
        run(&outcome, proxy_binary(), "reload", "-s", scene.proxy.control, NULL);
        ck_assert_msg(outcome.code == 2 && strstr(outcome.err, "No such file") != NULL,
                      "exit %d: %s", outcome.code, outcome.err);
    }
    configure(&scene, "", "");
    scene_end(&scene, "beside reloads with an invalid file");
}
END_TEST

START_TEST(address_in_use)
{
    struct scene scene;
    scene_start(&scene, "");
    uint16_t taken;
    int other = listen_loopback(&taken);
    char more[128], address[64];
    /* The good bind before the bad one must be undone, too. */
    snprintf(more, sizeof more,
             "[listen more]\nbind = 127.0.0.1:%u\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:1\n",
             port_reserve(getuid()), taken);
    snprintf(address, sizeof address, "127.0.0.1:%u", taken);
    configure(&scene, "", more);
    for (unsigned i = 0; i < scaled(10, 2); i++) {
        expect_failure(&scene, 3, address);
    }
    close(other);
    configure(&scene, "",
              "[listen more]\nbind = 192.0.2.1:80\nserver = a 127.0.0.1:1\n"); /* not an address of
                                                                                  this machine */
    expect_failure(&scene, 3, "192.0.2.1:80");
    configure(&scene, "", "[listen more]\nbind = unix:/nonexistent/path\nserver = a 127.0.0.1:1\n");
    expect_failure(&scene, 3, "/nonexistent/path");
    configure(&scene, "", "");
    scene_end(&scene, "beside reloads with an address that cannot be bound");
}
END_TEST

static void replace_binary(const struct scene *scene, const char *script)
{
    write_file(scene->proxy.program, 0755, "#!/bin/sh\n%s\n", script);
}

static void restore_binary(const struct scene *scene)
{
    copy_file(proxy_binary(), scene->proxy.program, 0755);
}

START_TEST(no_binary)
{
    struct scene scene;
    scene_start(&scene, "");
    unlink(scene.proxy.program);
    expect_failure(&scene, 5, "No such file");
    restore_binary(&scene);
    ck_assert_int_eq(chmod(scene.proxy.program, 0644), 0);
    expect_failure(&scene, 5, "ermission denied");
    write_file(scene.proxy.program, 0755, "%s", "");
    expect_failure(&scene, 5, "");
    restore_binary(&scene);
    scene_end(&scene, "beside reloads without a binary");
}
END_TEST

START_TEST(crashing_successor)
{
    struct scene scene;
    scene_start(&scene, "");
    replace_binary(&scene, "kill -SEGV $$");
    expect_failure(&scene, 5, "");
    replace_binary(&scene, "exit 0");
    expect_failure(&scene, 5, "");
    replace_binary(&scene, "echo what went wrong >&2; exit 42");
    expect_failure(&scene, 5, "");
    restore_binary(&scene);
    scene_end(&scene, "beside reloads whose successor crashes");
}
END_TEST

/* The new process sends nothing. It is killed after 5 s. */
START_TEST(mute_successor)
{
    struct scene scene;
    scene_start(&scene, "");
    char script[PATH_MAX + 64], file[PATH_MAX], text[32];
    test_path(file, "pid");
    snprintf(script, sizeof script, "echo $$ > %s; exec sleep 1000", file);
    replace_binary(&scene, script);
    expect_failure(&scene, 5, "");
    ck_assert_uint_gt(read_file(file, text, sizeof text), 0);
    int pid;
    ck_assert_int_eq(sscanf(text, "%d", &pid), 1);
    (void)wait_gone(pid); /* the old process has killed it */
    restore_binary(&scene);
    scene_end(&scene, "beside a reload whose successor says nothing");
}
END_TEST

/* The new process sends HELLO and then hangs, at its first listen(). */
START_TEST(hanging_successor)
{
    if (!program_exists("strace")) {
        skip_test("no strace");
    }
    struct scene scene;
    scene_start(&scene, "ready-timeout = 5s\n");
    char script[2 * PATH_MAX];
    snprintf(script, sizeof script,
             "exec strace -D -f -qq -o /dev/null -e trace=listen "
             "-e inject=listen:signal=SIGSTOP %s \"$@\"",
             proxy_binary());
    replace_binary(&scene, script);
    struct outcome outcome;
    do {
        proxy_command(&scene.proxy, &outcome, "reload", NULL);
        /* Sometimes strace ends itself and the traced process when it starts. */
    } while (strstr(outcome.err, "signal 15") != NULL);
    expect_outcome(&outcome, 5, "ready-timeout");
    expect_untouched(&scene);
    restore_binary(&scene);
    scene_end(&scene, "beside a reload whose successor hangs");
}
END_TEST

/* A new process that waits for the file `gate` keeps the first reload going. */
static pid_t begin_slow_reload(struct scene *scene, const char *gate)
{
    char started[PATH_MAX], script[4 * PATH_MAX];
    test_path(started, "started");
    unlink(started);
    snprintf(script, sizeof script,
             ": > %s\nwhile [ ! -e %s ]; do sleep 0.02; done\nexec %s \"$@\"", started, gate,
             proxy_binary());
    replace_binary(scene, script);
    pid_t reload = proxy_command_start(&scene->proxy, NULL, "reload", NULL);
    wait_file(started);
    return reload;
}

START_TEST(second_reload_during_a_first)
{
    struct scene scene;
    scene_start(&scene, "");
    char gate[PATH_MAX];
    test_path(gate, "gate");
    pid_t first = begin_slow_reload(&scene, gate);
    struct outcome outcome;
    int code = proxy_command(&scene.proxy, &outcome, "reload", NULL);
    write_file(gate, 0644, "%s", "");
    ck_assert_msg(code == 7, "exit %d: %s%s", code, outcome.out, outcome.err);
    ck_assert_msg(strstr(outcome.err, "progress") != NULL, "it says: %s", outcome.err);
    ck_assert_int_eq(wait_gone(first), 0);
    restore_binary(&scene);
    proxy_follow(&scene.proxy);
    ck_assert_uint_eq(scene.proxy.generation, 2);
    scene_end(&scene, "beside two reloads at once");
}
END_TEST

static bool third_is_active(void *argument)
{
    struct status status;
    return proxy_status(argument, &status) && status.generation == 3;
}

/* However many signals come during a reload, one more reload follows. */
START_TEST(signals_coalesce)
{
    struct scene scene;
    scene_start(&scene, "");
    char gate[PATH_MAX];
    test_path(gate, "gate");
    pid_t first = begin_slow_reload(&scene, gate);
    for (unsigned i = 0; i < 5; i++) {
        kill(scene.proxy.pid, i % 2 == 0 ? SIGUSR2 : SIGHUP);
    }
    write_file(gate, 0644, "%s", "");
    ck_assert_int_eq(wait_gone(first), 0);
    wait_until(third_is_active, &scene.proxy, "the signals' reload follows");
    restore_binary(&scene);
    churn_wait(scene.churn, churn_ended(scene.churn) + 500);
    proxy_follow(&scene.proxy);
    ck_assert_uint_eq(scene.proxy.generation, 3);
    scene_end(&scene, "beside signals during a reload");
}
END_TEST

/* --- at the start --- */

START_TEST(start_refused)
{
    uint16_t taken;
    int other = listen_loopback(&taken);
    struct proxy proxy;
    proxy_init(&proxy, "proxy");
    char path[PATH_MAX + 16];
    struct outcome outcome;
    const char *argv[] = {proxy_binary(), "-f", proxy.file, NULL};
    struct program program = {.argv = argv};

    program_run(&program, PATIENCE_MS, &outcome);
    ck_assert_int_eq(outcome.code, 2);
    ck_assert_ptr_nonnull(strstr(outcome.err, "No such file"));

    proxy_configure(&proxy, "[listen main]\nbind = 127.0.0.1:%u\n", taken);
    program_run(&program, PATIENCE_MS, &outcome);
    ck_assert_int_eq(outcome.code, 2);
    snprintf(path, sizeof path, "%s:5: ", proxy.file);
    ck_assert_msg(strstr(outcome.err, path) != NULL, "it says: %s", outcome.err);

    proxy_configure(&proxy, "[listen main]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:1\n", taken);
    program_run(&program, PATIENCE_MS, &outcome);
    ck_assert_int_eq(outcome.code, 3);
    snprintf(path, sizeof path, "127.0.0.1:%u", taken);
    ck_assert_msg(strstr(outcome.err, path) != NULL, "it says: %s", outcome.err);
    ck_assert_msg(access(proxy.control, F_OK) != 0, "a control socket is left behind");

    test_path(path, "proxy.run");
    ck_assert_int_eq(chmod(path, 0777), 0);
    program_run(&program, PATIENCE_MS, &outcome);
    ck_assert_int_eq(outcome.code, 2);
    ck_assert_msg(strstr(outcome.err, "not sticky") != NULL, "it says: %s", outcome.err);
    close(other);
}
END_TEST

/* A full queue does not mean that the serving process is dead: it may only be slow. */
START_TEST(start_beside_one_that_is_busy)
{
    enum { FULL = 64 };
    struct proxy proxy;
    struct outcome outcome;
    int clients[FULL];
    unsigned count = 0;
    proxy_init(&proxy, "proxy");
    proxy_configure(&proxy, "[listen main]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:1\n",
                    port_reserve(getuid()));
    proxy_start(&proxy);
    process_stop(proxy.pid);
    struct endpoint control = endpoint_unix(proxy.control);
    do {
        ck_assert_uint_lt(count, FULL);
        clients[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    } while (connect(clients[count++], &control.any, control.length) == 0);
    ck_assert_int_eq(errno, EAGAIN);
    const char *argv[] = {proxy_binary(), "-f", proxy.file, NULL};
    program_run(&(struct program){.argv = argv}, PATIENCE_MS, &outcome);
    expect_outcome(&outcome, 1, "a process already serves it");
    while (count > 0) {
        close(clients[--count]);
    }
    ck_assert_int_eq(kill(proxy.pid, SIGCONT), 0);
    program_run(&(struct program){.argv = argv}, PATIENCE_MS, &outcome);
    expect_outcome(&outcome, 1, " already serves it");
    proxy_stop(&proxy);
}
END_TEST

Suite *refusals_suite(void)
{
    Suite *suite = suite_create("refusals");
    scenario_add(suite, invalid_file, 300);
    scenario_add(suite, address_in_use, 300);
    scenario_add(suite, no_binary, 300);
    scenario_add(suite, crashing_successor, 300);
    scenario_add(suite, mute_successor, 300);
    scenario_add(suite, hanging_successor, 300);
    scenario_add(suite, second_reload_during_a_first, 300);
    scenario_add(suite, signals_coalesce, 300);
    scenario_add(suite, start_refused, 120);
    scenario_add(suite, start_beside_one_that_is_busy, 120);
    return suite;
}
