/* Local ports of connections to servers: which are taken, and what happens when there are none. */
#include "tests/system/scenarios.h"
#include "tests/system/support/net.h"
#include "tests/system/support/scene.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FIRST_PORT 50000u

/* A proxy with one worker before the server a, and b, where a lacks ports. */
struct ports_scene {
    struct proxy proxy;
    struct endpoint front;
    int listeners[2];
};

static bool set_system(const char *name, const char *value)
{
    char path[128];
    snprintf(path, sizeof path, "/proc/sys/net/ipv4/%s", name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool set = fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value);
    if (fd >= 0) {
        close(fd);
    }
    return set;
}

static int listen_at(int family, uint16_t port)
{
    struct sockaddr_in four = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 six = {
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr *at =
        family == AF_INET ? (struct sockaddr *)&four : (struct sockaddr *)&six;
    ck_assert_int_eq(bind(fd, at, family == AF_INET ? sizeof four : sizeof six), 0);
    ck_assert_int_eq(listen(fd, 100), 0);
    return fd;
}

/* So many local ports; TIME_WAIT keeps each of them for a minute. Clients come by a Unix socket, so
 * that they need none. */
static void start(struct ports_scene *scene, int family, unsigned ports)
{
    char path[PATH_MAX], range[32];
    const char *host = family == AF_INET ? "127.0.0.1" : "[::1]";
    snprintf(range, sizeof range, "%u %u\n", FIRST_PORT, FIRST_PORT + ports - 1);
    if (!network_own() || !set_system("ip_local_port_range", range) ||
        !set_system("tcp_tw_reuse", "0\n")) {
        skip_test("no network of our own, or no right to choose local ports");
    }
    for (uint16_t i = 0; i < 2; i++) {
        scene->listeners[i] = listen_at(family, (uint16_t)(7001 + i));
    }
    test_path(path, "front");
    scene->front = endpoint_unix(path);
    proxy_init(&scene->proxy, "proxy");
    proxy_configure(&scene->proxy,
                    "workers = 1\n[listen main]\nbind = unix:%s\nbalance = first\n"
                    "server = a %s:7001\nserver = b %s:7002\n",
                    path, host, host);
    proxy_start(&scene->proxy);
}

/* A session with this server, in which the client closes first. Returns the proxy's port. */
static unsigned port_of_session(const struct ports_scene *scene, unsigned server)
{
    struct endpoint peer = {.length = sizeof peer.in6};
    struct session session = {.client = connect_to(&scene->front)};
    ck_assert(readable_within(scene->listeners[server], PATIENCE_MS));
    session.server = accept4(scene->listeners[server], &peer.any, &peer.length, SOCK_CLOEXEC);
    ck_assert_int_ge(session.server, 0);
    session_works(&session);
    session_close(&session);
    return ntohs(peer.in.sin_port); /* where in6 has it as well */
}

/* Sessions that found no port towards the server, by `status --json`. */
static json_int_t sessions_without_port(const struct proxy *proxy, const char *name)
{
    struct outcome outcome;
    json_int_t count = -1;
    const json_t *server;
    size_t i;
    ck_assert_int_eq(proxy_command(proxy, &outcome, "status", "--json", NULL), 0);
    json_t *status = json_loads(outcome.out, 0, NULL);
    json_array_foreach(
        json_object_get(json_array_get(json_object_get(status, "backends"), 0), "servers"), i,
        server)
    {
        if (strcmp(json_string_value(json_object_get(server, "name")), name) == 0) {
            count = json_integer_value(
                json_object_get(json_object_get(server, "connect_failures"), "no-port"));
        }
    }
    json_decref(status);
    return count;
}

/* `status` without --json tells of them at the end of the server's line, and of no others. */
static void expect_shown(const struct proxy *proxy, unsigned sessions)
{
    struct outcome outcome;
    char told[64];
    ck_assert_int_eq(proxy_command(proxy, &outcome, "status", NULL), 0);
    snprintf(told, sizeof told, "no-port %u\n", sessions);
    char *line = strstr(outcome.out, "main/a ");
    ck_assert_ptr_nonnull(line);
    char *end = strchr(line, '\n');
    ck_assert_ptr_nonnull(end);
    char *shown = strstr(line, "no-port");
    if (sessions == 0) {
        ck_assert_ptr_null(shown);
        return;
    }
    ck_assert_ptr_nonnull(shown);
    ck_assert_ptr_eq(end + 1 - strlen(told), shown);
    ck_assert_int_eq(strncmp(shown, told, strlen(told)), 0);
}

/* Each of them is used, across a reload, before another server is tried. */
START_TEST(no_port_is_left_out)
{
    enum { PORTS = 64, MORE = 5 };
    struct ports_scene scene;
    bool seen[PORTS] = {false};
    start(&scene, AF_INET, PORTS);
    for (unsigned i = 0; i < PORTS; i++) {
        if (i == PORTS / 2) {
            proxy_reload(&scene.proxy);
        }
        unsigned at = port_of_session(&scene, 0) - FIRST_PORT;
        ck_assert_uint_lt(at, PORTS);
        ck_assert(!seen[at]);
        seen[at] = true;
    }
    ck_assert_int_eq(sessions_without_port(&scene.proxy, "a"), 0);
    expect_shown(&scene.proxy, 0);
    for (unsigned i = 0; i < MORE; i++) {
        (void)port_of_session(&scene, 1);
    }
    ck_assert_int_eq(sessions_without_port(&scene.proxy, "a"), MORE);
    ck_assert_int_eq(sessions_without_port(&scene.proxy, "b"), 0);
    expect_shown(&scene.proxy, MORE);
    wait_mentions(scene.proxy.log,
                  "server main/a cannot be connected: no local port is free for a connection to it",
                  1);
    /* The figure is that of all generations. */
    proxy_reload(&scene.proxy);
    ck_assert_int_eq(sessions_without_port(&scene.proxy, "a"), MORE);
    expect_shown(&scene.proxy, MORE);
    proxy_stop(&scene.proxy);
}
END_TEST

/* Once TIME_WAITs hold a part of the ports, connections come from windows of eight in turn. */
static void expect_turns(int family)
{
    enum { WINDOW = 8, WINDOWS = 64, FILL = 160, TURNS = 100 };
    struct ports_scene scene;
    start(&scene, family, WINDOW * WINDOWS);
    unsigned window = 0;
    for (unsigned i = 0; i < FILL; i++) {
        window = (port_of_session(&scene, 0) - FIRST_PORT) / WINDOW;
    }
    for (unsigned i = 0; i < TURNS; i++) {
        unsigned next = (port_of_session(&scene, 0) - FIRST_PORT) / WINDOW;
        ck_assert_uint_eq(next, (window + 1) % WINDOWS);
        window = next;
    }
    proxy_stop(&scene.proxy);
}

START_TEST(windows_take_turns)
{
    expect_turns(AF_INET);
}
END_TEST

START_TEST(windows_take_turns_by_ipv6)
{
    expect_turns(AF_INET6);
}
END_TEST

Suite *local_ports_suite(void)
{
    Suite *suite = suite_create("local_ports");
    scenario_add(suite, no_port_is_left_out, 60);
    scenario_add(suite, windows_take_turns, 60);
    scenario_add(suite, windows_take_turns_by_ipv6, 60);
    return suite;
}
