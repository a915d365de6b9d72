/* The PROXY protocol with real peers: nginx and HAProxy send headers, and read those of the proxy.
 * The test is the client, which has an address of its own, and the last server. */
#include "tests/system/scenarios.h"
#include "tests/system/support/daemons.h"
#include "tests/system/support/scene.h"
#include "tests/system/support/streams.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- addresses ------------------------------------------------------------------------------- */

/* No program of a test has this address, so that it cannot be taken for the client's. */
#define CLIENT_HOST "127.0.0.77"

/* A client and the text of its address. */
struct client {
    int socket;
    char name[64];
};

static void name_socket(struct client *client)
{
    struct endpoint own = {.length = sizeof own.un};
    char host[INET6_ADDRSTRLEN];
    ck_assert_int_eq(getsockname(client->socket, &own.any, &own.length), 0);
    if (own.any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &own.in6.sin6_addr, host, sizeof host);
        snprintf(client->name, sizeof client->name, "[%s]:%u", host, ntohs(own.in6.sin6_port));
    } else {
        inet_ntop(AF_INET, &own.in.sin_addr, host, sizeof host);
        snprintf(client->name, sizeof client->name, "%s:%u", host, ntohs(own.in.sin_port));
    }
}

static struct client client_to(uint16_t port)
{
    struct client client = {.socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct sockaddr_in own = {.sin_family = AF_INET};
    const struct endpoint front = endpoint_loopback(port);
    const struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    inet_pton(AF_INET, CLIENT_HOST, &own.sin_addr);
    setsockopt(client.socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ck_assert_int_eq(bind(client.socket, (struct sockaddr *)&own, sizeof own), 0);
    ck_assert_msg(connect(client.socket, &front.any, front.length) == 0, "%s", strerror(errno));
    name_socket(&client);
    return client;
}

/* By IPv6; false: there is none. */
static bool client6_to(uint16_t port, struct client *client)
{
    struct sockaddr_in6 front = {
        .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT, .sin6_port = htons(port)};
    client->socket = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->socket < 0 ||
        connect(client->socket, (struct sockaddr *)&front, sizeof front) != 0) {
        return false;
    }
    name_socket(client);
    return true;
}

static size_t receive_all(int socket, char *text, size_t size)
{
    size_t length = 0;
    ssize_t got;
    while (length < size - 1 && (got = recv(socket, text + length, size - 1 - length, 0)) > 0) {
        length += (size_t)got;
    }
    text[length] = '\0';
    return length;
}

/* --- real peers ------------------------------------------------------------------------------ */

static bool port_accepts(void *port)
{
    struct endpoint where = endpoint_loopback(*(uint16_t *)port);
    int client = try_connect(&where);
    return client >= 0 && close(client) == 0;
}

static const char *nginx_program(void)
{
    return program_exists("nginx")             ? "nginx"
           : program_exists("/usr/sbin/nginx") ? "/usr/sbin/nginx"
                                               : NULL;
}

static const char stream_module[] = "/usr/lib/nginx/modules/ngx_stream_module.so";

/* Returns when nginx listens: it writes its pid file after that. */
static void nginx_start(const char *sections)
{
    char file[PATH_MAX], log[PATH_MAX], pid[PATH_MAX];
    test_path(file, "nginx.conf");
    test_path(log, "nginx-error.log");
    write_file(file, 0644,
               "%s%s%s daemon off; master_process off; pid %s/nginx.pid; error_log %s;\n"
               "events {}\n%s",
               access(stream_module, F_OK) == 0 ? "load_module " : "",
               access(stream_module, F_OK) == 0 ? stream_module : "",
               access(stream_module, F_OK) == 0 ? ";" : "", test_directory(), log, sections);
    const char *argv[] = {nginx_program(), "-c", file, NULL};
    program_start(&(struct program){.argv = argv, .out = log, .err = log});
    wait_file(test_path(pid, "nginx.pid"));
}

static const char *haproxy_program(void)
{
    return program_exists("haproxy")             ? "haproxy"
           : program_exists("/usr/sbin/haproxy") ? "/usr/sbin/haproxy"
                                                 : NULL;
}

/* Frontends and backends; its log is "haproxy.log". The port is that of a frontend which passes on
 * no connection without a header. */
static void haproxy_start(uint16_t port, const char *sections)
{
    char file[PATH_MAX], log[PATH_MAX];
    test_path(file, "haproxy.cfg");
    test_path(log, "haproxy.log");
    write_file(file, 0644,
               "global\n log stderr format raw local0\n"
               "defaults\n mode tcp\n log global\n timeout connect 60s\n timeout client 600s\n"
               " timeout server 600s\n%s",
               sections);
    const char *argv[] = {haproxy_program(), "-db", "-f", file, NULL};
    program_start(&(struct program){.argv = argv, .out = log, .err = log});
    wait_until(port_accepts, &port, "HAProxy listens");
}

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

/* --- in -------------------------------------------------------------------------------------- */

/* nginx, of which only version 1 is known. */
START_TEST(nginx_sends_a_header)
{
    char sections[512], expected[160];
    struct scene scene;
    if (nginx_program() == NULL || access(stream_module, F_OK) != 0) {
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
    int silent = connect_to(&scene.front), halting = connect_to(&scene.front);
    send_all(halting, HEADER, 10);
    expect_reset(silent);
    expect_reset(halting);
    close(silent);
    close(halting);
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
    ck_assert_uint_eq(file_mentions(scene.proxy.log, line), SESSIONS);
    ck_assert_uint_eq(file_mentions(scene.proxy.log, " unique-id=id-1234 end=done"), SESSIONS);
    ck_assert_uint_eq(file_mentions(scene.proxy.log, " via=127.0.0.1:"), SESSIONS);
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
    ck_assert_uint_eq(file_mentions(last.log, " unique-id="), sessions / rounds * rounds);
    ck_assert_uint_eq(file_mentions(last.log, " via=127.0.0.1:"), sessions / rounds * rounds);
    ck_assert_uint_eq(file_mentions(first.log, " unique-id="), sessions / rounds * rounds);
    proxy_stop(&first);
    proxy_stop(&last);
}
END_TEST

Suite *proxy_protocol_suite(void)
{
    Suite *suite = suite_create("proxy_protocol");
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
    scenario_add(suite, bad_headers_hurt_nobody_else, 120);
    scenario_add(suite, silent_client_is_reset_after_inspect_timeout, 60);
    scenario_add(suite, list_of_senders_is_reloaded, 120);
    scenario_add(suite, headers_live_through_reloads, 180);
    scenario_add(suite, lists_and_limits_are_about_the_told_address, 60);
    scenario_add(suite, proxies_in_a_row_reload, 300);
    scenario_add(suite, streams_behind_headers_move, 300);
    return suite;
}
