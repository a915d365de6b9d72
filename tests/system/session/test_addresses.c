/* Unusual addresses: of servers that cannot be reached, and of clients as the log names them. */
#include "tests/system/scenarios.h"
#include "tests/system/support/scene.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool set(const char *name, const char *value)
{
    char path[128];
    snprintf(path, sizeof path, "/proc/sys/net/%s", name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value);
    if (fd >= 0) {
        close(fd);
    }
    return done;
}

/* A network of the test's own, in which the kernel has one local port to give. */
static bool scene_of_one_port(struct scene *scene)
{
    if (!network_own()) {
        return false;
    }
    scene_init(scene);
    return set("ipv4/ip_local_port_range", "40000 40000\n");
}

/* No server listens on the only local port, so TCP connects each attempt to itself. Afterwards the
 * port is free at once, for the server to be started there. */
/* Sessions and checks come from the address that the file names. */
START_TEST(sessions_and_checks_have_the_source_of_the_backend)
{
    struct scene scene;
    struct endpoint peer;
    scene_start(&scene, "", "source = 127.0.0.7\ncheck = tcp\ncheck-interval = 50ms\n");
    unsigned checks = 0, sessions = 0;
    int client = connect_to(&scene.front);
    while (checks == 0 || sessions == 0) {
        char byte;
        peer.length = sizeof peer.un;
        int server = accept4(scene.listener, &peer.any, &peer.length, SOCK_CLOEXEC);
        ck_assert_int_ge(server, 0);
        ck_assert_uint_eq(ntohl(peer.in.sin_addr.s_addr), INADDR_LOOPBACK + 6);
        if (sessions == 0 && send(client, "x", 1, MSG_NOSIGNAL) == 1 &&
            recv(server, &byte, 1, 0) == 1) {
            sessions++;
        } else {
            checks++;
        }
        close(server);
    }
    close(client);
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(a_session_is_not_connected_to_itself)
{
    struct scene scene;
    if (!scene_of_one_port(&scene)) {
        skip_test("no network of our own, or its ports cannot be set");
    }
    struct endpoint only_port = endpoint_loopback(40000);
    send_reset(connect_to(&only_port));
    proxy_configure(&scene.proxy,
                    "workers = 1\n[listen main]\nbind = 127.0.0.1:%u\naccess-log = yes\n"
                    "server = n1 127.0.0.1:40000\nserver = n2 0.0.0.0:40000\n"
                    "server = n3 [::1]:40000\nserver = a 127.0.0.1:%u\n",
                    scene.port, scene.server_port);
    proxy_start(&scene.proxy);
    struct session session = session_open(&scene);
    session_works(&session);
    send_reset(session.client);
    expect_reset(session.server);
    close(session.server);
    wait_mentioned(scene.proxy.log, "retries=3 end=client-reset");
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_msg(bind(server, &only_port.any, only_port.length) == 0, "bind: %s", strerror(errno));
    close(server);
    proxy_stop(&scene.proxy);
}
END_TEST

/* The machine has no address from which it could reach the server. */
START_TEST(a_server_without_an_address_of_ours_is_down)
{
    if (!network_own() || !set("ipv6/conf/all/disable_ipv6", "1\n")) {
        skip_test("no network of our own, or no IPv6 to turn off");
    }
    struct scene scene;
    struct outcome outcome;
    scene_init(&scene);
    proxy_configure(&scene.proxy,
                    "[frontend main]\nbind = 127.0.0.1:%u\nbackend = both\naccess-log = yes\n"
                    "[backend both]\nserver = six [2001:db8::1]:9001\nserver = a 127.0.0.1:%u\n"
                    "[backend checked]\nserver = six [2001:db8::1]:9001\ncheck = tcp\n"
                    "check-interval = 10ms\nfall = 2\n",
                    scene.port, scene.server_port);
    proxy_start(&scene.proxy);
    for (unsigned i = 0; i < 4; i++) {
        struct session session = session_open(&scene);
        session_works(&session);
        session_close(&session);
    }
    wait_mentioned(scene.proxy.log, "retries=1 end=done");
    wait_mentioned(scene.proxy.log, "server checked/six is DOWN");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "status", "--json", NULL), 0);
    ck_assert_ptr_nonnull(strstr(outcome.out, strerror(EADDRNOTAVAIL)));
    ck_assert_uint_eq(file_mentions(scene.proxy.log, "cannot be checked"), 0);
    proxy_stop(&scene.proxy);
}
END_TEST

/* A session whose server is also checked: the connection of a check is reset and carries nothing.
 */
static struct session session_beside_checks(const struct endpoint *front, int listener)
{
    char byte;
    struct session session = {.client = connect_to(front)};
    send_all(session.client, "!", 1);
    session.server = accept_from(listener);
    while (recv(session.server, &byte, 1, 0) != 1) {
        close(session.server);
        session.server = accept_from(listener);
    }
    return session;
}

/* The only local port can be used once towards each server. While one server has it, the session
 * goes to the other one. While both have it, the session waits. No server is counted as failed. */
START_TEST(used_up_ports_leave_other_servers)
{
    if (!network_own()) {
        skip_test("no network of our own");
    }
    struct scene scene;
    uint16_t ports[2];
    scene_init(&scene);
    int other = listen_loopback(&ports[0]), checked = listen_loopback(&ports[1]);
    if (!set("ipv4/ip_local_port_range", "40000 40000\n")) {
        skip_test("the range of local ports cannot be set");
    }
    char path[PATH_MAX], checked_path[PATH_MAX];
    struct endpoint front = endpoint_unix(test_path(path, "front.sock"));
    struct endpoint checked_front = endpoint_unix(test_path(checked_path, "checked.sock"));
    proxy_configure(&scene.proxy,
                    "workers = 1\n"
                    "[listen both]\nbind = unix:%s\nretries = 0\nconnect-timeout = 1h\n"
                    "access-log = yes\nserver = a 127.0.0.1:%u\nserver = b 127.0.0.1:%u\n"
                    "[listen checked]\nbind = unix:%s\nconnect-timeout = 1h\n"
                    "server = c 127.0.0.1:%u\ncheck = tcp\ncheck-interval = 10ms\nfall = 1\n",
                    path, scene.server_port, ports[0], checked_path, ports[1]);
    proxy_start(&scene.proxy);
    struct session one = session_through(&front, scene.listener);
    struct session two = session_through(&front, other);
    send_reset(two.server);
    expect_eof(two.client); /* a Unix client sees no reset */
    close(two.client);
    /* it is a's turn, but the port is in use towards a */
    struct session three = session_through(&front, other);
    int fourth = connect_to(&front);
    send_all(fourth, "fourth", 7);
    struct session of_checked = session_beside_checks(&checked_front, checked);
    wait_mentioned(scene.proxy.log, "server checked/c cannot be checked");
    session_works(&one);
    session_works(&three);
    send_reset(three.server);
    expect_eof(three.client);
    close(three.client);
    char bytes[7];
    int server = accept_from(other);
    receive_exactly(server, bytes, 7);
    ck_assert_str_eq(bytes, "fourth");
    close(fourth);
    expect_eof(server);
    close(server);
    session_close(&one);
    session_close(&of_checked);
    wait_mentions(scene.proxy.log, " client=unix: ", 4);
    wait_mentions(scene.proxy.log, "cannot be checked", 1);
    ck_assert_uint_eq(file_mentions(scene.proxy.log, "is DOWN"), 0);
    proxy_stop(&scene.proxy);
}
END_TEST

/* A socket for both IP versions, as a service manager may pass it. */
START_TEST(ipv4_clients_of_a_dual_stack_socket)
{
    struct endpoint any = {.length = sizeof any.in6, .in6.sin6_family = AF_INET6};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){0}, sizeof(int)) != 0 ||
        bind(fd, &any.any, any.length) != 0) {
        skip_test("no IPv6 here");
    }
    ck_assert_int_eq(listen(fd, 10), 0);
    ck_assert_int_eq(getsockname(fd, &any.any, &any.length), 0);
    struct scene scene;
    scene_init(&scene);
    scene.proxy.passed = &(struct passed){.fds = &fd, .count = 1, .names = "web"};
    proxy_configure(&scene.proxy,
                    "[listen main]\nbind = fd:web\nserver = a 127.0.0.1:%u\naccess-log = yes\n",
                    scene.server_port);
    proxy_start(&scene.proxy);
    struct endpoint four = endpoint_loopback(ntohs(any.in6.sin6_port));
    struct endpoint six = any;
    six.in6.sin6_addr = in6addr_loopback;
    const struct endpoint *fronts[] = {&four, &six};
    for (unsigned i = 0; i < 2; i++) {
        struct session session = session_through(fronts[i], scene.listener);
        /* The session moves: its client is named in the same way. */
        proxy_reload(&scene.proxy);
        session_works(&session);
        session_close(&session);
    }
    wait_mentioned(scene.proxy.log, " client=127.0.0.1:");
    wait_mentioned(scene.proxy.log, " client=[::1]:");
    ck_assert_uint_eq(file_mentions(scene.proxy.log, "ffff"), 0);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

Suite *addresses_suite(void)
{
    Suite *suite = suite_create("addresses");
    scenario_add(suite, sessions_and_checks_have_the_source_of_the_backend, 60);
    scenario_add(suite, a_session_is_not_connected_to_itself, 60);
    scenario_add(suite, a_server_without_an_address_of_ours_is_down, 60);
    scenario_add(suite, used_up_ports_leave_other_servers, 60);
    scenario_add(suite, ipv4_clients_of_a_dual_stack_socket, 60);
    return suite;
}
