/* Binds of interfaces, and of both IP versions: which clients come to which of them, and reloads
 * between them. */
#include "tests/system/scenarios.h"
#include "tests/system/support/canary.h"
#include "tests/system/support/neighbour.h"
#include "tests/system/support/scene.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CLIENTS = 8, ENOUGH = 30, LINES = 4 };

/* Each lets in clients of both interfaces and of both IP versions; %u is the port. */
static const char *const sets[][LINES] = {
    {"0.0.0.0:%u", "[::]:%u"},
    {"0.0.0.0:%u interface=lo", "0.0.0.0:%u interface=nb1", "[::]:%u interface=lo",
     "[::]:%u interface=nb1"},
    {"[::]:%u v6only=no"},
    {"[::]:%u v6only=no interface=lo", "[::]:%u v6only=no interface=nb1"},
    {"0.0.0.0:%u", "0.0.0.0:%u interface=nb1", "[::]:%u", "[::]:%u interface=lo"},
    {"[::]:%u v6only=no", "0.0.0.0:%u"},
    {"[::]:%u v6only=no", "[::]:%u v6only=no interface=nb1", "0.0.0.0:%u interface=lo"},
};

enum { SETS = sizeof sets / sizeof *sets };

static void configure(const struct proxy *proxy, unsigned set, uint16_t port, uint16_t server)
{
    char binds[512] = "", line[128];
    for (unsigned i = 0; i < LINES && sets[set][i]; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(line, sizeof line, sets[set][i], port);
#pragma GCC diagnostic pop
        snprintf(binds + strlen(binds), sizeof binds - strlen(binds), "bind = %s\n", line);
    }
    proxy_configure(proxy,
                    "workers = 2\nmax-generations = 64\n[listen main]\n%sserver = a 127.0.0.1:%u\n",
                    binds, server);
}

static struct endpoint loopback6(uint16_t port)
{
    struct endpoint where = {.length = sizeof where.in6, .in6.sin6_family = AF_INET6};
    where.in6.sin6_addr = in6addr_loopback;
    where.in6.sin6_port = htons(port);
    return where;
}

/* From set `from` to all others. */
static void moves(unsigned from)
{
    struct neighbour neighbour;
    if (!network_own() || !neighbour_make(&neighbour, 1)) {
        skip_test("no network of our own, or no ip(8)");
    }
    struct origin *origin = origin_start(ORIGIN_ANSWER);
    uint16_t port = port_reserve(getuid());
    const struct endpoint targets[] = {endpoint_loopback(port), loopback6(port),
                                       neighbour_front(&neighbour, AF_INET, port),
                                       neighbour_front(&neighbour, AF_INET6, port)};
    enum { TARGETS = sizeof targets / sizeof *targets };
    struct churn *churns[TARGETS];
    struct proxy proxy;
    struct outcome outcome;
    proxy_init(&proxy, "proxy");
    configure(&proxy, from, port, origin_port(origin));
    proxy_start(&proxy);
    for (unsigned i = 0; i < TARGETS; i++) {
        const struct churn_options options = {.target = targets[i], .in_flight = CLIENTS};
        if (i >= 2) {
            neighbour_enter(&neighbour);
        }
        churns[i] = churn_start(&options);
        if (i >= 2) {
            neighbour_leave();
        }
    }
    for (unsigned step = 1; step <= SETS; step++) {
        configure(&proxy, (from + step) % SETS, port, origin_port(origin));
        ck_assert_int_eq(proxy_command(&proxy, &outcome, "reload", "--dry-run", NULL), 0);
        proxy_reload(&proxy);
        for (unsigned i = 0; i < TARGETS; i++) {
            churn_wait(churns[i], churn_ended(churns[i]) + ENOUGH);
        }
    }
    for (unsigned i = 0; i < TARGETS; i++) {
        churn_stop_clean(churns[i], i < 2 ? "clients by lo" : "clients by another interface");
    }
    proxy_wait_drained(&proxy);
    proxy_stop(&proxy);
}

START_TEST(from_the_wildcards)
{
    moves(0);
}
END_TEST

START_TEST(from_interfaces)
{
    moves(1);
}
END_TEST

START_TEST(from_both_ip_versions)
{
    moves(2);
}
END_TEST

START_TEST(from_both_ip_versions_of_interfaces)
{
    moves(3);
}
END_TEST

/* A client that comes to the bind, and one that is refused. */
static void goes_to(const struct neighbour *from, const struct endpoint *where, int listener)
{
    if (from) {
        neighbour_enter(from);
    }
    int client = try_connect(where), error = errno;
    if (from) {
        neighbour_leave();
    }
    ck_assert_msg((client >= 0) == (listener >= 0), "client %s: %s",
                  client >= 0 ? "connected" : "refused", strerror(error));
    if (client < 0) {
        ck_assert_int_eq(error, ECONNREFUSED);
        return;
    }
    struct session session = {.client = client, .server = accept_from(listener)};
    session_works(&session);
    session_close(&session);
}

#define TWO_FRONTENDS                                                                              \
    "workers = 2\n[listen near]\nbind = %s:%u %s\nserver = a 127.0.0.1:%u\n"                       \
    "[listen far]\nbind = %s:%u interface=nb1\nserver = b 127.0.0.1:%u\n"

/* Two frontends have one address. */
START_TEST(an_interface_has_its_own_frontend)
{
    struct neighbour one, two;
    uint16_t port = port_reserve(getuid()), near_port, far_port;
    if (!network_own() || !neighbour_make(&one, 1) || !neighbour_make(&two, 2)) {
        skip_test("no network of our own, or no ip(8)");
    }
    int near = listen_loopback(&near_port), far = listen_loopback(&far_port);
    const struct endpoint by_lo = endpoint_loopback(port),
                          by_one = neighbour_front(&one, AF_INET, port),
                          by_two = neighbour_front(&two, AF_INET, port);
    struct proxy proxy;
    struct outcome outcome;
    char text[64];
    proxy_init(&proxy, "proxy");
    proxy_configure(&proxy, TWO_FRONTENDS, "0.0.0.0", port, "interface=lo", near_port, "0.0.0.0",
                    port, far_port);
    proxy_start(&proxy);
    for (unsigned i = 0; i < 2; i++) {
        goes_to(NULL, &by_lo, near);
        goes_to(&one, &by_one, far);
        goes_to(&two, &by_two, -1);
        /* Each group is steered alone. */
        struct reload reload = reload_start(&proxy, "50%:10m");
        (void)canary_wait(&proxy);
        goes_to(NULL, &by_lo, near);
        goes_to(&one, &by_one, far);
        ck_assert_int_eq(proxy_command(&proxy, &outcome, "reload", "--promote", NULL), 0);
        reload_ends(&reload, 0);
        proxy_follow(&proxy);
        proxy_wait_drained(&proxy);
        ck_assert_int_eq(proxy_command(&proxy, &outcome, "status", NULL), 0);
        snprintf(text, sizeof text, "0.0.0.0:%u,interface=nb1", port);
        ck_assert_msg(strstr(outcome.out, text) && !strstr(outcome.out, " pass"), "%s",
                      outcome.out);
    }
    /* The one that is removed refuses, the other takes over where it has no interface. */
    proxy_configure(&proxy,
                    "[listen near]\nbind = 0.0.0.0:%u interface=lo\nserver = a "
                    "127.0.0.1:%u\n",
                    port, near_port);
    proxy_reload(&proxy);
    proxy_wait_drained(&proxy); /* the old process may accept one more, as its own file says */
    goes_to(NULL, &by_lo, near);
    goes_to(&one, &by_one, -1);
    proxy_configure(&proxy, TWO_FRONTENDS, "[::]", port, "v6only=no", near_port, "0.0.0.0", port,
                    far_port);
    proxy_reload(&proxy);
    proxy_wait_drained(&proxy);
    goes_to(NULL, &by_lo, near);
    goes_to(&one, &by_one, far);
    goes_to(&two, &by_two, near);
    proxy_configure(&proxy, "[listen near]\nbind = [::]:%u v6only=no\nserver = a 127.0.0.1:%u\n",
                    port, near_port);
    proxy_reload(&proxy);
    proxy_wait_drained(&proxy);
    goes_to(&one, &by_one, near);
    goes_to(&two, &by_two, near);
    proxy_stop(&proxy);
}
END_TEST

/* Frontends: n, near, of any interface; f, far, of one. The kernel goes by the order in which
 * sockets begin to listen, the newest first for IPv4, the oldest for IPv6. */
static void an_interface_goes_before_any(int family)
{
    static const char *const steps[] = {"nf", "nf", "fn", "n", "nf", "f",
                                        "fn", "f",  "nf", "n", "fn", "fn"};
    struct neighbour one;
    uint16_t port = port_reserve(getuid()), near_port, far_port;
    if (!network_own() || !neighbour_make(&one, 1)) {
        skip_test("no network of our own, or no ip(8)");
    }
    int near = listen_loopback(&near_port), far = listen_loopback(&far_port);
    const struct endpoint by_lo = family == AF_INET ? endpoint_loopback(port) : loopback6(port),
                          by_one = neighbour_front(&one, family, port);
    const char *const ip = family == AF_INET ? "0.0.0.0" : "[::]";
    struct proxy proxy;
    proxy_init(&proxy, "proxy");
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        char text[512] = "workers = 2\n";
        for (const char *frontend = steps[i]; *frontend; frontend++) {
            bool is_near = *frontend == 'n';
            snprintf(text + strlen(text), sizeof text - strlen(text),
                     "[listen %c]\nbind = %s:%u %s\nserver = s 127.0.0.1:%u\n", *frontend, ip, port,
                     is_near ? "" : "interface=nb1", is_near ? near_port : far_port);
        }
        proxy_configure(&proxy, "%s", text);
        if (i == 0) {
            proxy_start(&proxy);
        } else {
            proxy_reload(&proxy);
            proxy_wait_drained(&proxy);
        }
        bool has_near = strchr(steps[i], 'n'), has_far = strchr(steps[i], 'f');
        goes_to(NULL, &by_lo, has_near ? near : -1);
        goes_to(&one, &by_one, has_far ? far : near);
    }
    proxy_stop(&proxy);
}

START_TEST(an_interface_goes_before_any_by_ipv4)
{
    an_interface_goes_before_any(AF_INET);
}
END_TEST

START_TEST(an_interface_goes_before_any_by_ipv6)
{
    an_interface_goes_before_any(AF_INET6);
}
END_TEST

/* IPv4 clients of such a bind are named as such, and are refused when it is for IPv6 only. */
START_TEST(both_ip_versions_on_one_bind)
{
    struct scene scene;
    struct outcome outcome;
    if (!network_own()) {
        skip_test("no network of our own");
    }
    scene_init(&scene);
    const struct endpoint six = loopback6(scene.port);
    proxy_configure(
        &scene.proxy,
        "[listen main]\nbind = [::]:%u v6only=no\naccess-log = yes\nserver = a 127.0.0.1:%u\n",
        scene.port, scene.server_port);
    proxy_start(&scene.proxy);
    goes_to(NULL, &scene.front, scene.listener);
    goes_to(NULL, &six, scene.listener);
    wait_mentioned(scene.proxy.log, "client=127.0.0.1:");
    wait_mentioned(scene.proxy.log, "client=[::1]:");
    proxy_configure(&scene.proxy, "[listen main]\nbind = [::]:%u\nserver = a 127.0.0.1:%u\n",
                    scene.port, scene.server_port);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--canary", "5%:10m", NULL),
                     3);
    ck_assert_msg(strstr(outcome.err, "no canary is possible") != NULL, "%s", outcome.err);
    proxy_reload(&scene.proxy);
    proxy_wait_drained(&scene.proxy);
    goes_to(NULL, &six, scene.listener);
    goes_to(NULL, &scene.front, -1);
    proxy_reload(&scene.proxy);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

/* A failed reload moves no client to the sockets of the new process, which go before the old ones.
 */
START_TEST(a_failed_reload_moves_no_client_of_an_interface)
{
    struct scene scene;
    if (!network_own()) {
        skip_test("no network of our own");
    }
    scene_init(&scene);
    proxy_configure(&scene.proxy,
                    "[listen main]\nbind = [::]:%u v6only=no\nserver = a 127.0.0.1:%u\n",
                    scene.port, scene.server_port);
    proxy_start(&scene.proxy);
    uint16_t full = listen_full();
    const struct endpoint other = endpoint_loopback(port_reserve(getuid()));
    proxy_configure(&scene.proxy,
                    "ready-timeout = 1h\n[listen main]\nbind = 0.0.0.0:%u interface=lo\n"
                    "bind = [::]:%u\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n"
                    "[backend full]\nserver = d 127.0.0.1:%u\ncheck = tcp\ncheck-timeout = 1h\n",
                    scene.port, scene.port, ntohs(other.in.sin_port), scene.server_port, full);
    pid_t reload = proxy_command_start(&scene.proxy, NULL, "reload", NULL);
    int waits;
    while ((waits = try_connect(&other)) < 0) {
        ck_assert(process_alive(reload));
    }
    goes_to(NULL, &scene.front, scene.listener);
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--abort", NULL), 0);
    wait_gone(reload);
    close(waits);
    ck_assert(process_alive(scene.proxy.pid));
    goes_to(NULL, &scene.front, scene.listener);
    proxy_stop(&scene.proxy);
}
END_TEST

/* The interface is missing at the start; it goes, reloads go on; it is made anew, and the next
 * reload has its clients again. */
START_TEST(an_interface_that_goes_and_returns)
{
    struct neighbour neighbour;
    struct scene scene;
    struct outcome outcome;
    if (!network_own() || !neighbour_make(&neighbour, 1)) {
        skip_test("no network of our own, or no ip(8)");
    }
    scene_init(&scene);
    const struct endpoint front = neighbour_front(&neighbour, AF_INET, scene.port);
    proxy_configure(&scene.proxy,
                    "[listen main]\nbind = 127.0.0.1:%u\nbind = 0.0.0.0:%u interface=nb1\n"
                    "server = a 127.0.0.1:%u\n",
                    scene.port, scene.port, scene.server_port);
    neighbour_unplug(&neighbour);
    run(&outcome, proxy_binary(), "-f", scene.proxy.file, NULL);
    ck_assert_int_eq(outcome.code, 3);
    ck_assert_msg(strstr(outcome.err, ",interface=nb1: there is no interface nb1") != NULL, "%s",
                  outcome.err);
    neighbour_plug(&neighbour);
    proxy_start(&scene.proxy);
    goes_to(&neighbour, &front, scene.listener);
    for (unsigned i = 0; i < 2; i++) {
        neighbour_unplug(&neighbour);
        for (unsigned j = 0; j < 2; j++) {
            ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 0);
            ck_assert_msg(strstr(outcome.err, "there is no such interface now") != NULL, "%s",
                          outcome.err);
            proxy_follow(&scene.proxy);
            goes_to(NULL, &scene.front, scene.listener);
        }
        neighbour_plug(&neighbour);
        ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 0);
        ck_assert_str_eq(outcome.err, "");
        proxy_follow(&scene.proxy);
        goes_to(&neighbour, &front, scene.listener);
        proxy_reload(&scene.proxy);
        goes_to(&neighbour, &front, scene.listener);
        proxy_wait_drained(&scene.proxy);
        ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "status", NULL), 0);
        ck_assert_msg(!strstr(outcome.out, " pass"), "%s", outcome.out);
    }
    ck_assert_uint_eq(file_mentions(scene.proxy.log, "too few descriptors"), 0);
    proxy_stop(&scene.proxy);
}
END_TEST

Suite *interfaces_suite(void)
{
    Suite *suite = suite_create("interfaces");
    scenario_add(suite, from_the_wildcards, 120);
    scenario_add(suite, from_interfaces, 120);
    scenario_add(suite, from_both_ip_versions, 120);
    scenario_add(suite, from_both_ip_versions_of_interfaces, 120);
    scenario_add(suite, an_interface_has_its_own_frontend, 60);
    scenario_add(suite, an_interface_goes_before_any_by_ipv4, 60);
    scenario_add(suite, an_interface_goes_before_any_by_ipv6, 60);
    scenario_add(suite, both_ip_versions_on_one_bind, 60);
    scenario_add(suite, a_failed_reload_moves_no_client_of_an_interface, 60);
    scenario_add(suite, an_interface_that_goes_and_returns, 60);
    return suite;
}
