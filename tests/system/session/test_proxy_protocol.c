/* The PROXY protocol between proxies of our own, with hostile clients, and across reloads. */
#include "tests/system/scenarios.h"
#include "tests/system/support/peers.h"
#include "tests/system/support/scene.h"
#include "tests/system/support/streams.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A client of a Unix socket has no address but the name of the socket that it came to. */
START_TEST(unix_client_is_announced)
{
    char path[PATH_MAX], bytes[256];
    struct scene scene;
    test_path(path, "front.sock");
    const struct endpoint front = endpoint_unix(path);
    scene_init(&scene);
    proxy_configure(&scene.proxy,
                    "workers = 1\n[listen main]\nbind = unix:%s\n"
                    "server = a 127.0.0.1:%u send-proxy=v1\n"
                    "server = b 127.0.0.1:%u send-proxy=v2\n",
                    path, scene.server_port, scene.server_port);
    proxy_start(&scene.proxy);
    for (unsigned i = 0; i < 4; i++) {
        struct session session = session_through(&front, scene.listener);
        receive_exactly(session.server, bytes, 15);
        if (bytes[0] == 'P') {
            ck_assert_mem_eq(bytes, "PROXY UNKNOWN\r\n", 15);
        } else {
            receive_exactly(session.server, bytes + 15, 217);
            ck_assert_mem_eq(bytes, "\r\n\r\n\0\r\nQUIT\n\x21\x31\0\xd8\0", 17);
            ck_assert_str_eq(bytes + 16 + 108, path);
        }
        session_works(&session);
        session_close(&session);
    }
    proxy_stop(&scene.proxy);
}
END_TEST

/* --- hostile clients ------------------------------------------------------------------------- */

#define HEADER "PROXY TCP4 192.0.2.7 198.51.100.1 1111 2222\r\n"

/* Sessions beside those that send no header, or none that is good. */
START_TEST(bad_headers_hurt_nobody_else)
{
    static const struct {
        const char *bytes;
        size_t length;
    } bad[] = {
        {"GET / HTTP/1.1\r\n\r\n", 18},
        {"\x16\x03\x01\x02", 4},
        {"PROXY TCP4 1.2.3.4 5.6.7.8 1 99999\r\n", 36},
        {"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n", 31},
        {"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff", 16},
        {"\r\n\r\n\0\r\nQUIT\n\x51", 13},
        {"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x13"
         "aaaabbbbcccc\x03\0\x04zzzz",
         35},
    };
    enum { KINDS = sizeof bad / sizeof bad[0] };
    struct scene scene;
    struct outcome outcome;
    scene_start(&scene, "", "accept-proxy = any\naccess-log = yes\n");
    struct session good = {.client = connect_to(&scene.front)};
    send_all(good.client, HEADER, sizeof HEADER - 1);
    good.server = accept_from(scene.listener);
    unsigned rounds = scaled(20, 2);
    for (unsigned i = 0; i < rounds * KINDS; i++) {
        int client = connect_to(&scene.front);
        send_all(client, bad[i % KINDS].bytes, bad[i % KINDS].length);
        expect_reset(client);
        close(client);
        session_works(&good);
    }
    wait_mentions(scene.proxy.log, "end=bad-proxy-header", rounds * KINDS);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "status", "--json", NULL), 0);
    char expected[64];
    snprintf(expected, sizeof expected, "\"proxy_header\": %u", rounds * KINDS);
    ck_assert_ptr_nonnull(strstr(outcome.out, expected));
    /* One byte at a time is slow, and good. */
    struct session slow = {.client = connect_to(&scene.front)};
    for (size_t i = 0; i < sizeof HEADER - 1; i++) {
        send_all(slow.client, &HEADER[i], 1);
    }
    slow.server = accept_from(scene.listener);
    session_works(&slow);
    session_close(&slow);
    session_close(&good);
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(silent_client_is_reset_after_inspect_timeout)
{
    struct scene scene;
    scene_start(&scene, "", "accept-proxy = any\ninspect-timeout = 50ms\naccess-log = yes\n");
    expect_reset_at(&scene.front);
    expect_reset_after(&scene.front, HEADER, 10);
    wait_mentions(scene.proxy.log, "end=bad-proxy-header", 2);
    proxy_stop(&scene.proxy);
}
END_TEST

/* --- lists and reloads ----------------------------------------------------------------------- */

/* The list is a file beside the configuration, which a reload reads again. A file with a mistake
 * changes nothing. */
START_TEST(list_of_senders_is_reloaded)
{
    char list[PATH_MAX], byte[sizeof HEADER + 1];
    struct scene scene;
    struct outcome outcome;
    write_file(test_path(list, "senders"), 0644, "# the load balancers\n10.0.0.0/8\n::1/128\n");
    scene_start(&scene, "", "accept-proxy = @senders\n");
    struct session session = session_open(&scene);
    send_all(session.client, HEADER, sizeof HEADER - 1);
    receive_exactly(session.server, byte, sizeof HEADER - 1);
    ck_assert_mem_eq(byte, HEADER, sizeof HEADER - 1); /* payload */

    write_file(list, 0644, "127.0.0.1\nnonsense\n");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 2);
    ck_assert_ptr_nonnull(strstr(outcome.err, "senders:2: 'nonsense' is not an IP address"));
    session_works(&session);
    session_close(&session);

    write_file(list, 0644, "127.0.0.1\n");
    proxy_reload(&scene.proxy);
    session.client = connect_to(&scene.front);
    send_all(session.client, HEADER "x", sizeof HEADER);
    session.server = accept_from(scene.listener);
    receive_exactly(session.server, byte, 1);
    ck_assert_int_eq(byte[0], 'x');
    session_works(&session);
    session_close(&session);
    unlink(list);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 2);
    ck_assert_ptr_nonnull(strstr(outcome.err, "senders: No such file or directory"));
    proxy_stop(&scene.proxy);
}
END_TEST

/* A header is on its way while the process changes, and what it tells moves with the session: the
 * log of the last process has it. */
START_TEST(headers_live_through_reloads)
{
    enum { SESSIONS = 8, RELOADS = 3 };
    static const char id[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x16\xc0\0\x02\x07\xc6\x33\x64\x01"
                             "\x04\x57\x08\xae\x05\0\x07id-1234";
    struct session sessions[SESSIONS];
    struct scene scene;
    scene_start(&scene, "drain = handoff\n", "accept-proxy = 127.0.0.1\naccess-log = yes\n");
    for (unsigned i = 0; i < SESSIONS; i++) {
        sessions[i].client = connect_to(&scene.front);
        send_all(sessions[i].client, id, i * (sizeof id - 1) / SESSIONS);
    }
    proxy_reload(&scene.proxy);
    for (unsigned i = 0; i < SESSIONS; i++) {
        size_t sent = i * (sizeof id - 1) / SESSIONS;
        send_all(sessions[i].client, id + sent, sizeof id - 1 - sent);
        sessions[i].server = accept_from(scene.listener);
        session_works(&sessions[i]);
    }
    for (unsigned i = 0; i < RELOADS; i++) {
        proxy_reload(&scene.proxy);
        proxy_wait_drained(&scene.proxy);
        for (unsigned j = 0; j < SESSIONS; j++) {
            session_works(&sessions[j]);
        }
    }
    ck_assert_uint_eq(file_mentions(scene.proxy.log, " end="), 0);
    for (unsigned i = 0; i < SESSIONS; i++) {
        session_close(&sessions[i]);
    }
    char line[160];
    snprintf(line, sizeof line, "[generation %u] session ", 2 + RELOADS);
    wait_mentions(scene.proxy.log, " client=192.0.2.7:1111 ", SESSIONS);
    wait_mentions(scene.proxy.log, line, SESSIONS);
    wait_mentions(scene.proxy.log, " unique-id=id-1234 end=done", SESSIONS);
    wait_mentions(scene.proxy.log, " via=127.0.0.1:", SESSIONS);
    proxy_stop(&scene.proxy);
}
END_TEST

/* An access list, and the limit of an address, hold for the address that a header tells, and not
 * for that of the proxy that sends it. */
START_TEST(lists_and_limits_are_about_the_told_address)
{
    static const char denied[] = "PROXY TCP4 192.0.2.7 198.51.100.1 1111 2222\r\n";
    static const char other[] = "PROXY TCP4 203.0.113.9 198.51.100.1 1111 2222\r\n";
    static const char third[] = "PROXY TCP4 203.0.113.10 198.51.100.1 1111 2222\r\n";
    struct scene scene;
    scene_start(&scene, "",
                "accept-proxy = 127.0.0.1\naccess-log = yes\ndeny = 192.0.2.0/24\n"
                "max-sessions-per-source = 1\n");
    int client = connect_to(&scene.front);
    send_all(client, denied, sizeof denied - 1);
    expect_reset(client);
    close(client);
    struct session first = {.client = connect_to(&scene.front)};
    send_all(first.client, other, sizeof other - 1);
    first.server = accept_from(scene.listener);
    client = connect_to(&scene.front);
    send_all(client, other, sizeof other - 1);
    expect_reset(client);
    close(client);
    struct session second = {.client = connect_to(&scene.front)};
    send_all(second.client, third, sizeof third - 1);
    second.server = accept_from(scene.listener);
    session_works(&first);
    session_works(&second);
    session_close(&first);
    session_close(&second);
    wait_mentions(scene.proxy.log, "client=192.0.2.7:1111", 1);
    wait_mentions(scene.proxy.log, "client=203.0.113.9:1111", 2);
    wait_mentions(scene.proxy.log, "end=done", 2);
    wait_mentions(scene.proxy.log, "end=denied", 1);
    proxy_stop(&scene.proxy);
}
END_TEST

/* Two of our own, one behind the other, by a Unix socket: from client to server nothing is lost
 * while both reload, and each session tells its own address. */
START_TEST(proxies_in_a_row_reload)
{
    char path[PATH_MAX], told[128], expected[160];
    struct proxy first;
    struct scene last;
    test_path(path, "middle.sock");
    scene_init(&last);
    proxy_configure(&last.proxy,
                    "workers = 2\n[listen main]\nbind = unix:%s\naccept-proxy = any\n"
                    "access-log = yes\nserver = a 127.0.0.1:%u send-proxy=v1\n",
                    path, last.server_port);
    proxy_start(&last.proxy);
    proxy_init(&first, "first");
    proxy_configure(&first,
                    "workers = 2\n[listen main]\nbind = 127.0.0.1:%u\naccess-log = yes\n"
                    "server = a unix:%s send-proxy=v2 proxy-tlv=unique-id,crc32c\n",
                    last.port, path);
    proxy_start(&first);
    for (unsigned i = 0; i < scaled(20, 3); i++) {
        struct client client = client_to(last.port);
        struct session session = {.client = client.socket};
        if (i % 3 == 1) {
            proxy_reload(&first);
        } else if (i % 3 == 2) {
            proxy_reload(&last.proxy);
        }
        session.server = accept_from(last.listener);
        snprintf(expected, sizeof expected, "PROXY TCP4 " CLIENT_HOST " 127.0.0.1 %s %u\r\n",
                 strrchr(client.name, ':') + 1, last.port);
        receive_exactly(session.server, told, strlen(expected));
        ck_assert_mem_eq(told, expected, strlen(expected));
        session_works(&session);
        session_close(&session);
        snprintf(expected, sizeof expected, " client=%s ", client.name);
        wait_mentioned(first.log, expected);
        wait_mentioned(last.proxy.log, expected);
    }
    proxy_stop(&first);
    proxy_stop(&last.proxy);
}
END_TEST

/* Two of our own, with many sessions, some of them bulky, whose bytes are all compared, while both
 * hand their sessions off again and again. */
START_TEST(streams_behind_headers_move)
{
    struct proxy first, last;
    struct streams *streams = streams_create();
    uint16_t port = port_reserve(getuid()), middle = port_reserve(getuid());
    const struct endpoint front = endpoint_loopback(port);
    proxy_init(&last, "last");
    proxy_configure(&last,
                    "workers = 2\n[listen main]\nbind = 127.0.0.1:%u\naccept-proxy = any\n"
                    "access-log = yes\nserver = a 127.0.0.1:%u\n",
                    middle, streams_port(streams));
    proxy_start(&last);
    proxy_init(&first, "first");
    proxy_configure(&first,
                    "workers = 2\n[listen main]\nbind = 127.0.0.1:%u\naccess-log = yes\n"
                    "server = a 127.0.0.1:%u send-proxy=v2 proxy-tlv=unique-id,crc32c\n",
                    port, middle);
    proxy_start(&first);
    unsigned sessions = scaled(200, 40), rounds = scaled(6, 2);
    for (unsigned i = 0; i < rounds; i++) {
        streams_open(streams, &front, sessions / rounds);
        proxy_reload(&first);
        proxy_reload(&last);
        proxy_wait_drained(&first);
        proxy_wait_drained(&last);
        streams_wait_progress(streams, 10);
    }
    ck_assert_uint_eq(streams_lost(streams), 0);
    streams_finish(streams);
    wait_mentions(last.log, " end=done", sessions / rounds * rounds);
    wait_mentions(first.log, " end=done", sessions / rounds * rounds);
    wait_mentions(last.log, " unique-id=", sessions / rounds * rounds);
    wait_mentions(last.log, " via=127.0.0.1:", sessions / rounds * rounds);
    wait_mentions(first.log, " unique-id=", sessions / rounds * rounds);
    proxy_stop(&first);
    proxy_stop(&last);
}
END_TEST

Suite *proxy_protocol_suite(void)
{
    Suite *suite = suite_create("proxy_protocol");
    scenario_add(suite, unix_client_is_announced, 60);
    scenario_add(suite, bad_headers_hurt_nobody_else, 120);
    scenario_add(suite, silent_client_is_reset_after_inspect_timeout, 60);
    scenario_add(suite, list_of_senders_is_reloaded, 120);
    scenario_add(suite, headers_live_through_reloads, 180);
    scenario_add(suite, lists_and_limits_are_about_the_told_address, 60);
    scenario_add(suite, proxies_in_a_row_reload, 300);
    scenario_add(suite, streams_behind_headers_move, 300);
    return suite;
}
