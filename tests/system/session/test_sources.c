/* From which address servers see connections come: a range, or that of the client. */
#include "tests/system/scenarios.h"
#include "tests/system/support/neighbour.h"
#include "tests/system/support/scene.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A session, with the address from which its server sees it come. */
struct seen {
    struct session session;
    struct endpoint peer;
};

static struct seen accept_seen(int client, int listener)
{
    struct seen seen = {.peer.length = sizeof seen.peer.in6};
    seen.session.client = client;
    seen.session.server = accept4(listener, &seen.peer.any, &seen.peer.length, SOCK_CLOEXEC);
    ck_assert_msg(seen.session.server >= 0, "accept: %s", strerror(errno));
    session_works(&seen.session);
    return seen;
}

static struct seen open_seen(const struct scene *scene)
{
    return accept_seen(connect_to(&scene->front), scene->listener);
}

static unsigned last_byte(const struct seen *seen)
{
    return ntohl(seen->peer.in.sin_addr.s_addr) & 0xff;
}

START_TEST(addresses_of_a_range_take_turns)
{
    enum { ADDRESSES = 3 };
    struct scene scene;
    scene_start(&scene, "workers = 1\n", "source = 127.0.0.7-127.0.0.9\n");
    for (unsigned i = 0; i < 3 * ADDRESSES; i++) {
        struct seen seen = open_seen(&scene);
        ck_assert_uint_eq(last_byte(&seen), 7 + i % ADDRESSES);
        session_close(&seen.session);
    }
    proxy_stop(&scene.proxy);
}
END_TEST

static bool set_local_ports(const char *range)
{
    int fd = open("/proc/sys/net/ipv4/ip_local_port_range", O_WRONLY | O_CLOEXEC);
    bool set = fd >= 0 && write(fd, range, strlen(range)) == (ssize_t)strlen(range);
    if (fd >= 0) {
        close(fd);
    }
    return set;
}

/* Each address has two ports. The addresses in the middle are none of this machine. */
START_TEST(the_next_address_has_ports)
{
    enum { ALL = 4 };
    struct scene scene;
    struct seen seen[ALL];
    char path[PATH_MAX];
    if (!program_exists("ip") || !network_own()) {
        skip_test("no network of our own, or no ip(8)");
    }
    scene_init(&scene);
    if (!set_local_ports("50000 50001\n")) {
        skip_test("no right to choose local ports");
    }
    ip_command("address add 192.0.2.1/32 dev lo");
    ip_command("address add 192.0.2.9/32 dev lo");
    test_path(path, "front");
    scene.front = endpoint_unix(path); /* so that clients need no ports */
    proxy_configure(&scene.proxy,
                    "workers = 1\n[listen main]\nbind = unix:%s\nserver = a 127.0.0.1:%u\n"
                    "source = 192.0.2.1-192.0.2.9\nconnect-timeout = 1h\n",
                    path, scene.server_port);
    proxy_start(&scene.proxy);
    unsigned from[10] = {0};
    for (unsigned i = 0; i < ALL; i++) {
        seen[i] = open_seen(&scene);
        from[last_byte(&seen[i])]++;
    }
    ck_assert_uint_eq(from[1], 2);
    ck_assert_uint_eq(from[9], 2);
    /* The next client waits until a port is free. */
    int client = connect_to(&scene.front);
    ck_assert(!readable_within(scene.listener, 200));
    send_reset(seen[0].session.server);
    close(seen[0].session.client);
    seen[0] = accept_seen(client, scene.listener);
    for (unsigned i = 0; i < ALL; i++) {
        session_close(&seen[i].session);
    }
    ck_assert_int_eq(proxy_command(&scene.proxy, &(struct outcome){0}, "stop", NULL), 0);
}
END_TEST

#define TWO_BACKENDS                                                                               \
    "workers = 1\n[listen plain]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n"                  \
    "[listen main]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\nsource = 127.0.0.7\n"

/* The proxy keeps sockets of sessions that have ended, in which the client closed first, for the
 * next one. */
START_TEST(no_socket_of_another_backend_is_used)
{
    struct scene scene;
    scene_init(&scene);
    const struct endpoint plain = endpoint_loopback(port_reserve(getuid()));
    proxy_configure(&scene.proxy, TWO_BACKENDS, ntohs(plain.in.sin_port), scene.server_port,
                    scene.port, scene.server_port);
    proxy_start(&scene.proxy);
    for (unsigned i = 0; i < 20; i++) {
        struct seen one = accept_seen(connect_to(&plain), scene.listener);
        ck_assert_uint_eq(last_byte(&one), 1);
        session_close(&one.session);
        struct seen other = open_seen(&scene);
        ck_assert_uint_eq(last_byte(&other), 7);
        session_close(&other.session);
    }
    proxy_stop(&scene.proxy);
}
END_TEST

/* --- the address of the client ------------------------------------------------------------- */

struct middle {
    struct neighbour clients, servers;
    int listener, listener6; /* in the network of the servers */
    uint16_t port, port6, server_port;
    struct proxy proxy;
};

static int listen_there(const struct endpoint *where)
{
    int fd = socket(where->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, &where->any, where->length), 0);
    ck_assert_int_eq(listen(fd, 100), 0);
    return fd;
}

/* This machine is the router between the clients and the servers, whose answers to clients it takes
 * as its own. */
static bool stand_between(struct middle *middle)
{
    if (!network_own() || !neighbour_make(&middle->clients, 1) ||
        !neighbour_make(&middle->servers, 2)) {
        return false;
    }
    ip_command("rule add iif nb2 lookup 100");
    ip_command("route add local default dev lo table 100");
    ip_command("-6 rule add iif nb2 lookup 100");
    ip_command("-6 route add local default dev lo table 100");
    middle->port = port_reserve(getuid());
    middle->port6 = port_reserve(getuid());
    middle->server_port = 7777;
    const struct endpoint four = neighbour_address(&middle->servers, AF_INET, 7777),
                          six = neighbour_address(&middle->servers, AF_INET6, 7777);
    neighbour_enter(&middle->servers);
    middle->listener = listen_there(&four);
    middle->listener6 = listen_there(&six);
    neighbour_leave();
    proxy_init(&middle->proxy, "proxy");
    return true;
}

static void configure(const struct middle *middle, const char *global, const char *source)
{
    proxy_configure(&middle->proxy,
                    "workers = 2\n%s"
                    "[listen four]\nbind = 0.0.0.0:%u\nserver = a 10.78.2.2:7777\n%s"
                    "[listen six]\nbind = [::]:%u\nserver = a [fd78:2::2]:7777\n%s",
                    global, middle->port, source, middle->port6, source);
}

static void server_sees_the_client(const struct middle *middle, int family)
{
    const struct endpoint front =
        neighbour_front(&middle->clients, family, family == AF_INET ? middle->port : middle->port6);
    const struct endpoint client = neighbour_address(&middle->clients, family, 0);
    struct seen seen = accept_seen(neighbour_connect(&middle->clients, &front),
                                   family == AF_INET ? middle->listener : middle->listener6);
    if (family == AF_INET) {
        ck_assert_uint_eq(seen.peer.in.sin_addr.s_addr, client.in.sin_addr.s_addr);
    } else {
        ck_assert_mem_eq(&seen.peer.in6.sin6_addr, &client.in6.sin6_addr, 16);
    }
    session_close(&seen.session);
}

START_TEST(the_server_sees_the_client)
{
    struct middle middle;
    if (!stand_between(&middle)) {
        skip_test("no network of our own, or no ip(8)");
    }
    configure(&middle, "", "source = client\n");
    proxy_start(&middle.proxy);
    /* A session that lives through reloads. */
    const struct endpoint front = neighbour_front(&middle.clients, AF_INET, middle.port);
    struct seen lasting = accept_seen(neighbour_connect(&middle.clients, &front), middle.listener);
    for (unsigned i = 0; i < 3; i++) {
        server_sees_the_client(&middle, AF_INET);
        server_sees_the_client(&middle, AF_INET6);
        proxy_reload(&middle.proxy);
        session_works(&lasting.session);
    }
    session_close(&lasting.session);
    proxy_wait_drained(&middle.proxy);
    proxy_stop(&middle.proxy);
}
END_TEST

/* A client of this machine, or one of the other IP version, has no address for that; the server is
 * not blamed. */
START_TEST(other_clients_are_refused)
{
    struct middle middle;
    char path[PATH_MAX];
    if (!stand_between(&middle)) {
        skip_test("no network of our own, or no ip(8)");
    }
    test_path(path, "front");
    proxy_configure(&middle.proxy,
                    "[listen main]\nbind = [::]:%u v6only=no\nbind = unix:%s\naccess-log = yes\n"
                    "server = a 10.78.2.2:7777\nsource = client\nmax-fails = 1\n",
                    middle.port, path);
    proxy_start(&middle.proxy);
    const struct endpoint by_unix = endpoint_unix(path), by_lo = endpoint_loopback(middle.port),
                          by_six = neighbour_front(&middle.clients, AF_INET6, middle.port);
    int clients[] = {connect_to(&by_unix), connect_to(&by_lo),
                     neighbour_connect(&middle.clients, &by_six)};
    wait_mentions(middle.proxy.log, "end=refused", 3);
    for (unsigned i = 0; i < 3; i++) {
        close(clients[i]);
    }
    server_sees_the_client(&middle, AF_INET);
    proxy_stop(&middle.proxy);
}
END_TEST

/* The capability is kept when root becomes another user, and by each successor. Without it there is
 * an error, at the start and at a reload. */
START_TEST(the_capability_is_kept_or_missed)
{
    struct middle middle;
    struct outcome outcome;
    char folder[PATH_MAX];
    const struct passwd *nobody = getpwnam("nobody");
    if (getuid() != 0 || !nobody || !stand_between(&middle)) {
        skip_test("not root, or no network of our own");
    }
    proxy_own_binary(&middle.proxy);
    snprintf(folder, sizeof folder, "%s", middle.proxy.control);
    *strrchr(folder, '/') = '\0';
    ck_assert_int_eq(chown(folder, nobody->pw_uid, (gid_t)-1), 0);

    configure(&middle, "", "source = client\n");
    const char *argv[] = {middle.proxy.program, "-f", middle.proxy.file, NULL};
    program_run(&(struct program){.argv = argv, .user = "nobody"}, PATIENCE_MS, &outcome);
    ck_assert_int_eq(outcome.code, 2);
    ck_assert_msg(strstr(outcome.err,
                         "backend four: source = client is not possible: Operation not "
                         "permitted (it takes CAP_NET_ADMIN or CAP_NET_RAW") != NULL,
                  "%s", outcome.err);

    configure(&middle, "user = nobody\n", "source = client\n");
    proxy_start(&middle.proxy);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_uint_eq(process_status(middle.proxy.pid, "Uid:", 10), nobody->pw_uid);
        server_sees_the_client(&middle, AF_INET6);
        server_sees_the_client(&middle, AF_INET);
        proxy_reload(&middle.proxy);
    }
    ck_assert_int_eq(proxy_command(&middle.proxy, &outcome, "stop", NULL), 0);

    configure(&middle, "user = nobody\n", "");
    proxy_start(&middle.proxy);
    pid_t pid = middle.proxy.pid;
    configure(&middle, "user = nobody\n", "source = client\n");
    ck_assert_int_eq(proxy_command(&middle.proxy, &outcome, "reload", NULL), 2);
    ck_assert_msg(strstr(outcome.err, "source = client is not possible") != NULL, "%s",
                  outcome.err);
    proxy_follow(&middle.proxy);
    ck_assert_int_eq(middle.proxy.pid, pid);
    ck_assert_int_eq(proxy_command(&middle.proxy, &outcome, "stop", NULL), 0);
}
END_TEST

Suite *sources_suite(void)
{
    Suite *suite = suite_create("sources");
    scenario_add(suite, addresses_of_a_range_take_turns, 30);
    scenario_add(suite, the_next_address_has_ports, 30);
    scenario_add(suite, no_socket_of_another_backend_is_used, 30);
    scenario_add(suite, the_server_sees_the_client, 60);
    scenario_add(suite, other_clients_are_refused, 60);
    scenario_add(suite, the_capability_is_kept_or_missed, 60);
    return suite;
}
