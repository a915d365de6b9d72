/* Sockets that a service manager opened and keeps open: passed at the start, handed on at reloads,
 * with clients in their queues while no process of ours runs. */
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
#include <unistd.h>

enum { RELOADS = 20, RESTARTS = 6, IN_FLIGHT = 100, CONNECTIONS = 300 };

static const unsigned worker_counts[] = {1, 4, 2, 3};

/* The test is the service manager. */
struct scene {
    struct proxy proxy;
    struct origin *origin;
    int fds[2];
    uint16_t ports[2];
    struct passed passed;
};

static void configure(const struct scene *scene, unsigned workers, const char *binds)
{
    proxy_configure(&scene->proxy,
                    "workers = %u\nmax-generations = 64\n[listen main]\n%s\n"
                    "server = a 127.0.0.1:%u\n",
                    workers, binds, origin_port(scene->origin));
}

static void scene_init(struct scene *scene, unsigned count, const char *names)
{
    scene->origin = origin_start(ORIGIN_ANSWER);
    for (unsigned i = 0; i < 2; i++) {
        scene->fds[i] = listen_loopback(&scene->ports[i]);
    }
    scene->passed = (struct passed){.fds = scene->fds, .count = count, .names = names};
    proxy_init(&scene->proxy, "proxy");
    scene->proxy.passed = &scene->passed;
}

static struct churn *load(uint16_t port)
{
    return churn_start(
        &(struct churn_options){.target = endpoint_loopback(port), .in_flight = IN_FLIGHT});
}

static void expect_in_status(const struct scene *scene, const char *text)
{
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(&scene->proxy, &outcome, "status", NULL), 0);
    ck_assert_msg(strstr(outcome.out, text) != NULL, "status says: %s", outcome.out);
}

START_TEST(reloads)
{
    struct scene scene;
    scene_init(&scene, 1, "web");
    configure(&scene, 2, "bind = fd:web");
    proxy_start(&scene.proxy);
    expect_in_status(&scene, "fd:web ");
    expect_in_status(&scene, " pass");
    struct churn *churn = load(scene.ports[0]);
    for (unsigned i = 0; i < scaled(RELOADS, 5); i++) {
        configure(&scene, worker_counts[i % 4], "bind = fd:web");
        proxy_reload(&scene.proxy);
        churn_wait(churn, churn_ended(churn) + CONNECTIONS);
    }
    proxy_reload_by_signal(&scene.proxy, SIGHUP);
    churn_stop_clean(churn, "reloads with a passed socket");
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

/* Clients that come while no process runs are served by the next one: none is refused or reset. */
START_TEST(restarts)
{
    struct scene scene;
    scene_init(&scene, 1, "web");
    configure(&scene, 2, "bind = fd:web");
    proxy_start(&scene.proxy);
    struct churn *churn = load(scene.ports[0]);
    for (unsigned i = 0; i < scaled(RESTARTS, 3); i++) {
        churn_wait(churn, churn_ended(churn) + CONNECTIONS);
        if (i % 2) {
            proxy_reload(&scene.proxy);
        }
        proxy_wait_drained(&scene.proxy);
        proxy_stop(&scene.proxy);
        proxy_start(&scene.proxy);
    }
    churn_wait(churn, churn_ended(churn) + CONNECTIONS);
    churn_stop_clean(churn, "restarts with a passed socket");
    proxy_stop(&scene.proxy);
}
END_TEST

/* The proxy is killed: the next one serves the clients that it had not accepted. */
START_TEST(killed)
{
    struct scene scene;
    scene_init(&scene, 1, "web");
    configure(&scene, 2, "bind = fd:web");
    proxy_start(&scene.proxy);
    kill(scene.proxy.pid, SIGKILL);
    wait_gone(scene.proxy.pid);
    struct churn *churn = load(scene.ports[0]);
    proxy_start(&scene.proxy);
    churn_wait(churn, CONNECTIONS);
    churn_stop_clean(churn, "clients of a proxy that was killed before they came");
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(one_name_for_several_sockets)
{
    struct scene scene;
    scene_init(&scene, 2, NULL);
    configure(&scene, 3, "bind = fd:unknown");
    proxy_start(&scene.proxy);
    struct churn *one = load(scene.ports[0]), *two = load(scene.ports[1]);
    for (unsigned i = 0; i < scaled(RELOADS, 4); i++) {
        configure(&scene, worker_counts[i % 4], "bind = fd:unknown");
        proxy_reload(&scene.proxy);
        churn_wait(one, churn_ended(one) + CONNECTIONS);
        churn_wait(two, churn_ended(two) + CONNECTIONS);
    }
    churn_stop_clean(one, "the first socket");
    churn_stop_clean(two, "the second");
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(unix_socket)
{
    struct scene scene;
    char path[PATH_MAX];
    scene_init(&scene, 1, "local");
    scene.fds[0] = listen_unix(test_path(path, "passed.sock"));
    configure(&scene, 2, "bind = fd:local");
    proxy_start(&scene.proxy);
    struct churn *churn =
        churn_start(&(struct churn_options){.target = endpoint_unix(path), .in_flight = IN_FLIGHT});
    for (unsigned i = 0; i < scaled(RELOADS, 4); i++) {
        proxy_reload(&scene.proxy);
        churn_wait(churn, churn_ended(churn) + CONNECTIONS);
    }
    churn_stop_clean(churn, "a passed Unix socket");
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
    ck_assert_msg(access(path, F_OK) == 0, "the service manager's path was removed");
}
END_TEST

static void expect_refused(const struct scene *scene, int status, const char *why)
{
    struct outcome outcome;
    int code = proxy_command(&scene->proxy, &outcome, "reload", NULL);
    ck_assert_msg(code == status, "exit %d: %s", code, outcome.err);
    ck_assert_msg(strstr(outcome.err, why) != NULL, "it says: %s", outcome.err);
}

/* A bind may change from a passed socket to an address and back. Meanwhile the socket is handed on,
 * and clients that connect to it wait. Its own address cannot be bound beside it. */
START_TEST(changing_binds)
{
    struct scene scene;
    char both[128], address[64], same[64];
    scene_init(&scene, 2, "one:two");
    uint16_t port = port_reserve(getuid());
    snprintf(address, sizeof address, "bind = 127.0.0.1:%u", port);
    snprintf(same, sizeof same, "bind = 127.0.0.1:%u", scene.ports[1]);
    snprintf(both, sizeof both, "bind = fd:two\n%s", address);
    configure(&scene, 2, "bind = fd:two");
    proxy_start(&scene.proxy);
    struct churn *two = load(scene.ports[1]);
    churn_wait(two, CONNECTIONS);
    configure(&scene, 2, same);
    expect_refused(&scene, 3, "the address is in use by");
    configure(&scene, 2, both);
    proxy_reload(&scene.proxy);
    struct churn *plain = load(port);
    churn_wait(plain, CONNECTIONS);
    configure(&scene, 3, address);
    proxy_reload(&scene.proxy);
    proxy_wait_drained(&scene.proxy);
    struct churn *one = load(scene.ports[0]);
    proxy_reload(&scene.proxy);
    configure(&scene, 1, "bind = fd:nobody");
    expect_refused(&scene, 3, "passed only fd:two, fd:one");
    strcat(both, "\nbind = fd:one");
    configure(&scene, 2, both);
    proxy_reload(&scene.proxy);
    churn_wait(one, CONNECTIONS);
    churn_wait(two, churn_ended(two) + CONNECTIONS);
    churn_stop_clean(one, "a socket that was passed and not used until late");
    churn_stop_clean(two, "a socket that was given up, and taken up again");
    churn_stop_clean(plain, "the address beside them");
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

/* A start that must fail. */
static void expect_failure(struct scene *scene, int status, const char *why)
{
    proxy_launch(&scene->proxy);
    int outcome = wait_gone(scene->proxy.pid);
    ck_assert_msg(outcome == status << 8, "wait status %d", outcome);
    ck_assert_msg(file_mentions(scene->proxy.log, why) == 1, "%s does not say: %s",
                  scene->proxy.log, why);
}

START_TEST(wrong_sockets)
{
    struct scene scene;
    struct outcome outcome;
    scene_init(&scene, 1, "web");
    configure(&scene, 2, "bind = fd:web");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "check", NULL), 0);
    int listener = scene.fds[0];
    scene.fds[0] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    expect_failure(&scene, 3, "cannot bind fd:web: what was passed is not a TCP or Unix stream");
    scene.fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    expect_failure(&scene, 3, "cannot bind fd:web: the socket that was passed does not listen");
    scene.passed.names = "other";
    expect_failure(&scene, 3, "cannot bind fd:web: the service manager passed only fd:other");
    scene.passed.names = "web:more";
    expect_failure(&scene, 1, "LISTEN_FDNAMES: more names than LISTEN_FDS");
    scene.passed.names = "web";
    scene.passed.count = 2;
    expect_failure(&scene, 1, "LISTEN_FDNAMES: fewer names than LISTEN_FDS");
    scene.proxy.passed = NULL;
    expect_failure(&scene, 3, "cannot bind fd:web: no service manager passed a socket");
    ck_assert(!readable_within(listener, 0));
}
END_TEST

START_TEST(wrong_variables)
{
    struct scene scene;
    char wrapper[PATH_MAX];
    static const struct {
        const char *variables;
        int status;
        const char *complaint;
    } cases[] = {
        {"LISTEN_PID=$$ LISTEN_FDS=many", 1, "LISTEN_FDS: not a number of descriptors"},
        {"LISTEN_PID=$$ LISTEN_FDS=-1", 1, "LISTEN_FDS: not a number of descriptors"},
        {"LISTEN_PID=$$ LISTEN_FDS=99999999999999999999", 1,
         "LISTEN_FDS: not a number of descriptors"},
        {"LISTEN_PID=$$ LISTEN_FDS=1000000", 1,
         "LISTEN_FDS: not all of these descriptors are open"},
        {"LISTEN_PID=me LISTEN_FDS=1", 1, "LISTEN_PID: not a process id"},
        {"LISTEN_PID=1 LISTEN_FDS=1 LISTEN_FDNAMES=web", 3, "no service manager passed"},
        {"LISTEN_PID=$$ LISTEN_FDS=0", 3, "no service manager passed"},
    };
    scene_init(&scene, 0, NULL);
    scene.proxy.passed = NULL;
    configure(&scene, 2, "bind = fd:web");
    snprintf(scene.proxy.program, sizeof scene.proxy.program, "%s",
             test_path(wrapper, "activator"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_file(wrapper, 0755, "#!/bin/sh\n%s exec %s \"$@\"\n", cases[i].variables,
                   proxy_binary());
        unlink(scene.proxy.log);
        expect_failure(&scene, cases[i].status, cases[i].complaint);
    }
}
END_TEST

/* Another program that has the socket may shut it down for all. This is logged, and does not
 * prevent a stop. */
START_TEST(shut_down_by_another)
{
    struct scene scene;
    scene_init(&scene, 1, "web");
    configure(&scene, 2, "bind = fd:web");
    proxy_start(&scene.proxy);
    ck_assert_int_eq(shutdown(scene.fds[0], SHUT_RDWR), 0);
    wait_mentioned(scene.proxy.log, "another process has shut the socket down");
    proxy_stop(&scene.proxy);
}
END_TEST

Suite *activation_suite(void)
{
    Suite *suite = suite_create("activation");
    scenario_add(suite, reloads, 300);
    scenario_add(suite, restarts, 300);
    scenario_add(suite, killed, 300);
    scenario_add(suite, shut_down_by_another, 300);
    scenario_add(suite, one_name_for_several_sockets, 300);
    scenario_add(suite, unix_socket, 300);
    scenario_add(suite, changing_binds, 300);
    scenario_add(suite, wrong_sockets, 300);
    scenario_add(suite, wrong_variables, 300);
    return suite;
}
