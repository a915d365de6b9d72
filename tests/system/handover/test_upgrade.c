/* Reloads to another binary under load, and back. scripts/test-upgrade names the other binaries in
 * the environment; without it these tests are skipped. */
#include "tests/system/scenarios.h"
#include "tests/system/support/churn.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/net.h"
#include "tests/system/support/origin.h"
#include "tests/system/support/proxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROUNDS = 10, IN_FLIGHT = 100, CONNECTIONS = 1000 };

struct scene {
    struct proxy proxy;
    struct origin *origin, *echo;
    uint16_t port, echo_port;
    char path[PATH_MAX]; /* of a Unix bind */
};

static void configure(const struct scene *scene, unsigned workers)
{
    proxy_configure(&scene->proxy,
                    "workers = %u\nmax-generations = 64\nstop-timeout = 100ms\n"
                    "[listen main]\nbind = 127.0.0.1:%u\nbind = unix:%s\nserver = a 127.0.0.1:%u\n"
                    "server = out 127.0.0.1:1\n"
                    "[listen echo]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n",
                    workers, scene->port, scene->path, origin_port(scene->origin), scene->echo_port,
                    origin_port(scene->echo));
}

static void expect_alive(int session)
{
    char sent[] = "still there?", got[sizeof sent];
    send_all(session, sent, sizeof sent);
    receive_exactly(session, got, sizeof got);
    ck_assert_str_eq(got, sent);
}

/* Each round: from the other binary to ours, and back, with a live session in every process. Within
 * the same major version, what a command has set for a server is kept. */
static void upgrade_and_back(const char *other, bool foreign, const char *what)
{
    struct scene scene;
    int sessions[2 * ROUNDS];
    unsigned held = 0, rounds = scaled(ROUNDS, 3);
    scene.origin = origin_start(ORIGIN_ANSWER);
    scene.echo = origin_start(ORIGIN_ECHO);
    scene.port = port_reserve(getuid());
    scene.echo_port = port_reserve(getuid());
    test_path(scene.path, "bind.sock");
    proxy_init(&scene.proxy, "proxy");
    proxy_own_binary(&scene.proxy);
    copy_file(other, scene.proxy.program, 0755);
    configure(&scene, 2);
    proxy_start(&scene.proxy);
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "server", "main/out", "maint", NULL), 0);

    struct endpoint target = endpoint_loopback(scene.port), local = endpoint_unix(scene.path);
    struct endpoint echo = endpoint_loopback(scene.echo_port);
    struct churn *churn =
        churn_start(&(struct churn_options){.target = target, .in_flight = IN_FLIGHT});
    struct churn *unix_churn =
        churn_start(&(struct churn_options){.target = local, .in_flight = IN_FLIGHT});
    for (unsigned i = 0; i < 2 * rounds; i++) {
        churn_wait(churn, churn_ended(churn) + scaled(CONNECTIONS, 100));
        sessions[held] = connect_to(&echo);
        expect_alive(sessions[held++]);
        copy_file(i % 2 == 0 ? proxy_binary() : other, scene.proxy.program, 0755);
        configure(&scene, 1 + i % 4);
        proxy_reload(&scene.proxy);
        for (unsigned j = 0; j < held; j++) {
            expect_alive(sessions[j]);
        }
    }
    wait_mentions(scene.proxy.log, "which has another handover protocol", foreign ? 2 * rounds : 0);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "status", "--json", NULL), 0);
    ck_assert_int_eq(strstr(outcome.out, "\"admin\": \"maint\"") != NULL, !foreign);
    churn_stop_clean(churn, what);
    churn_stop_clean(unix_churn, "the same, by a Unix socket");
    while (held > 0) {
        close(sessions[--held]);
    }
    proxy_wait_drained(&scene.proxy);

    /* A draining process of another major version is stopped as well. */
    int last = -1;
    if (foreign) {
        last = connect_to(&echo);
        expect_alive(last);
        copy_file(proxy_binary(), scene.proxy.program, 0755);
        proxy_reload(&scene.proxy);
    }
    proxy_stop(&scene.proxy);
    if (last >= 0) {
        close(last);
    }
}

START_TEST(previous_commit)
{
    upgrade_and_back(getenv("RPPROXY_PREVIOUS"), getenv("RPPROXY_PREVIOUS_IS_FOREIGN") != NULL,
                     "upgrades from the previous commit, and back");
}
END_TEST

START_TEST(another_major_version)
{
    upgrade_and_back(getenv("RPPROXY_FOREIGN"), true, "upgrades from another protocol, and back");
}
END_TEST

/* A mistake in the file is reported across versions, and no client is lost. */
START_TEST(another_major_version_fails)
{
    struct proxy proxy;
    struct outcome outcome;
    const char *other = getenv("RPPROXY_FOREIGN");
    proxy_init(&proxy, "proxy");
    proxy_own_binary(&proxy);
    uint16_t port = port_reserve(getuid());
    static const char rest[] = "[listen main]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:1\n";
    proxy_configure(&proxy, rest, port);
    proxy_start(&proxy);
    copy_file(other, proxy.program, 0755);
    proxy_configure(&proxy, "bnid = 1\n");
    ck_assert_int_eq(proxy_command(&proxy, &outcome, "reload", NULL), 2);
    ck_assert_msg(strstr(outcome.err, "unknown key 'bnid'") != NULL, "it says: %s", outcome.err);
    proxy_configure(&proxy, rest, port);
    proxy_reload(&proxy);
    proxy_wait_drained(&proxy);
    proxy_stop(&proxy);
}
END_TEST

/* A process of another major version cannot be a canary. It learns this before it has a client. */
START_TEST(another_major_version_is_no_canary)
{
    struct proxy proxy;
    struct outcome outcome;
    struct status status;
    proxy_init(&proxy, "proxy");
    proxy_own_binary(&proxy);
    proxy_configure(&proxy, "[listen main]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:1\n",
                    port_reserve(getuid()));
    proxy_start(&proxy);
    copy_file(getenv("RPPROXY_FOREIGN"), proxy.program, 0755);
    int code = proxy_command(&proxy, &outcome, "reload", "--canary", "50%:1h", NULL);
    ck_assert_msg(code == 5 && strstr(outcome.err, "of a version that knows no canary") != NULL,
                  "exit %d: %s", code, outcome.err);
    ck_assert(proxy_status(&proxy, &status));
    ck_assert_int_eq(status.pid, proxy.pid);
    ck_assert_uint_eq(status.count, 1);
    ck_assert_int_eq(proxy_command(&proxy, &outcome, "stop", NULL), 0);
}
END_TEST

/* --- processes that hang --------------------------------------------------------------------- */

struct hanging {
    struct proxy proxy;
    uint16_t echo_port, port;
    struct endpoint front;
};

static void configure_hanging(const struct hanging *hanging, const char *global)
{
    proxy_configure(&hanging->proxy,
                    "%s[listen main]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n", global,
                    hanging->port, hanging->echo_port);
}

/* A process of another major version has begun, and ours comes next. */
static void begin_foreign(struct hanging *hanging, const char *global)
{
    hanging->echo_port = origin_port(origin_start(ORIGIN_ECHO));
    hanging->port = port_reserve(getuid());
    hanging->front = endpoint_loopback(hanging->port);
    proxy_init(&hanging->proxy, "proxy");
    proxy_own_binary(&hanging->proxy);
    copy_file(getenv("RPPROXY_FOREIGN"), hanging->proxy.program, 0755);
    configure_hanging(hanging, global);
    proxy_start(&hanging->proxy);
    copy_file(proxy_binary(), hanging->proxy.program, 0755);
}

static void serves_anew(const struct hanging *hanging)
{
    int session = connect_to(&hanging->front);
    expect_alive(session);
    close(session);
}

/* The old process stands by, and is stopped: orders to the new process wait for it no longer than
 * for one of the same version. */
static void stopped_predecessor(const char *order)
{
    struct hanging hanging;
    struct outcome outcome;
    begin_foreign(&hanging, "probation = 10m\n");
    pid_t first = hanging.proxy.pid;
    proxy_reload(&hanging.proxy);
    process_stop(first);
    ck_assert_int_eq(proxy_command(&hanging.proxy, &outcome, order, NULL), 0);
    wait_gone(first);
    wait_mentions(hanging.proxy.log, "it hangs, and is killed", 1);
    if (strcmp(order, "stop") == 0)
        return;
    proxy_follow(&hanging.proxy);
    serves_anew(&hanging);
    proxy_stop(&hanging.proxy);
}

START_TEST(reload_with_a_stopped_predecessor)
{
    stopped_predecessor("reload");
}
END_TEST

START_TEST(stop_with_a_stopped_predecessor)
{
    stopped_predecessor("stop");
}
END_TEST

/* The new process is stopped on probation: the old one, of this version, serves again. */
START_TEST(stopped_successor)
{
    struct hanging hanging;
    begin_foreign(&hanging, "");
    configure_hanging(&hanging, "probation = 10m\n"); /* of ours */
    proxy_reload(&hanging.proxy);
    pid_t ours = hanging.proxy.pid;
    copy_file(getenv("RPPROXY_FOREIGN"), hanging.proxy.program, 0755);
    proxy_reload(&hanging.proxy);
    process_stop(hanging.proxy.pid);
    wait_mentioned(hanging.proxy.log, "on probation: generation 2 serves again");
    proxy_follow(&hanging.proxy);
    ck_assert_int_eq(hanging.proxy.pid, ours);
    serves_anew(&hanging);
    proxy_stop(&hanging.proxy);
}
END_TEST

/* Two processes drain, the first of another major version. The one that serves, to which the first
 * has not said anything, kills the one that is stopped. The clock of the first is the second: a
 * process that did not answer would be killed before. */
START_TEST(draining_process_of_another_major_version)
{
    struct hanging hanging;
    begin_foreign(&hanging, "drain = wait\n");
    pid_t first = hanging.proxy.pid;
    int of_first = connect_to(&hanging.front);
    expect_alive(of_first);
    proxy_reload(&hanging.proxy);
    pid_t second = hanging.proxy.pid;
    int of_second = connect_to(&hanging.front);
    expect_alive(of_second);
    proxy_reload(&hanging.proxy);
    wait_mentioned(hanging.proxy.log, "generation 2 drains");
    process_stop(second);
    wait_gone(second);
    expect_alive(of_first);
    process_stop(first);
    wait_gone(first);
    (void)wait_gone(second); /* the first, its parent, may have been stopped before it waited */
    serves_anew(&hanging);
    proxy_stop(&hanging.proxy);
    close(of_first);
    close(of_second);
}
END_TEST

Suite *upgrade_suite(void)
{
    Suite *suite = suite_create("upgrade");
    if (getenv("RPPROXY_PREVIOUS") != NULL) {
        scenario_add(suite, previous_commit, 300);
    }
    if (getenv("RPPROXY_FOREIGN") != NULL) {
        scenario_add(suite, another_major_version, 300);
        scenario_add(suite, another_major_version_fails, 300);
        scenario_add(suite, another_major_version_is_no_canary, 300);
        scenario_add(suite, reload_with_a_stopped_predecessor, 300);
        scenario_add(suite, stop_with_a_stopped_predecessor, 300);
        scenario_add(suite, stopped_successor, 300);
        scenario_add(suite, draining_process_of_another_major_version, 300);
    }
    return suite;
}
