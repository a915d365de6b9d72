/* What TLS shows: in the log, to routes, to servers by PROXY headers, in figures and commands. The
 * test is the client, by OpenSSL, and the server. */
#include "tests/system/scenarios.h"
#include "tests/system/support/authority.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/http.h"
#include "tests/system/support/net.h"
#include "tests/system/support/peers.h"
#include "tests/system/support/scene.h"
#include "tests/system/support/tls_peer.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct ends {
    struct scene scene;
    struct tls_peer client;
    int server;
};

/* --- certificates of clients ----------------------------------------------------------------- */

static void show(const struct tls_peer *peer, const char *name)
{
    char file[64], path[PATH_MAX];
    snprintf(file, sizeof file, "%s.pem", name);
    ck_assert_int_eq(SSL_use_certificate_file(peer->ssl, test_path(path, file), SSL_FILETYPE_PEM),
                     1);
    snprintf(file, sizeof file, "%s.pem.key", name);
    ck_assert_int_eq(SSL_use_PrivateKey_file(peer->ssl, test_path(path, file), SSL_FILETYPE_PEM),
                     1);
}

/* --- scenes ---------------------------------------------------------------------------------- */

/* Lines of the file after `rest` belong to the last section of it. */
static void start(struct ends *ends, const char *global, const char *rest)
{
    tls_certificate("a", "DNS:a.test");
    scene_init(&ends->scene);
    proxy_configure(&ends->scene.proxy,
                    "workers = 2\n%s[listen main]\nbind = 127.0.0.1:%u tls=yes\n"
                    "certificate = a.pem\naccess-log = yes\nserver = a 127.0.0.1:%u %s\n",
                    global, ends->scene.port, ends->scene.server_port, rest);
    proxy_start(&ends->scene.proxy);
}

static void begin(struct ends *ends, const char *certificate, int version)
{
    tls_client(&ends->client, connect_to(&ends->scene.front), "a.test", version);
    if (certificate)
        show(&ends->client, certificate);
}

static void works(struct ends *ends)
{
    tls_exchange(&ends->client, ends->server);
}

static void finish(struct ends *ends)
{
    tls_say_end(&ends->client);
    close(ends->server);
    tls_expect_end(&ends->client);
    tls_close(&ends->client);
}

static void one_session(struct ends *ends, const char *certificate, int version)
{
    begin(ends, certificate, version);
    tls_shake(&ends->client);
    ends->server = accept_from(ends->scene.listener);
    works(ends);
    finish(ends);
}

/* The proxy refuses this client, and the log says why. A client of TLS 1.3 learns it later. */
static void refused(struct ends *ends, const char *certificate, int version, const char *why)
{
    char byte, expected[128];
    begin(ends, certificate, version);
    if (tls_try(&ends->client))
        ck_assert_int_le(SSL_read(ends->client.ssl, &byte, 1), 0);
    tls_close(&ends->client);
    snprintf(expected, sizeof expected, " tls-error=\"%s\" ", why);
    wait_mentioned(ends->scene.proxy.log, expected);
}

/* --- the log --------------------------------------------------------------------------------- */

START_TEST(the_log_has_what_was_shown)
{
    struct ends ends;
    authority_make("ca");
    authority_issue_subject("ca", "me.pem", "/O=Test/CN=other/CN=My \"own\" end=done", false);
    start(&ends, "", "\nclient-ca = ca.pem\nclient-verify = optional\n");
    one_session(&ends, "me", 2);
    wait_mentioned(ends.scene.proxy.log, " tls-version=TLSv1.2 tls-cipher=ECDHE-ECDSA-AES256-GCM");
    wait_mentioned(ends.scene.proxy.log, " client-cert=\"My \\x22own\\x22 end=done\" ");
    one_session(&ends, NULL, 3);
    wait_mentioned(ends.scene.proxy.log, " tls-version=TLSv1.3 tls-cipher=TLS_AES_");
    wait_mentions(ends.scene.proxy.log, " client-cert=", 1);
    ck_assert_uint_eq(file_mentions(ends.scene.proxy.log, " tls-resumed="), 0);
    /* Resumed, with what was verified then. */
    begin(&ends, "me", 2);
    tls_shake(&ends.client);
    SSL_SESSION *earlier = SSL_get1_session(ends.client.ssl);
    ends.server = accept_from(ends.scene.listener);
    works(&ends);
    finish(&ends);
    begin(&ends, NULL, 2);
    ck_assert_int_eq(SSL_set_session(ends.client.ssl, earlier), 1);
    tls_shake(&ends.client);
    ck_assert(SSL_session_reused(ends.client.ssl));
    ends.server = accept_from(ends.scene.listener);
    finish(&ends);
    SSL_SESSION_free(earlier);
    wait_mentioned(ends.scene.proxy.log, " tls-resumed=1 client-cert=\"My ");
    proxy_stop(&ends.scene.proxy);
}
END_TEST

START_TEST(json_and_patterns_have_it_too)
{
    struct ends ends;
    authority_make("ca");
    authority_issue_subject("ca", "me.pem", "/O=A, B/CN=Zo\xc3\xab \"x\"", false);
    start(&ends, "log-format = json\n", "\nclient-ca = ca.pem\n");
    one_session(&ends, "me", 3);
    wait_mentioned(
        ends.scene.proxy.log,
        "\"tls_resumed\":0,\"client_cert\":\"Zo\xc3\xab \\\"x\\\"\","
        "\"client_subject\":\"CN=Zo\xc3\xab \\\\\\\"x\\\\\\\",O=A\\\\, B\",\"tls_error\":null,"
        "\"server_tls_version\":null,");
    proxy_configure(&ends.scene.proxy,
                    "workers = 2\nlog-format = <%%{tls_version} %%{client_cert} %%{client_subject} "
                    "%%{tls_error}>\n"
                    "[listen main]\nbind = 127.0.0.1:%u tls=yes\ncertificate = a.pem\n"
                    "client-ca = ca.pem\naccess-log = yes\nserver = a 127.0.0.1:%u\n",
                    ends.scene.port, ends.scene.server_port);
    proxy_reload(&ends.scene.proxy);
    one_session(&ends, "me", 3);
    wait_mentioned(ends.scene.proxy.log, "<TLSv1.3 Zo\xc3\xab \\x22x\\x22 CN=Zo\xc3\xab \\");
    proxy_stop(&ends.scene.proxy);
}
END_TEST

START_TEST(failures_are_told_and_counted)
{
    struct ends ends;
    char global[64];
    uint16_t port = port_reserve(getuid());
    const struct endpoint metrics = endpoint_loopback(port);
    authority_make("ca");
    authority_make("other");
    authority_issue_subject("ca", "old.pem", "/CN=old", true);
    authority_issue_subject("other", "strange.pem", "/CN=strange", false);
    snprintf(global, sizeof global, "metrics = 127.0.0.1:%u\n", port);
    start(&ends, global, "\nclient-ca = ca.pem\ntls-alpn = imap\ntls-unknown-name = reject\n");
    refused(&ends, NULL, 2, "peer did not return a certificate");
    refused(&ends, "old", 3, "certificate has expired");
    refused(&ends, "strange", 2, "unable to get local issuer certificate");
    int client = connect_to(&ends.scene.front);
    send_all(client, "GET / HTTP/1.0\r\n\r\n", 18);
    expect_eof(client);
    close(client);
    wait_mentioned(ends.scene.proxy.log, " tls-error=\"http request\" ");
    client = connect_to(&ends.scene.front);
    shutdown(client, SHUT_WR);
    expect_eof(client);
    close(client);
    wait_mentioned(ends.scene.proxy.log, " tls-error=\"the client ended the connection\" ");
    tls_client(&ends.client, connect_to(&ends.scene.front), "B.test", 2);
    ck_assert(!tls_try(&ends.client));
    tls_close(&ends.client);
    wait_mentioned(ends.scene.proxy.log, " tls-error=\"no certificate has the server name\" "
                                         "termination=PR in=0 out=0 retries=0 sni=b.test ");
    begin(&ends, NULL, 2);
    ck_assert_int_eq(SSL_set_alpn_protos(ends.client.ssl, (const unsigned char *)"\4smtp", 5), 0);
    ck_assert(!tls_try(&ends.client));
    tls_close(&ends.client);
    begin(&ends, NULL, 2);
    ck_assert_int_eq(SSL_set_cipher_list(ends.client.ssl, "AES128-SHA"), 1);
    ck_assert(!tls_try(&ends.client));
    tls_close(&ends.client);
    static const char *const reasons[] = {"no-certificate", "expired", "authority", "not-tls",
                                          "ended",          "name",    "alpn",      "cipher"};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        char series[128];
        snprintf(series, sizeof series,
                 "rpproxy_frontend_tls_failures_total{frontend=\"main\",reason=\"%s\"} 1\n",
                 reasons[i]);
        http_wait(&metrics, "/metrics", 200, series);
    }
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(&ends.scene.proxy, &outcome, "status", "--json", NULL), 0);
    ck_assert_ptr_nonnull(strstr(outcome.out, "\"no-certificate\": 1"));
    http_expect(&metrics, "/metrics", 200,
                "rpproxy_frontend_tls_failures_total{frontend=\"main\",reason=\"other\"} 0\n");
    proxy_stop(&ends.scene.proxy);
}
END_TEST

static bool one_is_in_tls(void *argument)
{
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(argument, &outcome, "sessions", "state=tls", NULL), 0);
    return strstr(outcome.out, " tls ") != NULL;
}

START_TEST(limits_are_counted)
{
    struct ends ends;
    char global[64];
    uint16_t port = port_reserve(getuid());
    const struct endpoint metrics = endpoint_loopback(port);
    snprintf(global, sizeof global, "metrics = 127.0.0.1:%u\n", port);
    char rest[256];
    uint16_t hasty_port = port_reserve(getuid());
    const struct endpoint hasty = endpoint_loopback(hasty_port);
    snprintf(rest, sizeof rest,
             "\ntls-handshakes = 1\ntls-timeout = 1h\n[frontend hasty]\n"
             "bind = 127.0.0.1:%u tls=yes\ncertificate = a.pem\nbackend = main\n"
             "tls-timeout = 50ms\n",
             hasty_port);
    start(&ends, global, rest);
    int held = connect_to(&ends.scene.front);
    send_all(held, "\x16", 1);
    wait_until(one_is_in_tls, &ends.scene.proxy, "a handshake is under way");
    int refused = connect_to(&ends.scene.front);
    expect_eof(refused);
    close(refused);
    wait_mentioned(ends.scene.proxy.log, " tls-error=\"tls-handshakes are under way\" ");
    expect_reset_at(&hasty);
    http_wait(&metrics, "/metrics", 200,
              "rpproxy_frontend_tls_failures_total{frontend=\"hasty\",reason=\"timeout\"} 1\n");
    http_expect(&metrics, "/metrics", 200,
                "rpproxy_frontend_tls_failures_total{frontend=\"main\",reason=\"limit\"} 1\n");
    close(held);
    proxy_stop(&ends.scene.proxy);
}
END_TEST

START_TEST(failures_of_servers_are_counted)
{
    struct ends ends;
    struct tls_peer upstream;
    uint16_t port = port_reserve(getuid());
    const struct endpoint metrics = endpoint_loopback(port);
    tls_certificate("s", "DNS:s.test");
    scene_init(&ends.scene);
    proxy_configure(&ends.scene.proxy,
                    "workers = 2\nmetrics = 127.0.0.1:%u\n[listen main]\nbind = 127.0.0.1:%u\n"
                    "access-log = yes\nretries = 0\n"
                    "server = a 127.0.0.1:%u tls=yes verify=s.pem sni=%s\n",
                    port, ends.scene.port, ends.scene.server_port, "other.test");
    proxy_start(&ends.scene.proxy);
    int client = connect_to(&ends.scene.front);
    tls_server(&upstream, accept_from(ends.scene.listener), "s");
    (void)tls_try(&upstream);
    expect_reset(client);
    close(client);
    tls_close(&upstream);
    http_wait(&metrics, "/metrics", 200,
              "rpproxy_backend_tls_failures_total{backend=\"main\",reason=\"wrong-name\"} 1\n");
    proxy_configure(&ends.scene.proxy,
                    "workers = 2\n[listen main]\nbind = 127.0.0.1:%u\naccess-log = yes\n"
                    "server = a 127.0.0.1:%u tls=yes verify=s.pem sni=s.test\n",
                    ends.scene.port, ends.scene.server_port);
    proxy_reload(&ends.scene.proxy);
    client = connect_to(&ends.scene.front);
    tls_server(&upstream, accept_from(ends.scene.listener), "s");
    tls_shake(&upstream);
    tls_send(&upstream, "hello", 6);
    char bytes[6];
    receive_exactly(client, bytes, 6);
    close(client);
    tls_close(&upstream);
    wait_mentioned(ends.scene.proxy.log, " server-tls-version=TLSv1.3 server-tls-cipher=TLS_AES_");
    proxy_stop(&ends.scene.proxy);
}
END_TEST

/* --- routes ---------------------------------------------------------------------------------- */

START_TEST(routes_ask_for_the_certificate)
{
    struct ends ends;
    uint16_t ports[2];
    int listeners[3] = {listen_loopback(&ports[0]), listen_loopback(&ports[1])};
    tls_certificate("a", "DNS:a.test");
    authority_make("ca");
    authority_issue_subject("ca", "sensor.pem", "/CN=Sensor7.example.org", false);
    authority_issue_subject("ca", "person.pem", "/CN=John Smith", false);
    scene_init(&ends.scene);
    listeners[2] = ends.scene.listener;
    proxy_configure(&ends.scene.proxy,
                    "workers = 2\n[frontend main]\nbind = 127.0.0.1:%u tls=yes\n"
                    "certificate = a.pem\nclient-ca = ca.pem\nclient-verify = optional\n"
                    "route = client-cert:*.example.org sensors\nroute = client-cert:yes people\n"
                    "backend = rest\n[backend sensors]\nserver = a 127.0.0.1:%u\n"
                    "[backend people]\nserver = a 127.0.0.1:%u\n"
                    "[backend rest]\nserver = a 127.0.0.1:%u\n",
                    ends.scene.port, ports[0], ports[1], ends.scene.server_port);
    proxy_start(&ends.scene.proxy);
    static const char *const shown[] = {"sensor", "person", NULL};
    for (unsigned i = 0; i < 6; i++) {
        begin(&ends, shown[i % 3], i < 3 ? 2 : 3);
        tls_shake(&ends.client);
        ends.server = accept_from(listeners[i % 3]);
        works(&ends);
        finish(&ends);
    }
    proxy_stop(&ends.scene.proxy);
}
END_TEST

/* One name ends here, another one goes to its server with its TLS. */
static void start_both(struct ends *ends, const char *rest)
{
    tls_certificate("a", "DNS:a.test");
    tls_certificate("s", "DNS:s.test");
    scene_init(&ends->scene);
    proxy_configure(&ends->scene.proxy,
                    "workers = 2\n[listen main]\nbind = 127.0.0.1:%u\naccess-log = yes\n%s"
                    "certificate = a.pem\nroute = sni:a.test tls:terminate main\n"
                    "server = a 127.0.0.1:%u\n",
                    ends->scene.port, rest, ends->scene.server_port);
    proxy_start(&ends->scene.proxy);
}

START_TEST(one_name_ends_here_and_others_pass)
{
    struct ends ends;
    start_both(&ends, "");
    for (int version = 2; version <= 3; version++) {
        one_session(&ends, NULL, version);
        wait_mentions(ends.scene.proxy.log, " sni=a.test ", (unsigned)version - 1);
        tls_client(&ends.client, connect_to(&ends.scene.front), "s.test", version);
        unsigned char hello[4096], passed[4096];
        size_t length = tls_hello(&ends.client, hello, sizeof hello);
        send_all(ends.client.fd, hello, length);
        int server = accept_from(ends.scene.listener);
        receive_exactly(server, passed, length);
        ck_assert_mem_eq(passed, hello, length);
        close(server);
        tls_close(&ends.client);
    }
    /* In pieces, and the first of them alone. */
    unsigned char hello[4096];
    tls_client(&ends.client, connect_to(&ends.scene.front), "a.test", 3);
    size_t length = tls_hello(&ends.client, hello, sizeof hello);
    for (size_t i = 0; i < length; i++)
        send_all(ends.client.fd, hello + i, 1);
    tls_shake(&ends.client);
    ends.server = accept_from(ends.scene.listener);
    works(&ends);
    finish(&ends);
    /* A client that says no more than its hello, and one that is no TLS. */
    tls_client(&ends.client, connect_to(&ends.scene.front), "a.test", 3);
    length = tls_hello(&ends.client, hello, sizeof hello);
    send_all(ends.client.fd, hello, length);
    shutdown(ends.client.fd, SHUT_WR);
    wait_mentioned(ends.scene.proxy.log, " tls-error=\"the client ended the connection\" ");
    tls_close(&ends.client);
    int plain = connect_to(&ends.scene.front);
    send_all(plain, "hello", 6);
    ends.server = accept_from(ends.scene.listener);
    char bytes[6];
    receive_exactly(ends.server, bytes, 6);
    close(ends.server);
    close(plain);
    proxy_stop(&ends.scene.proxy);
}
END_TEST

START_TEST(what_ends_here_comes_behind_a_header)
{
    struct ends ends;
    unsigned char both[8192];
    static const char header[] = "PROXY TCP4 192.0.2.1 192.0.2.2 1111 443\r\n";
    start_both(&ends, "accept-proxy = any\ntls-handshakes = 1\n");
    for (unsigned i = 0; i < 3; i++) {
        tls_client(&ends.client, connect_to(&ends.scene.front), "a.test", 3);
        memcpy(both, header, sizeof header - 1);
        size_t length = tls_hello(&ends.client, both + sizeof header - 1, 4096);
        send_all(ends.client.fd, both, sizeof header - 1 + length);
        tls_shake(&ends.client);
        ends.server = accept_from(ends.scene.listener);
        works(&ends);
        finish(&ends);
    }
    wait_mentions(ends.scene.proxy.log, " client=192.0.2.1:1111 ", 3);
    proxy_stop(&ends.scene.proxy);
}
END_TEST

/* --- PROXY headers --------------------------------------------------------------------------- */

/* Reads a header of version 2, and returns the value of the TLV of that type; NULL: it has none. */
static const unsigned char *read_tlv(int socket, unsigned char type, unsigned char bytes[16384],
                                     size_t *length)
{
    receive_exactly(socket, bytes, 16);
    size_t rest = (size_t)bytes[14] << 8 | bytes[15];
    ck_assert_uint_le(rest, 16384 - 16);
    receive_exactly(socket, bytes + 16, rest);
    for (size_t at = bytes[13] == 0x11 ? 28 : 16; at + 3 <= 16 + rest; at += 3 + *length) {
        *length = (size_t)bytes[at + 1] << 8 | bytes[at + 2];
        if (bytes[at] == type)
            return bytes + at + 3;
    }
    return NULL;
}

static void expect_inside(const unsigned char *ssl, size_t length, unsigned char type,
                          const char *text)
{
    for (size_t at = 5, size; at + 3 <= length; at += 3 + size) {
        size = (size_t)ssl[at + 1] << 8 | ssl[at + 2];
        if (ssl[at] != type)
            continue;
        ck_assert_uint_eq(size, strlen(text));
        ck_assert_mem_eq(ssl + at + 3, text, size);
        return;
    }
    ck_assert_msg(false, "no %#x", type);
}

START_TEST(servers_are_told)
{
    struct ends ends;
    unsigned char bytes[16384];
    size_t length = 0;
    authority_make("ca");
    authority_issue_subject("ca", "me.pem", "/CN=It is me", false);
    start(&ends, "",
          "send-proxy=v2 proxy-tlv=ssl,crc32c\nclient-ca = ca.pem\n"
          "client-verify = optional\ntls-max = 1.2\n");
    begin(&ends, "me", 2);
    tls_shake(&ends.client);
    SSL_SESSION *earlier = SSL_get1_session(ends.client.ssl);
    ends.server = accept_from(ends.scene.listener);
    const unsigned char *ssl = read_tlv(ends.server, 0x20, bytes, &length);
    ck_assert_ptr_nonnull(ssl);
    ck_assert_mem_eq(ssl, "\7\0\0\0\0", 5);
    expect_inside(ssl, length, 0x21, "TLSv1.2");
    expect_inside(ssl, length, 0x22, "It is me");
    expect_inside(ssl, length, 0x23, "ECDHE-ECDSA-AES256-GCM-SHA384");
    expect_inside(ssl, length, 0x24, "ecdsa-with-SHA256");
    expect_inside(ssl, length, 0x25, "EC256");
    finish(&ends);
    begin(&ends, NULL, 2);
    ck_assert_int_eq(SSL_set_session(ends.client.ssl, earlier), 1);
    tls_shake(&ends.client);
    ends.server = accept_from(ends.scene.listener);
    ssl = read_tlv(ends.server, 0x20, bytes, &length);
    ck_assert_ptr_nonnull(ssl);
    ck_assert_mem_eq(ssl, "\5\0\0\0\0", 5);
    expect_inside(ssl, length, 0x22, "It is me");
    finish(&ends);
    SSL_SESSION_free(earlier);
    begin(&ends, NULL, 2);
    tls_shake(&ends.client);
    ends.server = accept_from(ends.scene.listener);
    ssl = read_tlv(ends.server, 0x20, bytes, &length);
    ck_assert_ptr_nonnull(ssl);
    ck_assert_mem_eq(ssl, "\1\0\0\0\1", 5);
    finish(&ends);
    proxy_stop(&ends.scene.proxy);
}
END_TEST

/* HAProxy with the same certificate tells the same; and what it tells is passed on. */
START_TEST(haproxy_tells_the_same)
{
    struct ends ends;
    char sections[2048], pem[PATH_MAX], ca[PATH_MAX];
    unsigned char own[16384], theirs[16384];
    size_t own_length = 0, length = 0;
    if (haproxy_program() == NULL)
        skip_test("no HAProxy");
    authority_make("ca");
    authority_issue_subject("ca", "me.pem", "/CN=It is me", false);
    start(&ends, "",
          "send-proxy=v2 proxy-tlv=ssl\nclient-ca = ca.pem\ntls-max = 1.2\naccept-proxy = no\n");
    uint16_t ready = port_reserve(getuid()), port = port_reserve(getuid()),
             last_port = port_reserve(getuid());
    int last = ends.scene.listener;
    struct proxy passing;
    proxy_init(&passing, "passing");
    proxy_configure(&passing,
                    "workers = 1\n[listen main]\nbind = 127.0.0.1:%u\naccept-proxy = any\n"
                    "server = a 127.0.0.1:%u send-proxy=v2 proxy-tlv=ssl\n",
                    last_port, ends.scene.server_port);
    proxy_start(&passing);
    snprintf(sections, sizeof sections,
             "frontend ready\n bind 127.0.0.1:%u accept-proxy\n default_backend b\n"
             "frontend first\n bind 127.0.0.1:%u ssl crt %s ca-file %s verify required "
             "ssl-max-ver TLSv1.2\n default_backend b\n"
             "backend b\n server s 127.0.0.1:%u send-proxy-v2 "
             "proxy-v2-options ssl,cert-cn,ssl-cipher,cert-sig,cert-key\n",
             ready, port, test_path(pem, "a.pem"), test_path(ca, "ca.pem"), last_port);
    haproxy_start(ready, sections);
    begin(&ends, "me", 2);
    tls_shake(&ends.client);
    ends.server = accept_from(last);
    const unsigned char *ssl = read_tlv(ends.server, 0x20, own, &own_length);
    ck_assert_ptr_nonnull(ssl);
    finish(&ends);
    const struct endpoint front = endpoint_loopback(port);
    tls_client(&ends.client, connect_to(&front), "a.test", 2);
    show(&ends.client, "me");
    tls_shake(&ends.client);
    ends.server = accept_from(last);
    const unsigned char *passed = read_tlv(ends.server, 0x20, theirs, &length);
    ck_assert_ptr_nonnull(passed);
    ck_assert_uint_eq(length, own_length);
    ck_assert_mem_eq(passed, ssl, 5);
    static const unsigned char types[] = {0x21, 0x22, 0x23, 0x24, 0x25};
    for (size_t i = 0; i < sizeof types; i++)
        for (size_t at = 5, size; at + 3 <= length; at += 3 + size) {
            char text[256];
            size = passed[at + 2];
            snprintf(text, sizeof text, "%.*s", (int)size, (const char *)passed + at + 3);
            if (passed[at] == types[i])
                expect_inside(ssl, own_length, types[i], text);
        }
    tls_close(&ends.client);
    close(ends.server);
    proxy_stop(&passing);
    proxy_stop(&ends.scene.proxy);
}
END_TEST

/* --- commands -------------------------------------------------------------------------------- */

static bool status_says_why(void *argument)
{
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(argument, &outcome, "status", NULL), 0);
    return strstr(outcome.out, "generation 1 has 1 session whose TLS ends there: it cannot move");
}

START_TEST(commands_show_it)
{
    struct ends ends;
    struct outcome outcome;
    start(&ends, "", "\n");
    begin(&ends, NULL, 3);
    tls_shake(&ends.client);
    ends.server = accept_from(ends.scene.listener);
    works(&ends);
    ck_assert_int_eq(proxy_command(&ends.scene.proxy, &outcome, "sessions", NULL), 0);
    ck_assert_ptr_nonnull(strstr(outcome.out, " TLSv1.3\n"));
    ck_assert_int_eq(proxy_command(&ends.scene.proxy, &outcome, "sessions", "--json", NULL), 0);
    ck_assert_ptr_nonnull(strstr(outcome.out, "\"tls\":\"TLSv1.3\""));
    ck_assert_int_eq(proxy_command(&ends.scene.proxy, &outcome, "status", NULL), 0);
    ck_assert_ptr_nonnull(strstr(outcome.out, "a.pem"));
    ck_assert_ptr_nonnull(strstr(outcome.out, " expires in "));
    ck_assert_ptr_null(strstr(outcome.out, "cannot move"));
    proxy_reload(&ends.scene.proxy);
    wait_until(status_says_why, &ends.scene.proxy, "the status says why a process stays");
    works(&ends);
    finish(&ends);
    proxy_wait_drained(&ends.scene.proxy);
    one_session(&ends, NULL, 2); /* which counts no more when its end is in the log */
    wait_mentions(ends.scene.proxy.log, " end=done", 2);
    ck_assert_int_eq(proxy_command(&ends.scene.proxy, &outcome, "status", "--json", NULL), 0);
    ck_assert_ptr_nonnull(strstr(outcome.out, "\"sessions_tls\": 0"));
    proxy_stop(&ends.scene.proxy);
}
END_TEST

/* Many certificates: the status shows those that expire first, and --json all. */
START_TEST(status_is_not_endless)
{
    enum { ALL = 14, SHOWN = 10 };
    struct scene scene;
    struct outcome outcome;
    unsigned lines = 0, members = 0;
    tls_certificate("a", "DNS:a.test");
    authority_make("ca");
    authority_issue("ca", "certs/z.pem", "z", "DNS:z.test", true);
    run(&outcome, "sh", "-c",
        "cd \"$1\" && for i in 1 2 3 4 5 6 7 8 9 a b c d; do cp a.pem certs/$i.pem && cp a.pem.key "
        "certs/$i.pem.key || exit 1; done",
        "sh", test_directory(), NULL);
    ck_assert_int_eq(outcome.code, 0);
    scene_init(&scene);
    proxy_configure(&scene.proxy,
                    "[listen main]\nbind = 127.0.0.1:%u tls=yes\ncertificate = certs\n"
                    "server = a 127.0.0.1:%u\n",
                    scene.port, scene.server_port);
    proxy_start(&scene.proxy);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "status", NULL), 0);
    for (const char *at = outcome.out; (at = strstr(at, "certs/")); at++)
        lines++;
    ck_assert_uint_eq(lines, SHOWN);
    const char *late = strstr(outcome.out, "certs/z.pem"), *other = strstr(outcome.out, "certs/1");
    ck_assert(late && other && late < other);
    ck_assert_msg(strstr(outcome.out, "\nand 4 more that expire later, see status --json; of all "
                                      "14, EXPIRED: 1, within 30 days: 13\n") != NULL,
                  "%s", outcome.out);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "status", "--json", NULL), 0);
    for (const char *at = outcome.out; (at = strstr(at, "\"expires_at\"")); at++)
        members++;
    ck_assert_uint_eq(members, ALL);
    proxy_stop(&scene.proxy);
}
END_TEST

/* --- other clients --------------------------------------------------------------------------- */

START_TEST(curl_and_openssl_are_told_of)
{
    struct ends ends;
    struct outcome outcome;
    char url[128], ca[PATH_MAX], cert[PATH_MAX], key[PATH_MAX], resolve[64];
    if (!program_exists("curl"))
        skip_test("no curl");
    authority_make("ca");
    authority_issue_subject("ca", "me.pem", "/CN=me.test", false);
    start(&ends, "", "\nclient-ca = ca.pem\n");
    snprintf(url, sizeof url, "https://a.test:%u/", ends.scene.port);
    snprintf(resolve, sizeof resolve, "a.test:%u:127.0.0.1", ends.scene.port);
    pid_t curl = program_start(&(struct program){
        .argv = (const char *[]){"curl", "-s", "--cacert", test_path(ca, "a.pem"), "--cert",
                                 test_path(cert, "me.pem"), "--key", test_path(key, "me.pem.key"),
                                 "--resolve", resolve, "--tls-max", "1.2", url, NULL},
        .out = "/dev/null",
        .err = "/dev/null"});
    int server = accept_from(ends.scene.listener);
    char head[4] = "";
    receive_exactly(server, head, 4);
    ck_assert_mem_eq(head, "GET ", 4);
    static const char answer[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    send_all(server, answer, sizeof answer - 1);
    ck_assert_int_eq(wait_gone(curl), 0);
    close(server);
    wait_mentioned(ends.scene.proxy.log, " tls-version=TLSv1.2 ");
    wait_mentioned(ends.scene.proxy.log, " client-cert=\"me.test\" ");
    snprintf(url, sizeof url, "127.0.0.1:%u", ends.scene.port);
    run(&outcome, "openssl", "s_client", "-connect", url, "-servername", "a.test", "-tls1_2", NULL);
    ck_assert_int_ne(outcome.code, 0);
    wait_mentioned(ends.scene.proxy.log, " tls-error=\"peer did not return a certificate\" ");
    proxy_stop(&ends.scene.proxy);
}
END_TEST

Suite *tls_facts_suite(void)
{
    Suite *suite = suite_create("tls_facts");
    scenario_add(suite, the_log_has_what_was_shown, 240);
    scenario_add(suite, json_and_patterns_have_it_too, 240);
    scenario_add(suite, failures_are_told_and_counted, 240);
    scenario_add(suite, limits_are_counted, 240);
    scenario_add(suite, failures_of_servers_are_counted, 240);
    scenario_add(suite, routes_ask_for_the_certificate, 240);
    scenario_add(suite, one_name_ends_here_and_others_pass, 240);
    scenario_add(suite, what_ends_here_comes_behind_a_header, 240);
    scenario_add(suite, servers_are_told, 240);
    scenario_add(suite, haproxy_tells_the_same, 240);
    scenario_add(suite, status_is_not_endless, 120);
    scenario_add(suite, commands_show_it, 240);
    scenario_add(suite, curl_and_openssl_are_told_of, 240);
    return suite;
}
