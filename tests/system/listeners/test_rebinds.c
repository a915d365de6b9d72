/* Binds that change their address in a reload: between the wildcard and one address, and an address
 * that the machine does not have any more. */
#include "tests/system/scenarios.h"
#include "tests/system/support/churn.h"
#include "tests/system/support/origin.h"
#include "tests/system/support/scene.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { IN_FLIGHT = 32, CONNECTIONS = 100 };

/* A socket that another program of this user may have beside the proxy's. */
static int listen_beside(const struct endpoint *where)
{
    int fd = socket(where->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &(int){1}, sizeof(int)), 0);
    ck_assert_int_eq(bind(fd, &where->any, where->length), 0);
    ck_assert_int_eq(listen(fd, 10), 0);
    return fd;
}

static const struct {
    const char *wildcard, *one;
    int family;
} families[] = {{"0.0.0.0", "127.0.0.1", AF_INET}, {"[::]", "[::1]", AF_INET6}};

static struct endpoint loopback(int family, uint16_t port)
{
    struct endpoint six = {.length = sizeof six.in6, .in6.sin6_family = AF_INET6};
    six.in6.sin6_addr = in6addr_loopback;
    six.in6.sin6_port = htons(port);
    return family == AF_INET ? endpoint_loopback(port) : six;
}

static bool has_ipv6(void)
{
    struct endpoint any = loopback(AF_INET6, 0);
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool has = fd >= 0 && bind(fd, &any.any, any.length) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return has;
}

/* One of the two binds (1, 2), or both (3), in every order. */
static const unsigned steps[] = {2, 1, 3, 1, 2, 3, 2, 1};

static void configure(const struct proxy *proxy, unsigned family, unsigned which, uint16_t port,
                      uint16_t server)
{
    char binds[2][128] = {"", ""};
    if (which & 1) {
        snprintf(binds[0], sizeof binds[0], "bind = %s:%u\n", families[family].wildcard, port);
    }
    if (which & 2) {
        snprintf(binds[1], sizeof binds[1], "bind = %s:%u\n", families[family].one, port);
    }
    proxy_configure(
        proxy, "workers = 2\nmax-generations = 64\n[listen main]\n%s%sserver = a 127.0.0.1:%u\n",
        binds[0], binds[1], server);
}

static void moves(unsigned family)
{
    if (families[family].family == AF_INET6 && !has_ipv6()) {
        skip_test("no IPv6 here");
    }
    struct origin *origin = origin_start(ORIGIN_ANSWER);
    uint16_t port = port_reserve(getuid());
    struct proxy proxy;
    struct outcome outcome;
    char text[64];
    proxy_init(&proxy, "proxy");
    configure(&proxy, family, 1, port, origin_port(origin));
    proxy_start(&proxy);
    struct churn *churn = churn_start(&(struct churn_options){
        .target = loopback(families[family].family, port), .in_flight = IN_FLIGHT});
    for (unsigned i = 0; i < sizeof steps / sizeof *steps; i++) {
        configure(&proxy, family, steps[i], port, origin_port(origin));
        ck_assert_int_eq(proxy_command(&proxy, &outcome, "check", NULL), 0);
        ck_assert_int_eq(proxy_command(&proxy, &outcome, "reload", "--dry-run", NULL), 0);
        proxy_reload(&proxy);
        /* The listener of the address goes on; otherwise its clients would have to repeat their
         * SYN. */
        bool was_there = i > 0 && (steps[i - 1] & 2), is_there = (steps[i] & 2) || was_there;
        snprintf(text, sizeof text, "%s:%u ", families[family].one, port);
        ck_assert_int_eq(proxy_command(&proxy, &outcome, "status", NULL), 0);
        ck_assert_msg(!is_there || strstr(outcome.out, text), "step %u: %s", i, outcome.out);
        churn_wait(churn, churn_ended(churn) + CONNECTIONS);
    }
    churn_stop_clean(churn, "binds that move");
    proxy_wait_drained(&proxy);
    proxy_stop(&proxy);
}

START_TEST(between_the_wildcard_and_one_address)
{
    moves(0);
}
END_TEST

START_TEST(between_the_wildcard_and_one_address_of_ipv6)
{
    moves(1);
}
END_TEST

/* A failed reload moves no client, neither before the new process serves, nor from a process that
 * stays. */
START_TEST(a_failed_reload_moves_no_client)
{
    struct scene scene;
    struct outcome outcome;
    uint16_t other_port = port_reserve(getuid());
    scene_init(&scene);
    proxy_configure(&scene.proxy, "[listen main]\nbind = 0.0.0.0:%u\nserver = a 127.0.0.1:%u\n",
                    scene.port, scene.server_port);
    proxy_start(&scene.proxy);
    /* The new process has opened its binds and checks a server that does not answer. */
    uint16_t full = listen_full();
    proxy_configure(&scene.proxy,
                    "ready-timeout = 1h\n[listen main]\nbind = 127.0.0.1:%u\nbind = 127.0.0.1:%u\n"
                    "server = a 127.0.0.1:%u\n"
                    "[backend full]\nserver = d 127.0.0.1:%u\ncheck = tcp\ncheck-timeout = 1h\n",
                    scene.port, other_port, scene.server_port, full);
    pid_t reload = proxy_command_start(&scene.proxy, NULL, "reload", NULL);
    struct endpoint other = endpoint_loopback(other_port);
    int waits;
    while ((waits = try_connect(&other)) < 0) {
        ck_assert(process_alive(reload));
    }
    struct session session = session_open(&scene);
    session_works(&session);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--abort", NULL), 0);
    wait_gone(reload);
    session_works(&session);
    session_close(&session);
    close(waits);
    ck_assert(process_alive(scene.proxy.pid));
    session = session_open(&scene);
    session_works(&session);
    session_close(&session);
    proxy_stop(&scene.proxy);
}
END_TEST

/* Clients of such binds cannot be split, in either direction. */
START_TEST(no_canary_is_possible)
{
    struct scene scene;
    struct outcome outcome;
    char wildcard[128];
    scene_init(&scene);
    snprintf(wildcard, sizeof wildcard,
             "[listen main]\nbind = 0.0.0.0:%u\nserver = a 127.0.0.1:%u\n", scene.port,
             scene.server_port);
    proxy_configure(&scene.proxy, "%s", wildcard);
    proxy_start(&scene.proxy);
    for (unsigned i = 0; i < 2; i++) {
        if (i == 0) {
            scene_configure(&scene, "", "");
        } else {
            proxy_configure(&scene.proxy, "%s", wildcard);
        }
        ck_assert_int_eq(
            proxy_command(&scene.proxy, &outcome, "reload", "--canary", "5%:10m", NULL), 3);
        ck_assert_msg(strstr(outcome.err, "no canary is possible: clients of 127.0.0.1:") != NULL &&
                          strstr(outcome.err, "the kernel gives all of them to the more specific "
                                              "bind, never a share; reload without --canary"),
                      "reload says: %s", outcome.err);
        struct session session = session_open(&scene);
        session_works(&session);
        session_close(&session);
        proxy_reload(&scene.proxy);
    }
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "stop", NULL), 0);
}
END_TEST

/* The new process has clients of one address in its queue, accepts none of them, and dies. The old
 * process, which has the wildcard, serves them and later ones. */
START_TEST(a_crash_leaves_no_client_in_the_queues)
{
    enum { CLIENTS = 20 };
    struct scene scene;
    int clients[CLIENTS];
    scene_init(&scene);
    proxy_configure(&scene.proxy,
                    "probation = 10m\n[listen main]\nbind = 0.0.0.0:%u\n"
                    "server = a 127.0.0.1:%u\n",
                    scene.port, scene.server_port);
    proxy_start(&scene.proxy);
    struct proxy first = scene.proxy;
    scene_configure(&scene, "probation = 10m\n", "");
    proxy_reload(&scene.proxy);
    process_stop(scene.proxy.pid);
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i] = connect_to(&scene.front);
    }
    kill(scene.proxy.pid, SIGKILL);
    for (unsigned i = 0; i < CLIENTS; i++) {
        send_all(clients[i], "served?", 8);
        close(accept_from(scene.listener));
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        close(clients[i]);
    }
    scene.proxy = first;
    wait_mentioned(scene.proxy.log, "generation 1 serves again");
    struct session session = session_open(&scene);
    session_works(&session);
    session_close(&session);
    /* No listener is left open on the address. */
    ck_assert_int_eq(proxy_command(&scene.proxy, &(struct outcome){0}, "reload", NULL), 0);
    proxy_follow(&scene.proxy);
    session = session_open(&scene);
    session_works(&session);
    session_close(&session);
    ck_assert_int_eq(proxy_command(&scene.proxy, &(struct outcome){0}, "stop", NULL), 0);
}
END_TEST

/* Another program's socket is in the way. It is named, though our own sockets are there as well. */
START_TEST(other_programs_are_refused)
{
    struct scene scene;
    struct outcome outcome;
    char me[64];
    scene_init(&scene);
    proxy_configure(&scene.proxy, "[listen main]\nbind = 0.0.0.0:%u\nserver = a 127.0.0.1:%u\n",
                    scene.port, scene.server_port);
    proxy_start(&scene.proxy);
    struct endpoint place = endpoint_loopback(scene.port);
    int stranger = listen_beside(&place);
    scene_configure(&scene, "", "");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 3);
    snprintf(me, sizeof me, "process %d (", (int)getpid());
    ck_assert_msg(strstr(outcome.err, me) != NULL, "reload says: %s", outcome.err);
    close(stranger);
    proxy_reload(&scene.proxy);
    struct session session = session_open(&scene);
    session_works(&session);
    session_close(&session);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

static void address(const char *verb)
{
    struct outcome outcome;
    run(&outcome, "ip", "address", verb, "192.0.2.7/32", "dev", "lo", NULL);
    ck_assert_msg(outcome.code == 0, "ip address %s: %s", verb, outcome.err);
}

/* A floating address leaves the machine and comes back, during reloads. */
START_TEST(an_address_that_leaves_and_returns)
{
    if (!program_exists("ip") || !network_own()) {
        skip_test("no network of our own, or no ip(8)");
    }
    struct scene scene;
    struct outcome outcome;
    struct endpoint floating;
    scene_init(&scene);
    floating = scene.front;
    floating.in.sin_addr.s_addr = htonl(0xc0000207);
    address("add");
    proxy_configure(&scene.proxy,
                    "[listen main]\nbind = 127.0.0.1:%u\nbind = 192.0.2.7:%u\n"
                    "server = a 127.0.0.1:%u\n",
                    scene.port, scene.port, scene.server_port);
    proxy_start(&scene.proxy);
    struct session session = session_through(&floating, scene.listener);
    session_works(&session);
    session_close(&session);
    for (unsigned i = 0; i < 2; i++) {
        address("del");
        for (unsigned j = 0; j < 2; j++) {
            ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 0);
            ck_assert_msg(strstr(outcome.err, "no interface of this machine has the address now"),
                          "reload says: %s", outcome.err);
            proxy_follow(&scene.proxy);
            session = session_open(&scene);
            session_works(&session);
            session_close(&session);
        }
        address("add");
        session = session_through(&floating, scene.listener);
        session_works(&session);
        /* The next reload works as usual. */
        ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 0);
        ck_assert_str_eq(outcome.err, "");
        proxy_follow(&scene.proxy);
        session_works(&session);
        session_close(&session);
        session = session_through(&floating, scene.listener);
        session_works(&session);
        session_close(&session);
    }
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

/* A link-local address has a scope, which the kernel tells as the interface of the socket. */
START_TEST(a_link_local_address_is_steered)
{
    if (!program_exists("ip") || !network_own())
        skip_test("no network of our own, or no ip(8)");
    struct scene scene;
    struct outcome outcome;
    run(&outcome, "ip", "address", "add", "fe80::7/64", "dev", "lo", "nodad", NULL);
    if (outcome.code != 0)
        skip_test("no IPv6");
    scene_init(&scene);
    proxy_configure(&scene.proxy,
                    "[listen main]\nbind = [fe80::7%%lo]:%u\nserver = a 127.0.0.1:%u\n", scene.port,
                    scene.server_port);
    proxy_start(&scene.proxy);
    struct endpoint front = {.length = sizeof front.in6};
    front.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(scene.port)};
    ck_assert_int_eq(inet_pton(AF_INET6, "fe80::7", &front.in6.sin6_addr), 1);
    front.in6.sin6_scope_id = if_nametoindex("lo");
    for (unsigned i = 0; i < 3; i++) {
        struct session session = session_through(&front, scene.listener);
        ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 0);
        ck_assert_str_eq(outcome.err, "");
        proxy_follow(&scene.proxy);
        session_works(&session);
        session_close(&session);
        ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "status", NULL), 0);
        ck_assert_msg(strstr(outcome.out, " steer") != NULL, "status says: %s", outcome.out);
    }
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

Suite *rebinds_suite(void)
{
    Suite *suite = suite_create("rebinds");
    scenario_add(suite, between_the_wildcard_and_one_address, 120);
    scenario_add(suite, between_the_wildcard_and_one_address_of_ipv6, 120);
    scenario_add(suite, a_failed_reload_moves_no_client, 60);
    scenario_add(suite, no_canary_is_possible, 60);
    scenario_add(suite, a_crash_leaves_no_client_in_the_queues, 60);
    scenario_add(suite, other_programs_are_refused, 60);
    scenario_add(suite, an_address_that_leaves_and_returns, 60);
    scenario_add(suite, a_link_local_address_is_steered, 60);
    return suite;
}
