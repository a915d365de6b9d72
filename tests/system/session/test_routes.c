/* Routes: hellos in pieces and of any length, clients that are refused or say nothing, maps, and
 * reloads while clients are looked at. */
#include "tests/system/scenarios.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/hello.h"
#include "tests/system/support/net.h"
#include "tests/system/support/stand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

START_TEST(hellos_in_pieces_find_their_backend)
{
    struct bytes hellos[2];
    if (!record_hello("WWW.one.example", &hellos[0]) || !record_hello("two.example", &hellos[1])) {
        skip_test("no openssl");
    }
    struct stand stand;
    stand_start(&stand, "route = sni:*.one.example one\nroute = sni:two.example alpn:h2 two\n"
                        "backend = three\ninspect-timeout = 1h\n");
    for (unsigned i = 0; i < scaled(20, 4); i++) {
        int server = i % 2;
        int client = connect_to(&stand.front);
        send_pieces(client, hellos[server].bytes, hellos[server].length);
        arrives(&stand, server, client, hellos[server].bytes, hellos[server].length);
        client = connect_to(&stand.front);
        send_all(client, hellos[server].bytes, hellos[server].length);
        arrives(&stand, server, client, hellos[server].bytes, hellos[server].length);
        client = connect_to(&stand.front);
        send_all(client, "\x16\x03\x03\xff\xff", 5);
        arrives(&stand, 2, client, "\x16\x03\x03\xff\xff", 5);
    }
    proxy_stop(&stand.proxy);
    ck_assert_uint_gt(file_mentions(stand.proxy.log, " sni=www.one.example end=done"), 0);
}
END_TEST

/* All of it arrives, also of a hello that is too long to be read. */
START_TEST(large_hellos_are_read_up_to_a_bound)
{
    static unsigned char wire[HELLO_MOST], got[HELLO_MOST];
    static const struct {
        size_t padding;
        int server;
    } hellos[] = {{100, 0}, {20000, 0}, {50000, 0}, {65200, 0}, {65450, 1}};
    struct stand stand;
    stand_start(&stand, "route = sni:large.example one\nbackend = two\ninspect-timeout = 1h\n");
    for (size_t i = 0; i < sizeof hellos / sizeof *hellos; i++) {
        size_t length = make_hello("large.example", hellos[i].padding, wire);
        struct session session = {.client = connect_to(&stand.front)};
        send_all(session.client, wire, length);
        session.server = accept_from(stand.servers[hellos[i].server]);
        receive_exactly(session.server, got, length);
        ck_assert_mem_eq(got, wire, length);
        session_works(&session);
        session_close(&session);
    }
    proxy_stop(&stand.proxy);
}
END_TEST

/* What a PROXY header tells counts for src: and dst-port:, and the hello may come together with
 * the header. */
START_TEST(a_proxy_header_comes_before_the_hello)
{
    static const struct {
        const char *header;
        int server; /* of a client with a hello, ... */
        int other;  /* ... and of one without */
    } headers[] = {{"PROXY TCP4 10.1.1.1 192.0.2.1 1000 443\r\n", 0, 2},
                   {"PROXY TCP4 10.2.1.1 192.0.2.1 1000 443\r\n", 2, 2},
                   {"PROXY TCP4 10.1.1.1 192.0.2.1 1000 444\r\n", 1, 1},
                   {"PROXY UNKNOWN\r\n", 2, 2}};
    struct bytes hello;
    if (!record_hello("a.example", &hello)) {
        skip_test("no openssl");
    }
    struct stand stand;
    stand_start(&stand, "accept-proxy = any\ninspect-timeout = 1h\n"
                        "route = sni:*.example src:10.1.0.0/16 dst-port:443 one\n"
                        "route = dst-port:444 two\nbackend = three\n");
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        struct bytes all = {.length = strlen(headers[i].header)};
        memcpy(all.bytes, headers[i].header, all.length);
        memcpy(all.bytes + all.length, hello.bytes, hello.length);
        all.length += hello.length;
        int client = connect_to(&stand.front);
        send_all(client, all.bytes, all.length);
        arrives(&stand, headers[i].server, client, hello.bytes, hello.length);
        client = connect_to(&stand.front);
        send_pieces(client, all.bytes, all.length);
        arrives(&stand, headers[i].server, client, hello.bytes, hello.length);
        client = connect_to(&stand.front);
        send_all(client, headers[i].header, strlen(headers[i].header));
        send_all(client, "other", 5);
        arrives(&stand, headers[i].other, client, "other", 5);
    }
    proxy_stop(&stand.proxy);
}
END_TEST

START_TEST(who_is_not_routed_is_reset)
{
    struct stand stand;
    struct outcome outcome;
    char frontends[512];
    stand_init(&stand);
    uint16_t port = port_reserve(getuid());
    struct endpoint hasty = endpoint_loopback(port);
    snprintf(frontends, sizeof frontends,
             "route = begins:bad reject\nroute = begins:good one\ninspect-timeout = 1h\n"
             "[frontend hasty]\nbind = 127.0.0.1:%u\naccess-log = yes\n"
             "route = begins:good one\ninspect-timeout = 50ms\n",
             port);
    stand_configure(&stand, frontends);
    proxy_start(&stand.proxy);
    int client = connect_to(&stand.front);
    send_all(client, "badly", 5);
    expect_reset(client);
    close(client);
    client = connect_to(&stand.front);
    send_all(client, "ugly", 4);
    expect_reset(client);
    close(client);
    expect_reset_after(&hasty, "goo", 3);
    client = connect_to(&stand.front);
    send_all(client, "good", 4);
    arrives(&stand, 0, client, "good", 4);
    ck_assert_int_eq(proxy_command(&stand.proxy, &outcome, "status", "--json", NULL), 0);
    ck_assert_msg(strstr(outcome.out, "\"route\": 2") && strstr(outcome.out, "\"route\": 1"), "%s",
                  outcome.out);
    proxy_stop(&stand.proxy);
    wait_mentions(stand.proxy.log, " server=-/- ", 3);
    wait_mentions(stand.proxy.log, " end=denied", 1);
    wait_mentions(stand.proxy.log, " end=no-route", 1);
    wait_mentions(stand.proxy.log, " end=inspect-timeout", 1);
}
END_TEST

/* The server of a protocol in which the server speaks first. */
START_TEST(silent_clients_have_a_backend)
{
    struct stand stand;
    char greeting[5];
    stand_start(&stand, "route = tls:yes one\nroute = silent two\nbackend = three\n"
                        "inspect-timeout = 50ms\n");
    int client = connect_to(&stand.front);
    int server = accept_from(stand.servers[1]);
    send_all(server, "220 x", 5);
    receive_exactly(client, greeting, 5);
    struct session session = {.client = client, .server = server};
    session_works(&session);
    session_close(&session);
    client = connect_to(&stand.front);
    shutdown(client, SHUT_WR); /* nothing will come */
    server = accept_from(stand.servers[1]);
    expect_eof(server);
    close(server);
    expect_eof(client);
    close(client);
    proxy_stop(&stand.proxy);
}
END_TEST

/* --- maps ------------------------------------------------------------------------------------ */

enum { NAMES = 100000 };

/* Each third name is of the backend three, and so on; `extra` is a further line. */
static void write_map(const char *path, const char *extra)
{
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    for (unsigned i = 0; i < NAMES; i++) {
        fprintf(file, "%sc%u.example.org %s\n", i % 2 ? "*." : "", i, server_names[i % SERVERS]);
    }
    fputs(extra, file);
    ck_assert_int_eq(fclose(file), 0);
}

static void ask_for(const struct stand *stand, const char *host, int server)
{
    char request[256];
    int length = snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", host);
    int client = connect_to(&stand->front);
    send_all(client, request, (size_t)length);
    arrives(stand, server, client, request, (size_t)length);
}

/* A reload with a broken map is refused with the line, and the old process serves on with the map
 * that it has. */
START_TEST(a_map_of_many_names)
{
    struct stand stand;
    struct outcome outcome;
    char map[PATH_MAX], expected[PATH_MAX + 64];
    write_map(test_path(map, "names.map"), "");
    stand_start(&stand, "route = host-map:names.map\nbackend = reject\n");
    for (unsigned i = 0; i < NAMES; i += 6007) {
        char host[64];
        snprintf(host, sizeof host, "%sC%u.example.org", i % 2 ? "www." : "", i);
        ask_for(&stand, host, (int)(i % SERVERS));
    }
    write_map(map, "new.example.org four\n");
    int code = proxy_command(&stand.proxy, &outcome, "reload", NULL);
    snprintf(expected, sizeof expected, "%s:%u: 'new.example.org four' names a backend", map,
             NAMES + 1);
    ck_assert_msg(code == 2 && strstr(outcome.err, expected), "%d: %s", code, outcome.err);
    ask_for(&stand, "c0.example.org", 0);
    ck_assert_int_eq(unlink(map), 0);
    code = proxy_command(&stand.proxy, &outcome, "reload", NULL);
    ck_assert_msg(code == 2 && strstr(outcome.err, "names.map: No such file"), "%d: %s", code,
                  outcome.err);
    ask_for(&stand, "c4.example.org", 1);
    write_map(map, "new.example.org three\n");
    proxy_reload(&stand.proxy);
    ask_for(&stand, "new.example.org", 2);
    ask_for(&stand, "c0.example.org", 0);
    proxy_stop(&stand.proxy);
}
END_TEST

/* --- reloads --------------------------------------------------------------------------------- */

/* Sessions of a route move, and those that are looked at stay until the old process has chosen
 * their backend; then they move as well. */
START_TEST(sessions_of_routes_survive_reloads)
{
    struct stand stand;
    struct session routed[SERVERS];
    int looked_at[SERVERS], i;
    stand_init(&stand);
    stand_configure(&stand, "route = begins:one one\nroute = begins:two two\nbackend = three\n"
                            "inspect-timeout = 1h\n");
    proxy_start(&stand.proxy);
    for (i = 0; i < SERVERS; i++) {
        char word[8];
        routed[i].client = connect_to(&stand.front);
        send_all(routed[i].client, server_names[i], 3);
        routed[i].server = accept_from(stand.servers[i]);
        receive_exactly(routed[i].server, word, 3);
    }
    for (unsigned reload = 0; reload < scaled(5, 2); reload++) {
        for (i = 0; i < 2; i++) {
            looked_at[i] = connect_to(&stand.front);
            send_all(looked_at[i], server_names[i], 1);
        }
        /* The proxy has both when a later client is through. */
        int later = connect_to(&stand.front);
        send_all(later, "later", 5);
        arrives(&stand, 2, later, "later", 5);
        proxy_reload(&stand.proxy);
        for (i = 0; i < SERVERS; i++) {
            session_works(&routed[i]);
        }
        for (i = 0; i < 2; i++) {
            send_all(looked_at[i], server_names[i] + 1, 2);
            arrives(&stand, i, looked_at[i], server_names[i], 3);
        }
        proxy_wait_drained(&stand.proxy);
        for (i = 0; i < SERVERS; i++) {
            session_works(&routed[i]);
        }
    }
    /* Without its route and backend a session is kept all the same. */
    proxy_configure(&stand.proxy,
                    "[frontend main]\nbind = 127.0.0.1:%u\nbackend = three\naccess-log = yes\n"
                    "[backend three]\nserver = a 127.0.0.1:%u\n",
                    stand.port, stand.server_ports[2]);
    proxy_reload(&stand.proxy);
    proxy_wait_drained(&stand.proxy);
    for (i = 0; i < SERVERS; i++) {
        session_works(&routed[i]);
        session_close(&routed[i]);
    }
    proxy_stop(&stand.proxy);
    ck_assert_uint_gt(file_mentions(stand.proxy.log, " server=one/a "), 0);
    ck_assert_uint_gt(file_mentions(stand.proxy.log, " server=two/a "), 0);
}
END_TEST

START_TEST(a_stop_ends_clients_that_are_looked_at)
{
    struct stand stand;
    struct outcome outcome;
    stand_start(&stand, "route = sni:x one\nbackend = two\ninspect-timeout = 1h\n"
                        "stop-timeout = 10ms\n");
    int client = connect_to(&stand.front);
    send_all(client, "\x16", 1);
    int later = connect_to(&stand.front);
    send_all(later, "later", 5);
    arrives(&stand, 1, later, "later", 5);
    pid_t pid = stand.proxy.pid;
    int code = proxy_command(&stand.proxy, &outcome, "stop", NULL);
    ck_assert_msg(code == 9, "%d: %s", code, outcome.err); /* one was cut */
    expect_reset(client);
    wait_gone(pid);
    wait_mentions(stand.proxy.log, " end=stopped", 1);
}
END_TEST

Suite *routes_suite(void)
{
    Suite *suite = suite_create("routes");
    scenario_add(suite, hellos_in_pieces_find_their_backend, 120);
    scenario_add(suite, large_hellos_are_read_up_to_a_bound, 120);
    scenario_add(suite, a_proxy_header_comes_before_the_hello, 120);
    scenario_add(suite, who_is_not_routed_is_reset, 120);
    scenario_add(suite, silent_clients_have_a_backend, 120);
    scenario_add(suite, a_map_of_many_names, 300);
    scenario_add(suite, sessions_of_routes_survive_reloads, 300);
    scenario_add(suite, a_stop_ends_clients_that_are_looked_at, 120);
    return suite;
}
