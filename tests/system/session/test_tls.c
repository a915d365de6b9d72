/* TLS at both sides of a session. The test is the client and the server. */
#include "tests/system/scenarios.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/http.h"
#include "tests/system/support/net.h"
#include "tests/system/support/scene.h"
#include "tests/system/support/tls_peer.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- the proxy ends TLS towards its clients --- */

struct ends {
    struct scene scene;
    struct tls_peer client, upstream; /* upstream: where the server speaks TLS too */
    int server;
};

/* Keys of [listen main], whose bind has TLS with a.pem, in front of a server that has none. */
static void start(struct ends *ends, const char *rest)
{
    tls_certificate("a", "DNS:a.test,DNS:*.b.test");
    scene_init(&ends->scene);
    proxy_configure(&ends->scene.proxy,
                    "workers = 2\n[listen main]\nbind = 127.0.0.1:%u tls=yes\n"
                    "certificate = a.pem\nserver = a 127.0.0.1:%u\naccess-log = yes\n%s",
                    ends->scene.port, ends->scene.server_port, rest);
    proxy_start(&ends->scene.proxy);
}

static void come_in(struct ends *ends, int version)
{
    tls_client(&ends->client, connect_to(&ends->scene.front), "a.test", version);
    tls_shake(&ends->client);
    ends->server = accept_from(ends->scene.listener);
}

static void works(struct ends *ends)
{
    tls_exchange(&ends->client, ends->server);
}

/* More than all buffers on the way hold; the other side reads it when the test says so. */
enum { LARGE = 16 * 1024 * 1024 };

static unsigned char *large(void)
{
    unsigned char *bytes = malloc(LARGE);
    for (size_t i = 0; i < LARGE; i++)
        bytes[i] = (unsigned char)(i * 31 + i / 65537);
    return bytes;
}

struct sending {
    int fd;
    struct tls_peer *peer; /* NULL: to fd */
    const unsigned char *bytes;
};

static void *send_large(void *argument)
{
    struct sending *sending = argument;
    if (sending->peer)
        tls_send(sending->peer, sending->bytes, LARGE);
    else
        send_all(sending->fd, sending->bytes, LARGE);
    return NULL;
}

START_TEST(bytes_pass_both_ways)
{
    struct ends ends;
    unsigned char *bytes = large(), *got = malloc(LARGE);
    start(&ends, "");
    for (int version = 2; version <= 3; version++) {
        pthread_t thread;
        come_in(&ends, version);
        works(&ends);
        struct sending up = {.peer = &ends.client, .bytes = bytes};
        ck_assert_int_eq(pthread_create(&thread, NULL, send_large, &up), 0);
        receive_exactly(ends.server, got, LARGE);
        pthread_join(thread, NULL);
        ck_assert_int_eq(memcmp(got, bytes, LARGE), 0);
        memset(got, 0, LARGE);
        struct sending down = {.fd = ends.server, .bytes = bytes};
        ck_assert_int_eq(pthread_create(&thread, NULL, send_large, &down), 0);
        tls_receive_exactly(&ends.client, got, LARGE);
        pthread_join(thread, NULL);
        ck_assert_int_eq(memcmp(got, bytes, LARGE), 0);
        works(&ends);
        tls_close(&ends.client);
        close(ends.server);
    }
    free(bytes);
    free(got);
    proxy_stop(&ends.scene.proxy);
}
END_TEST

START_TEST(an_end_passes_both_ways)
{
    struct ends ends;
    char bytes[5];
    start(&ends, "");
    for (int version = 2; version <= 3; version++) {
        come_in(&ends, version);
        works(&ends);
        tls_say_end(&ends.client);
        expect_eof(ends.server);
        send_all(ends.server, "late", 5);
        close(ends.server);
        tls_receive_exactly(&ends.client, bytes, 5);
        ck_assert_str_eq(bytes, "late");
        tls_expect_end(&ends.client);
        tls_close(&ends.client);
    }
    wait_mentions(ends.scene.proxy.log, "end=done", 2);
    proxy_stop(&ends.scene.proxy);
}
END_TEST

static bool two_are_in_tls(void *argument)
{
    struct outcome outcome;
    unsigned count = 0;
    ck_assert_int_eq(proxy_command(argument, &outcome, "sessions", "state=tls", NULL), 0);
    for (const char *at = outcome.out; (at = strstr(at, " tls ")); at++)
        count++;
    return count == 2;
}

/* What was cut must not look complete. */
START_TEST(a_stream_without_an_end_was_cut)
{
    struct ends ends;
    char bytes[6];
    start(&ends, "");
    for (int version = 2; version <= 3; version++) {
        come_in(&ends, version);
        works(&ends);
        tls_send(&ends.client, "there", 6);
        shutdown(ends.client.fd, SHUT_WR);
        receive_exactly(ends.server, bytes, 6);
        expect_reset(ends.server);
        close(ends.server);
        tls_close(&ends.client);
        come_in(&ends, version);
        works(&ends);
        send_reset(ends.server);
        tls_expect_cut(&ends.client);
        tls_close(&ends.client);
    }
    wait_mentions(ends.scene.proxy.log, "end=client-reset", 2);
    wait_mentions(ends.scene.proxy.log, "end=server-reset", 2);
    proxy_stop(&ends.scene.proxy);
}
END_TEST

START_TEST(a_hello_may_come_byte_by_byte)
{
    struct ends ends;
    unsigned char hello[4096];
    start(&ends, "accept-proxy = any\n");
    tls_client(&ends.client, connect_to(&ends.scene.front), "a.test", 3);
    size_t length = tls_hello(&ends.client, hello, sizeof hello);
    static const char header[] = "PROXY TCP4 192.0.2.1 192.0.2.2 1111 443\r\n";
    for (size_t i = 0; i < sizeof header - 1; i++)
        send_all(ends.client.fd, header + i, 1);
    for (size_t i = 0; i < length; i++)
        send_all(ends.client.fd, hello + i, 1);
    tls_shake(&ends.client);
    ends.server = accept_from(ends.scene.listener);
    works(&ends);
    tls_close(&ends.client);
    close(ends.server);
    /* ... and in one piece, behind the header. */
    unsigned char both[sizeof header + sizeof hello];
    tls_client(&ends.client, connect_to(&ends.scene.front), "a.test", 3);
    length = tls_hello(&ends.client, hello, sizeof hello);
    memcpy(both, header, sizeof header - 1);
    memcpy(both + sizeof header - 1, hello, length);
    send_all(ends.client.fd, both, sizeof header - 1 + length);
    tls_shake(&ends.client);
    ends.server = accept_from(ends.scene.listener);
    works(&ends);
    tls_close(&ends.client);
    close(ends.server);
    wait_mentions(ends.scene.proxy.log, "client=192.0.2.1:1111", 2);
    proxy_stop(&ends.scene.proxy);
}
END_TEST

START_TEST(a_handshake_fails_or_comes_too_late)
{
    struct ends ends;
    unsigned char bytes[16];
    char rest[160];
    uint16_t port = port_reserve(getuid());
    struct endpoint hasty = endpoint_loopback(port);
    snprintf(rest, sizeof rest,
             "tls-timeout = 1h\n[frontend hasty]\nbind = 127.0.0.1:%u tls=yes\n"
             "certificate = a.pem\naccess-log = yes\nbackend = main\ntls-timeout = 50ms\n",
             port);
    start(&ends, rest);
    int client = connect_to(&ends.scene.front);
    send_all(client, "\x16\x03\x01\x00\x04\x01\x00\x00\x00", 9);
    receive_exactly(client, bytes, 7);
    ck_assert_uint_eq(bytes[0], 21); /* an alert */
    expect_eof(client);
    close(client);
    client = connect_to(&ends.scene.front);
    send_all(client, "GET / HTTP/1.0\r\n\r\n", 18);
    expect_eof(client);
    close(client);
    wait_mentions(ends.scene.proxy.log, "end=tls-failed", 2);
    expect_reset_at(&hasty);
    wait_mentioned(ends.scene.proxy.log, "end=tls-timeout");
    /* A client that leaves. */
    tls_client(&ends.client, connect_to(&ends.scene.front), "a.test", 3);
    unsigned char hello[4096];
    size_t length = tls_hello(&ends.client, hello, sizeof hello);
    send_all(ends.client.fd, hello, length / 2);
    tls_close(&ends.client);
    wait_mentions(ends.scene.proxy.log, "end=tls-failed", 3);
    ck_assert(!readable_within(ends.scene.listener, 0));
    proxy_stop(&ends.scene.proxy);
}
END_TEST

START_TEST(handshakes_at_once_are_limited)
{
    struct ends ends;
    start(&ends, "tls-handshakes = 2\n");
    int held[2];
    for (unsigned i = 0; i < 2; i++) {
        held[i] = connect_to(&ends.scene.front);
        send_all(held[i], "\x16", 1);
    }
    wait_until(two_are_in_tls, &ends.scene.proxy, "two handshakes are under way");
    for (unsigned i = 0; i < 3; i++) {
        int refused = connect_to(&ends.scene.front);
        expect_eof(refused);
        close(refused);
    }
    close(held[0]);
    wait_mentions(ends.scene.proxy.log, "end=tls-failed", 4);
    for (unsigned i = 0; i < 5; i++) { /* what is complete does not count */
        come_in(&ends, 3);
        works(&ends);
        tls_close(&ends.client);
        close(ends.server);
    }
    close(held[1]);
    wait_mentions(ends.scene.proxy.log, "end=tls-failed", 5);
    proxy_stop(&ends.scene.proxy);
}
END_TEST

/* Such a session stays where it is; new ones have the new certificate. */
START_TEST(sessions_stay_and_certificates_change_at_a_reload)
{
    struct ends ends, after;
    struct session plain;
    struct outcome outcome;
    char path[PATH_MAX];
    tls_certificate("a", "DNS:a.test");
    scene_init(&ends.scene);
    uint16_t port = port_reserve(getuid()), metrics_port = port_reserve(getuid());
    const struct endpoint metrics = endpoint_loopback(metrics_port);
    proxy_configure(
        &ends.scene.proxy,
        "workers = 2\nmetrics = 127.0.0.1:%u\n[listen main]\nbind = 127.0.0.1:%u tls=yes\n"
        "bind = 127.0.0.1:%u\ncertificate = a.pem\nserver = a 127.0.0.1:%u\n",
        metrics_port, ends.scene.port, port, ends.scene.server_port);
    proxy_start(&ends.scene.proxy);
    http_expect(&metrics, "/metrics", 200, "a.pem\",name=\"a.test\"}");
    come_in(&ends, 3);
    works(&ends);
    struct endpoint front = endpoint_loopback(port);
    plain = session_through(&front, ends.scene.listener);
    session_works(&plain);
    tls_certificate("a", "DNS:other.test");
    proxy_reload(&ends.scene.proxy);
    http_expect(&metrics, "/metrics", 200, "a.pem\",name=\"other.test\"}");
    after.scene = ends.scene;
    tls_client(&after.client, connect_to(&ends.scene.front), "a.test", 3);
    tls_shake(&after.client);
    after.server = accept_from(ends.scene.listener);
    ck_assert(tls_shows(&after.client, "other.test"));
    ck_assert(tls_shows(&ends.client, "a.test"));
    for (unsigned i = 0; i < 100; i++) {
        works(&ends);
        works(&after);
        session_works(&plain);
    }
    tls_close(&ends.client);
    close(ends.server);
    proxy_wait_drained(&ends.scene.proxy); /* the plain session has moved */
    works(&after);
    session_works(&plain);
    /* A broken file is refused, and the process serves on. */
    write_file(test_path(path, "a.pem"), 0644, "broken\n");
    ck_assert_int_eq(proxy_command(&ends.scene.proxy, &outcome, "reload", NULL), 2);
    ck_assert_ptr_nonnull(strstr(outcome.err, "a.pem"));
    works(&after);
    tls_close(&after.client);
    close(after.server);
    session_close(&plain);
    proxy_stop(&ends.scene.proxy);
}
END_TEST

START_TEST(routes_look_inside)
{
    struct ends ends;
    tls_certificate("a", "DNS:a.test");
    uint16_t other_port;
    int other = listen_loopback(&other_port);
    scene_init(&ends.scene);
    proxy_configure(&ends.scene.proxy,
                    "workers = 2\n[frontend main]\nbind = 127.0.0.1:%u tls=yes\n"
                    "certificate = a.pem\nroute = begins:HELO mail\nbackend = rest\n"
                    "inspect-timeout = 60s\n[backend mail]\nserver = m 127.0.0.1:%u\n"
                    "[backend rest]\nserver = r 127.0.0.1:%u\n",
                    ends.scene.port, other_port, ends.scene.server_port);
    proxy_start(&ends.scene.proxy);
    static const char *const words[] = {"HELO there", "GET / HTTP"};
    for (unsigned i = 0; i < 4; i++) {
        char bytes[10];
        tls_client(&ends.client, connect_to(&ends.scene.front), "a.test", i < 2 ? 2 : 3);
        tls_shake(&ends.client);
        tls_send(&ends.client, words[i % 2], 2);
        tls_send(&ends.client, words[i % 2] + 2, 8);
        ends.server = accept_from(i % 2 ? ends.scene.listener : other);
        receive_exactly(ends.server, bytes, 10);
        ck_assert_int_eq(memcmp(bytes, words[i % 2], 10), 0);
        works(&ends);
        tls_close(&ends.client);
        close(ends.server);
    }
    proxy_stop(&ends.scene.proxy);
}
END_TEST

/* A name decides at once, without a byte of what is inside. */
START_TEST(routes_know_the_name)
{
    struct ends ends;
    char bytes[6];
    tls_certificate("a", "DNS:a.test,DNS:*.b.test");
    uint16_t other_port;
    int other = listen_loopback(&other_port);
    scene_init(&ends.scene);
    proxy_configure(&ends.scene.proxy,
                    "workers = 2\n[frontend main]\nbind = 127.0.0.1:%u tls=yes\n"
                    "certificate = a.pem\ntls-alpn = imap, smtp\naccess-log = yes\n"
                    "route = sni:*.b.test other\nbackend = rest\ninspect-timeout = 60s\n"
                    "[backend other]\nserver = o 127.0.0.1:%u\n"
                    "[backend rest]\nserver = r 127.0.0.1:%u\n",
                    ends.scene.port, other_port, ends.scene.server_port);
    proxy_start(&ends.scene.proxy);
    static const char *const names[] = {"X.b.test", "a.test", NULL};
    for (unsigned i = 0; i < 3; i++) {
        tls_client(&ends.client, connect_to(&ends.scene.front), names[i], 3);
        tls_shake(&ends.client);
        ends.server = accept_from(i == 0 ? other : ends.scene.listener);
        send_all(ends.server, "first", 6);
        tls_receive_exactly(&ends.client, bytes, 6);
        works(&ends);
        tls_close(&ends.client);
        close(ends.server);
    }
    wait_mentioned(ends.scene.proxy.log, " sni=x.b.test ");
    wait_mentioned(ends.scene.proxy.log, " sni=a.test ");
    proxy_stop(&ends.scene.proxy);
}
END_TEST

/* --- ... and speaks it with servers --- */

static void start_upstream(struct ends *ends, const char *attributes, bool outside)
{
    tls_certificate("s", "DNS:s.test,IP:127.0.0.1");
    tls_certificate("a", "DNS:a.test");
    scene_init(&ends->scene);
    proxy_configure(&ends->scene.proxy,
                    "workers = 2\n[listen main]\nbind = 127.0.0.1:%u%s\n%s"
                    "server = a 127.0.0.1:%u tls=yes %s\nretries = 0\naccess-log = yes\n",
                    ends->scene.port, outside ? " tls=yes" : "",
                    outside ? "certificate = a.pem\n" : "", ends->scene.server_port, attributes);
    proxy_start(&ends->scene.proxy);
}

static void meet(struct ends *ends)
{
    tls_server(&ends->upstream, accept_from(ends->scene.listener), "s");
    tls_shake(&ends->upstream);
}

START_TEST(a_server_may_speak_tls)
{
    struct ends ends;
    char bytes[6];
    start_upstream(&ends, "verify=s.pem sni=s.test", false);
    for (unsigned i = 0; i < 3; i++) {
        int client = connect_to(&ends.scene.front);
        if (i == 1)
            send_all(client, "there", 6);
        meet(&ends);
        if (i == 2) {
            tls_send(&ends.upstream, "first", 6);
            receive_exactly(client, bytes, 6);
            ck_assert_str_eq(bytes, "first");
        }
        if (i != 1)
            send_all(client, "there", 6);
        tls_receive_exactly(&ends.upstream, bytes, 6);
        ck_assert_str_eq(bytes, "there");
        tls_send(&ends.upstream, "back!", 6);
        receive_exactly(client, bytes, 6);
        ck_assert_str_eq(bytes, "back!");
        shutdown(client, SHUT_WR);
        tls_expect_end(&ends.upstream);
        tls_send(&ends.upstream, "late!", 6);
        tls_say_end(&ends.upstream);
        receive_exactly(client, bytes, 6);
        ck_assert_str_eq(bytes, "late!");
        expect_eof(client);
        close(client);
        tls_close(&ends.upstream);
    }
    wait_mentions(ends.scene.proxy.log, "end=done", 3);
    proxy_stop(&ends.scene.proxy);
}
END_TEST

START_TEST(tls_on_both_sides)
{
    struct ends ends;
    unsigned char *bytes = large(), *got = malloc(LARGE);
    pthread_t thread;
    start_upstream(&ends, "verify=s.pem", true);
    tls_client(&ends.client, connect_to(&ends.scene.front), "a.test", 3);
    tls_shake(&ends.client);
    meet(&ends);
    struct sending up = {.peer = &ends.client, .bytes = bytes};
    ck_assert_int_eq(pthread_create(&thread, NULL, send_large, &up), 0);
    tls_receive_exactly(&ends.upstream, got, LARGE);
    pthread_join(thread, NULL);
    ck_assert_int_eq(memcmp(got, bytes, LARGE), 0);
    tls_say_end(&ends.client);
    tls_expect_end(&ends.upstream);
    tls_close(&ends.upstream); /* without an end */
    tls_expect_cut(&ends.client);
    tls_close(&ends.client);
    free(bytes);
    free(got);
    proxy_stop(&ends.scene.proxy);
}
END_TEST

START_TEST(a_header_goes_before_the_handshake)
{
    struct ends ends;
    char bytes[64] = "";
    start_upstream(&ends, "verify=none send-proxy=v1", false);
    int client = connect_to(&ends.scene.front);
    send_all(client, "there", 6);
    int server = accept_from(ends.scene.listener);
    for (size_t i = 0; !strchr(bytes, '\n'); i++)
        receive_exactly(server, bytes + i, 1);
    ck_assert_int_eq(strncmp(bytes, "PROXY TCP4 127.0.0.1 ", 21), 0);
    tls_server(&ends.upstream, server, "s");
    tls_shake(&ends.upstream);
    tls_receive_exactly(&ends.upstream, bytes, 6);
    ck_assert_str_eq(bytes, "there");
    close(client);
    tls_close(&ends.upstream);
    proxy_stop(&ends.scene.proxy);
}
END_TEST

/* The client is refused, and the log says why. */
static void is_refused(const char *attributes, const char *why)
{
    struct ends ends;
    start_upstream(&ends, attributes, false);
    int client = connect_to(&ends.scene.front);
    tls_server(&ends.upstream, accept_from(ends.scene.listener), "s");
    (void)tls_try(&ends.upstream);
    expect_reset(client);
    close(client);
    tls_close(&ends.upstream);
    wait_mentioned(ends.scene.proxy.log, "end=refused");
    wait_mentioned(ends.scene.proxy.log, why);
    proxy_stop(&ends.scene.proxy);
}

START_TEST(a_server_shows_another_certificate)
{
    is_refused("verify=a.pem", "self-signed certificate");
}
END_TEST

START_TEST(a_server_has_another_name)
{
    is_refused("verify=s.pem sni=other.test", "hostname mismatch");
}
END_TEST

/* --- what a process without TLS is spared --- */

static bool has_openssl(const struct proxy *proxy)
{
    static char maps[1 << 20];
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/maps", (int)proxy->pid);
    ck_assert_uint_gt(read_file(path, maps, sizeof maps), 0);
    ck_assert_ptr_nonnull(strstr(maps, "libevent"));
    return strstr(maps, "libssl") || strstr(maps, "libcrypto");
}

/* Elsewhere it is linked: config/base/openssl.h. */
#ifdef __x86_64__
#define LOADED_LATE true
#else
#define LOADED_LATE false
#endif

/* Passwords call it while clients are served only, and its file may have gone by then. */
START_TEST(openssl_is_loaded_where_it_is_needed)
{
    struct scene scene;
    char users[PATH_MAX], metrics[PATH_MAX + 64];
    tls_certificate("a", "DNS:a.test");
    write_file(test_path(users, "users"), 0600, "me:$5$salt$%043d\n", 0);
    snprintf(metrics, sizeof metrics, "metrics = 127.0.0.1:%u\nmetrics-auth = %s\n",
             port_reserve(getuid()), users);
    scene_init(&scene);
    const struct {
        const char *global, *bind;
        bool needed;
    } cases[] = {{"", "", false},
                 {metrics, "", true},
                 {"", "", false},
                 {"", "tls=yes\ncertificate = a.pem", true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        proxy_configure(&scene.proxy,
                        "%s[listen main]\nbind = 127.0.0.1:%u %s\nserver = a 127.0.0.1:%u\n",
                        cases[i].global, scene.port, cases[i].bind, scene.server_port);
        if (i == 0)
            proxy_start(&scene.proxy);
        else
            proxy_reload(&scene.proxy);
        ck_assert_int_eq(has_openssl(&scene.proxy), cases[i].needed || !LOADED_LATE);
        proxy_wait_drained(&scene.proxy);
    }
    proxy_stop(&scene.proxy);
}
END_TEST

Suite *tls_suite(void)
{
    Suite *suite = suite_create("tls");
    scenario_add(suite, bytes_pass_both_ways, 240);
    scenario_add(suite, an_end_passes_both_ways, 120);
    scenario_add(suite, a_stream_without_an_end_was_cut, 120);
    scenario_add(suite, a_hello_may_come_byte_by_byte, 120);
    scenario_add(suite, a_handshake_fails_or_comes_too_late, 120);
    scenario_add(suite, handshakes_at_once_are_limited, 120);
    scenario_add(suite, sessions_stay_and_certificates_change_at_a_reload, 120);
    scenario_add(suite, routes_look_inside, 120);
    scenario_add(suite, routes_know_the_name, 120);
    scenario_add(suite, a_server_may_speak_tls, 120);
    scenario_add(suite, tls_on_both_sides, 240);
    scenario_add(suite, a_header_goes_before_the_handshake, 120);
    scenario_add(suite, a_server_shows_another_certificate, 120);
    scenario_add(suite, a_server_has_another_name, 120);
    scenario_add(suite, openssl_is_loaded_where_it_is_needed, 120);
    return suite;
}
