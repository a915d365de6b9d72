/* The PROXY protocol with real peers: nginx and HAProxy send headers, and read those of the proxy.
 * The test is the client, which has an address of its own, and the last server. */
#include "tests/system/scenarios.h"
#include "tests/system/support/peers.h"
#include "tests/system/support/scene.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- out ------------------------------------------------------------------------------------- */

static void start_before(struct proxy *proxy, uint16_t port, uint16_t server,
                         const char *attributes, const char *options)
{
    proxy_configure(proxy,
                    "workers = 2\n[listen main]\nbind = 127.0.0.1:%u\naccess-log = yes\n"
                    "server = a 127.0.0.1:%u %s\n%s",
                    port, server, attributes, options);
    proxy_start(proxy);
}

/* nginx answers with the addresses that it was told. */
static void expect_answer(const struct proxy *proxy, struct client *client, const char *host,
                          const char *own_host, uint16_t port)
{
    char text[1024], expected[160];
    send_all(client->socket, "GET / HTTP/1.0\r\n\r\n", 18);
    receive_all(client->socket, text, sizeof text);
    close(client->socket);
    const char *answer = strstr(text, "\r\n\r\n");
    ck_assert_msg(answer != NULL, "%s", text);
    snprintf(expected, sizeof expected, "%s %s %s %u", host, strrchr(client->name, ':') + 1,
             own_host, port);
    ck_assert_str_eq(answer + 4, expected);
    snprintf(expected, sizeof expected, " client=%s ", client->name);
    wait_mentioned(proxy->log, expected);
}

/* Over IPv4 and, if there is any, IPv6. */
static void nginx_reads(const char *version)
{
    char sections[1024];
    uint16_t port = port_reserve(getuid()), server = port_reserve(getuid());
    struct client client;
    struct proxy proxy;
    snprintf(sections, sizeof sections,
             "http { access_log %s/nginx.log; server { listen 127.0.0.1:%u proxy_protocol;\n"
             "location / { return 200 \"$proxy_protocol_addr $proxy_protocol_port "
             "$proxy_protocol_server_addr $proxy_protocol_server_port\"; } } }\n",
             test_directory(), server);
    nginx_start(sections);
    proxy_init(&proxy, "proxy");
    proxy_configure(&proxy,
                    "workers = 2\n[listen main]\nbind = 0.0.0.0:%u\nbind = [::1]:%u\n"
                    "access-log = yes\nserver = a 127.0.0.1:%u send-proxy=%s\n",
                    port, port, server, version);
    proxy_start(&proxy);
    client = client_to(port);
    expect_answer(&proxy, &client, CLIENT_HOST, "127.0.0.1", port);
    if (client6_to(port, &client)) {
        expect_answer(&proxy, &client, "::1", "::1", port);
    }
    proxy_stop(&proxy);
}

START_TEST(nginx_reads_version_1)
{
    if (nginx_program() == NULL) {
        skip_test("no nginx");
    }
    nginx_reads("v1");
}
END_TEST

START_TEST(nginx_reads_version_2)
{
    if (nginx_program() == NULL) {
        skip_test("no nginx");
    }
    nginx_reads("v2");
}
END_TEST

/* nginx answers 400 to what does not begin with a header, and to one that it does not like. */
START_TEST(nginx_reads_the_header_of_checks)
{
    char sections[1024], log[PATH_MAX];
    uint16_t port = port_reserve(getuid()), server = port_reserve(getuid());
    struct proxy proxy;
    if (nginx_program() == NULL) {
        skip_test("no nginx");
    }
    test_path(log, "nginx.log");
    snprintf(sections, sizeof sections,
             "http { log_format f '$uri from \"$proxy_protocol_addr\" $status'; access_log "
             "%s/nginx.log f;\n"
             "server { listen 127.0.0.1:%u proxy_protocol; location / { return 200 x; } } }\n",
             test_directory(), server);
    nginx_start(sections);
    proxy_init(&proxy, "proxy");
    proxy_configure(&proxy,
                    "workers = 1\n[listen one]\nbind = 127.0.0.1:%u\ncheck = http\n"
                    "check-path = /one\nserver = a 127.0.0.1:%u send-proxy=v1\n"
                    "[backend two]\ncheck = http\ncheck-path = /two\n"
                    "server = a 127.0.0.1:%u send-proxy=v2\n",
                    port, server, server);
    proxy_start(&proxy);
    wait_mentioned(log, "/one from \"127.0.0.1\" 200");
    wait_mentioned(log, "/two from \"-\" 200");
    ck_assert_uint_eq(file_mentions(log, " 400"), 0);
    ck_assert_uint_eq(file_mentions(proxy.log, "DOWN"), 0);
    proxy_stop(&proxy);
}
END_TEST

/* Returns the port of a HAProxy in front of the test, which logs what it was told. */
static uint16_t haproxy_that_reads(uint16_t server)
{
    char sections[1024];
    uint16_t port = port_reserve(getuid());
    snprintf(sections, sizeof sections,
             "frontend f\n bind 127.0.0.1:%u accept-proxy\n default_backend b\n"
             " log-format \"src=%%ci:%%cp dst=%%[dst]:%%[dst_port] "
             "authority=%%[fc_pp_authority] id=%%[fc_pp_unique_id] end\"\n"
             "backend b\n server s 127.0.0.1:%u\n",
             port, server);
    haproxy_start(port, sections);
    return port;
}

/* HAProxy logs the addresses and the TLVs as they are in our log. header: what the client begins
 * with. */
static void haproxy_reads(const char *attributes, const char *header, size_t length,
                          const char *authority, const char *id)
{
    char log[PATH_MAX], expected[256], own_id[64];
    struct scene scene;
    scene_init(&scene);
    start_before(&scene.proxy, scene.port, haproxy_that_reads(scene.server_port), attributes,
                 header ? "accept-proxy = " CLIENT_HOST "\n" : "");
    struct client client = client_to(scene.port);
    if (header) {
        send_all(client.socket, header, length);
    }
    struct session session = {.client = client.socket, .server = accept_from(scene.listener)};
    session_works(&session);
    session_close(&session);
    snprintf(expected, sizeof expected, " client=%s ", client.name);
    wait_mentioned(scene.proxy.log, expected);
    if (!id) {
        char text[32768];
        read_file(scene.proxy.log, text, sizeof text);
        const char *at = strstr(text, " unique-id=");
        ck_assert_msg(at != NULL, "%s", text);
        ck_assert_int_eq(sscanf(at, " unique-id=%63s", own_id), 1);
        id = own_id;
    }
    snprintf(expected, sizeof expected, "src=%s dst=127.0.0.1:%u authority=%s id=%s end",
             client.name, scene.port, authority, id);
    wait_mentioned(test_path(log, "haproxy.log"), expected);
    proxy_stop(&scene.proxy);
}

START_TEST(haproxy_reads_version_1)
{
    if (haproxy_program() == NULL) {
        skip_test("no HAProxy");
    }
    haproxy_reads("send-proxy=v1", NULL, 0, "-", "-");
}
END_TEST

START_TEST(haproxy_reads_version_2)
{
    if (haproxy_program() == NULL) {
        skip_test("no HAProxy");
    }
    haproxy_reads("send-proxy=v2", NULL, 0, "-", "-");
}
END_TEST

START_TEST(haproxy_reads_our_unique_id)
{
    if (haproxy_program() == NULL) {
        skip_test("no HAProxy");
    }
    haproxy_reads("send-proxy=v2 proxy-tlv=unique-id,authority,alpn,crc32c,pass", NULL, 0, "-",
                  NULL);
}
END_TEST

/* A header with authority and unique id, and without addresses, so that those of the connection
 * hold. */
START_TEST(haproxy_reads_tlvs_that_came_in)
{
    static const char header[] = "\r\n\r\n\0\r\nQUIT\n\x21\0\0\x18\x02\0\x0b"
                                 "example.org\x05\0\x07id-1234";
    if (haproxy_program() == NULL) {
        skip_test("no HAProxy");
    }
    haproxy_reads("send-proxy=v2 proxy-tlv=unique-id,authority,alpn,crc32c,pass", header,
                  sizeof header - 1, "example.org", "id-1234");
}
END_TEST

/* A client of a Unix socket has no address but the name of the socket that it came to. */

/* --- in -------------------------------------------------------------------------------------- */

/* nginx, of which only version 1 is known. */
START_TEST(nginx_sends_a_header)
{
    char sections[512], expected[160];
    struct scene scene;
    if (nginx_program() == NULL || access(nginx_stream_module, F_OK) != 0) {
        skip_test("no nginx with the module stream");
    }
    scene_init(&scene);
    start_before(&scene.proxy, scene.port, scene.server_port, "", "accept-proxy = 127.0.0.1\n");
    uint16_t port = port_reserve(getuid());
    snprintf(sections, sizeof sections,
             "stream { server { listen 127.0.0.1:%u; proxy_pass 127.0.0.1:%u;\n"
             "proxy_protocol on; proxy_timeout 600s; } }\n",
             port, scene.port);
    nginx_start(sections);
    struct client client = client_to(port);
    struct session session = {.client = client.socket, .server = accept_from(scene.listener)};
    session_works(&session);
    session_close(&session);
    snprintf(expected, sizeof expected, "client=%s ", client.name);
    wait_mentioned(scene.proxy.log, expected);
    proxy_stop(&scene.proxy);
}
END_TEST

/* HAProxy before us, and HAProxy behind us: the same addresses in all three logs. tells_id: the
 * first sends a unique id. */
static void between_haproxies(const char *sends, const char *attributes, bool tells_id)
{
    char sections[2048], expected[256], log[PATH_MAX], id[32] = "-";
    struct scene scene;
    scene_init(&scene);
    uint16_t first = port_reserve(getuid()), last = port_reserve(getuid());
    snprintf(sections, sizeof sections,
             "frontend first\n bind 127.0.0.1:%u\n default_backend us\n"
             " unique-id-format ID-%%cp\n log-format \"first src=%%ci:%%cp end\"\n"
             "backend us\n server s 127.0.0.1:%u %s\n"
             "frontend last\n bind 127.0.0.1:%u accept-proxy\n default_backend b\n"
             " log-format \"last src=%%ci:%%cp dst=%%[dst]:%%[dst_port] id=%%[fc_pp_unique_id] "
             "end\"\n"
             "backend b\n server s 127.0.0.1:%u\n",
             first, scene.port, sends, last, scene.server_port);
    haproxy_start(last, sections);
    start_before(&scene.proxy, scene.port, last, attributes, "accept-proxy = 127.0.0.0/8\n");
    struct client client = client_to(first);
    struct session session = {.client = client.socket, .server = accept_from(scene.listener)};
    session_works(&session);
    session_close(&session);
    test_path(log, "haproxy.log");
    snprintf(expected, sizeof expected, "first src=%s end", client.name);
    wait_mentioned(log, expected);
    if (tells_id) {
        snprintf(id, sizeof id, "ID-%s", strrchr(client.name, ':') + 1);
        snprintf(expected, sizeof expected, " unique-id=%s ", id);
        wait_mentioned(scene.proxy.log, expected);
    }
    snprintf(expected, sizeof expected, "last src=%s dst=127.0.0.1:%u id=%s end", client.name,
             first, id);
    wait_mentioned(log, expected);
    snprintf(expected, sizeof expected, " client=%s ", client.name);
    wait_mentioned(scene.proxy.log, expected);
    wait_mentioned(scene.proxy.log, " via=127.0.0.1:");
    proxy_stop(&scene.proxy);
}

START_TEST(version_1_passes_between_haproxies)
{
    if (haproxy_program() == NULL) {
        skip_test("no HAProxy");
    }
    between_haproxies("send-proxy", "send-proxy=v1", false);
}
END_TEST

START_TEST(version_2_passes_between_haproxies)
{
    if (haproxy_program() == NULL) {
        skip_test("no HAProxy");
    }
    between_haproxies("send-proxy-v2", "send-proxy=v2", false);
}
END_TEST

START_TEST(tlvs_pass_between_haproxies)
{
    if (haproxy_program() == NULL) {
        skip_test("no HAProxy");
    }
    between_haproxies("send-proxy-v2 proxy-v2-options unique-id,crc32c,authority",
                      "send-proxy=v2 proxy-tlv=pass,crc32c", true);
}
END_TEST

/* HAProxy before us announces openssl s_client; a route looks at the hello behind the header; and
 * HAProxy behind us reads the server name as the authority. */
START_TEST(server_name_behind_a_header_is_told)
{
    char sections[2048], expected[256], log[PATH_MAX], text[32768], where[32], own[64];
    struct scene scene;
    if (haproxy_program() == NULL || !program_exists("openssl")) {
        skip_test("no HAProxy, or no openssl");
    }
    scene_init(&scene);
    uint16_t first = port_reserve(getuid()), last = port_reserve(getuid());
    snprintf(sections, sizeof sections,
             "frontend first\n bind 127.0.0.1:%u\n default_backend us\n"
             " log-format \"first src=%%ci:%%cp end\"\n"
             "backend us\n server s 127.0.0.1:%u send-proxy-v2\n"
             "frontend last\n bind 127.0.0.1:%u accept-proxy\n default_backend b\n"
             " log-format \"last src=%%ci:%%cp authority=%%[fc_pp_authority] end\"\n"
             "backend b\n server s 127.0.0.1:%u\n",
             first, scene.port, last, scene.server_port);
    haproxy_start(last, sections);
    proxy_configure(&scene.proxy,
                    "workers = 2\n[frontend main]\nbind = 127.0.0.1:%u\naccess-log = yes\n"
                    "accept-proxy = any\nbackend = reject\nroute = sni:*.example.org named\n"
                    "[backend named]\nserver = a 127.0.0.1:%u send-proxy=v2 "
                    "proxy-tlv=authority,alpn,crc32c\n",
                    scene.port, last);
    proxy_start(&scene.proxy);
    snprintf(where, sizeof where, "127.0.0.1:%u", first);
    const char *argv[] = {"openssl",         "s_client", "-connect", where, "-servername",
                          "www.example.org", "-alpn",    "h2",       NULL};
    pid_t client = program_start(&(struct program){.argv = argv});
    int server = accept_from(scene.listener);
    receive_exactly(server, text, 3);
    ck_assert_int_eq(text[0], 0x16); /* a TLS handshake */
    close(server);
    wait_gone(client);
    wait_mentioned(test_path(log, "haproxy.log"), "first src=127.0.0.1:");
    read_file(log, text, sizeof text);
    ck_assert_int_eq(sscanf(strstr(text, "first src="), "first src=%63s", own), 1);
    snprintf(expected, sizeof expected, "last src=%s authority=www.example.org end", own);
    wait_mentioned(log, expected);
    snprintf(expected, sizeof expected, " client=%s ", own);
    wait_mentioned(scene.proxy.log, expected);
    proxy_stop(&scene.proxy);
}
END_TEST

Suite *proxy_peers_suite(void)
{
    Suite *suite = suite_create("proxy_peers");
    scenario_add(suite, nginx_reads_version_1, 60);
    scenario_add(suite, nginx_reads_version_2, 60);
    scenario_add(suite, nginx_reads_the_header_of_checks, 60);
    scenario_add(suite, haproxy_reads_version_1, 60);
    scenario_add(suite, haproxy_reads_version_2, 60);
    scenario_add(suite, haproxy_reads_our_unique_id, 60);
    scenario_add(suite, haproxy_reads_tlvs_that_came_in, 60);
    scenario_add(suite, nginx_sends_a_header, 60);
    scenario_add(suite, version_1_passes_between_haproxies, 60);
    scenario_add(suite, version_2_passes_between_haproxies, 60);
    scenario_add(suite, tlvs_pass_between_haproxies, 60);
    scenario_add(suite, server_name_behind_a_header_is_told, 60);
    return suite;
}
