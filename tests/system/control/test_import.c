/* rpproxy import with the products themselves beside it: the same configuration, but for its port,
 * is run by HAProxy or nginx, and, imported, by rpproxy. The test is client and servers, and sees
 * each of its clients come to the same server, with the same header. */
#include "tests/system/scenarios.h"
#include "tests/system/support/hello.h"
#include "tests/system/support/peers.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WEB, SSH, OTHER, SERVERS, REFUSED = SERVERS };

struct site {
    int listeners[SERVERS];
    uint16_t ports[SERVERS];
    uint16_t dead; /* nothing listens there */
};

static void site_open(struct site *site)
{
    for (int i = 0; i < SERVERS; i++) {
        site->listeners[i] = listen_loopback(&site->ports[i]);
    }
    site->dead = port_reserve(getuid());
}

/* --- one client ------------------------------------------------------------------------------ */

/* What a client has met. */
struct visit {
    int server;      /* or REFUSED */
    char header[64]; /* that the server got before the client's bytes, with ports as 0 */
};

static void receive_header(int socket, struct visit *visit)
{
    unsigned char bytes[64] = {0};
    char text[128] = "", host[16], own[16];
    receive_exactly(socket, bytes, 12);
    if (memcmp(bytes, "PROXY ", 6) == 0) {
        size_t length = 12;
        memcpy(text, bytes, 12);
        while (!strstr(text, "\r\n") && length < sizeof text - 1) {
            receive_exactly(socket, text + length++, 1);
        }
        unsigned from, to;
        ck_assert_int_eq(sscanf(text, "PROXY TCP4 %15s %15s %u %u\r\n", host, own, &from, &to), 4);
        snprintf(visit->header, sizeof visit->header, "v1 %s %s", host, own);
    } else if (memcmp(bytes, "\r\n\r\n\0\r\nQUIT\n", 12) == 0) {
        receive_exactly(socket, bytes + 12, 16);
        inet_ntop(AF_INET, bytes + 16, host, sizeof host);
        inet_ntop(AF_INET, bytes + 20, own, sizeof own);
        snprintf(visit->header, sizeof visit->header, "v2 %02x%02x %s %s", bytes[12], bytes[13],
                 host, own);
    }
}

/* Waits for a connection to one of the servers, or for the end of the client's. Returns the socket
 * of the server, with visit->server, or -1. */
static int await_server(const struct site *site, int client, struct visit *visit)
{
    struct pollfd pollers[SERVERS + 1];
    for (int i = 0; i < SERVERS; i++) {
        pollers[i] = (struct pollfd){.fd = site->listeners[i], .events = POLLIN};
    }
    pollers[SERVERS] = (struct pollfd){.fd = client, .events = POLLIN};
    for (;;) {
        char byte;
        ck_assert_int_gt(poll(pollers, SERVERS + 1, PATIENCE_MS), 0);
        int ready = 0;
        while (!pollers[ready].revents) {
            ready++;
        }
        visit->server = ready;
        if (ready == REFUSED) {
            return -1;
        }
        /* Checks connect as well, and say nothing. */
        int server = accept_from(site->listeners[ready]);
        if (recv(server, &byte, 1, MSG_PEEK) == 1) {
            return server;
        }
        close(server);
    }
}

/* A client says these bytes, and the server answers "y". headers: whether that server gets one. */
static struct visit visit(const struct site *site, uint16_t port, const struct bytes *said,
                          const bool headers[static SERVERS])
{
    struct visit visit = {.server = REFUSED};
    struct client client = client_to(port);
    unsigned char got[sizeof said->bytes];
    /* A client that is refused may be gone before it has said anything. */
    (void)send(client.socket, said->bytes, said->length, MSG_NOSIGNAL);
    int server = await_server(site, client.socket, &visit);
    if (server >= 0) {
        if (headers[visit.server]) {
            receive_header(server, &visit);
        }
        receive_exactly(server, got, said->length);
        ck_assert_int_eq(memcmp(got, said->bytes, said->length), 0);
        send_all(server, "y", 1);
        receive_exactly(client.socket, got, 1);
        close(server);
    }
    close(client.socket);
    return visit;
}

static struct bytes text_bytes(const char *text)
{
    struct bytes bytes = {.length = strlen(text)};
    memcpy(bytes.bytes, text, bytes.length);
    return bytes;
}

static struct bytes hello_bytes(const char *name)
{
    static unsigned char wire[HELLO_MOST];
    struct bytes bytes = {.length = make_hello(name, 0, wire)};
    ck_assert_uint_le(bytes.length, sizeof bytes.bytes);
    memcpy(bytes.bytes, wire, bytes.length);
    return bytes;
}

/* Both proxies do the same with a client. */
static void expect_same(const struct site *site, uint16_t theirs, uint16_t ours,
                        const struct bytes *said, const bool headers[static SERVERS], int server)
{
    struct visit one = visit(site, theirs, said, headers);
    struct visit other = visit(site, ours, said, headers);
    ck_assert_int_eq(one.server, server);
    ck_assert_int_eq(other.server, server);
    ck_assert_str_eq(one.header, other.header);
    ck_assert_int_eq(one.header[0] != '\0', server != REFUSED && headers[server]);
}

/* --- importing ------------------------------------------------------------------------------- */

/* Starts rpproxy with what it makes of the file. status: that of the import. */
static void start_imported(struct proxy *proxy, const char *product, const char *file, int status)
{
    static struct outcome outcome;
    run(&outcome, proxy_binary(), "import", product, file, NULL);
    ck_assert_msg(outcome.code == status, "%d: %s", outcome.code, outcome.err);
    /* Its keys of [global] follow those of the test. */
    const char *text = strstr(outcome.out, "\n[global]");
    ck_assert_msg(text != NULL, "%s", outcome.out);
    proxy_init(proxy, "proxy");
    proxy_configure(proxy, "%s", strchr(text + 1, '\n') + 1);
    static struct outcome check;
    ck_assert_msg(proxy_command(proxy, &check, "check", NULL) == 0, "%s", check.err);
    proxy_start(proxy);
}

/* The port that says whether HAProxy listens refuses everybody. */
static void haproxy_sections(char *text, size_t size, const struct site *site, uint16_t port,
                             uint16_t probe)
{
    snprintf(text, size,
             "frontend probe\n bind 127.0.0.1:%u\n tcp-request connection reject if { src "
             "127.0.0.0/8 }\n default_backend other\n"
             "frontend front\n bind 127.0.0.1:%u\n tcp-request inspect-delay 600s\n"
             " acl www req.ssl_sni -i www.example.test\n acl www req.ssl_sni -m end "
             ".www.example.test\n"
             " tcp-request content accept if { req.ssl_hello_type 1 }\n"
             " tcp-request content reject if { payload(0,4) -m bin 58585858 }\n"
             " use_backend web if www\n use_backend ssh if { payload(0,4) -m str SSH- }\n"
             " default_backend other\n"
             "backend web\n server a 127.0.0.1:%u send-proxy-v2\n"
             "backend ssh\n server a 127.0.0.1:%u send-proxy\n"
             "backend other\n option redispatch\n server gone 127.0.0.1:%u check inter 100\n"
             " server b 127.0.0.1:%u check backup\n",
             probe, port, site->ports[WEB], site->ports[SSH], site->dead, site->ports[OTHER]);
}

START_TEST(haproxy_beside)
{
    static const bool headers[SERVERS] = {[WEB] = true, [SSH] = true};
    char sections[2048], file[PATH_MAX], log[PATH_MAX];
    uint16_t theirs = port_reserve(getuid()), ours = port_reserve(getuid());
    uint16_t probe = port_reserve(getuid()), our_probe = port_reserve(getuid());
    struct bytes www = hello_bytes("www.example.test"), below = hello_bytes("a.www.example.test");
    struct bytes another = hello_bytes("mail.example.test"), ssh = text_bytes("SSH-2.0-x\r\n");
    struct bytes plain = text_bytes("GET / HTTP/1.0\r\n\r\n"), bad = text_bytes("XXXX and more");
    struct site site;
    struct proxy proxy;
    if (haproxy_program() == NULL) {
        skip_test("no HAProxy");
    }
    site_open(&site);
    haproxy_sections(sections, sizeof sections, &site, theirs, probe);
    haproxy_start(probe, sections);
    haproxy_sections(sections, sizeof sections, &site, ours, our_probe);
    write_file(test_path(file, "import.cfg"), 0644,
               "global\n log stderr format raw local0\ndefaults\n mode tcp\n log global\n"
               " timeout connect 60s\n timeout client 600s\n timeout server 600s\n%s",
               sections);
    start_imported(&proxy, "haproxy", file, 0);
    wait_mentioned(test_path(log, "haproxy.log"), "other/gone is DOWN");
    wait_mentioned(proxy.log, "other/gone is DOWN");
    expect_same(&site, theirs, ours, &www, headers, WEB);
    expect_same(&site, theirs, ours, &below, headers, WEB);
    expect_same(&site, theirs, ours, &another, headers, OTHER);
    expect_same(&site, theirs, ours, &ssh, headers, SSH);
    expect_same(&site, theirs, ours, &plain, headers, OTHER);
    expect_same(&site, theirs, ours, &bad, headers, REFUSED);
    expect_same(&site, probe, our_probe, &plain, headers, REFUSED);
    proxy_stop(&proxy);
}
END_TEST

static void nginx_sections(char *text, size_t size, const struct site *site, uint16_t port,
                           uint16_t denied)
{
    snprintf(
        text, size,
        "stream {\n map $ssl_preread_server_name $name {\n  hostnames;\n  default other;\n"
        "  *.example.test web;\n  ssh.example.test 127.0.0.1:%u;\n  no.example.test \"\";\n }\n"
        " upstream web { server 127.0.0.1:%u; }\n"
        " upstream other { server 127.0.0.1:%u max_fails=1 fail_timeout=600s;\n"
        "  server 127.0.0.1:%u backup; }\n"
        " server { listen 127.0.0.1:%u; ssl_preread on; proxy_pass $name; proxy_protocol on; }\n"
        " server { listen 127.0.0.1:%u; proxy_pass web; allow 192.0.2.0/24; deny all; }\n}\n",
        site->ports[SSH], site->ports[WEB], site->dead, site->ports[OTHER], port, denied);
}

START_TEST(nginx_beside)
{
    static const bool headers[SERVERS] = {true, true, true};
    char sections[2048], file[PATH_MAX];
    uint16_t theirs = port_reserve(getuid()), ours = port_reserve(getuid());
    uint16_t denied = port_reserve(getuid()), our_denied = port_reserve(getuid());
    struct bytes www = hello_bytes("www.example.test"), ssh = hello_bytes("ssh.example.test");
    struct bytes no = hello_bytes("no.example.test"), another = hello_bytes("example.test");
    struct bytes plain = text_bytes("GET / HTTP/1.0\r\n\r\n");
    struct site site;
    struct proxy proxy;
    if (nginx_program() == NULL || access(nginx_stream_module, F_OK)) {
        skip_test("no nginx, or it has no stream");
    }
    site_open(&site);
    nginx_sections(sections, sizeof sections, &site, theirs, denied);
    nginx_start(sections);
    nginx_sections(sections, sizeof sections, &site, ours, our_denied);
    write_file(test_path(file, "import.conf"), 0644, "events {}\n%s", sections);
    start_imported(&proxy, "nginx", file, 0);
    expect_same(&site, theirs, ours, &www, headers, WEB);
    expect_same(&site, theirs, ours, &ssh, headers, SSH);
    expect_same(&site, theirs, ours, &no, headers, REFUSED);
    expect_same(&site, theirs, ours, &another, headers, OTHER);
    expect_same(&site, theirs, ours, &plain, headers, OTHER);
    expect_same(&site, denied, our_denied, &plain, headers, REFUSED);
    proxy_stop(&proxy);
}
END_TEST

/* --- the command ----------------------------------------------------------------------------- */

START_TEST(what_import_says)
{
    static struct outcome outcome;
    char file[PATH_MAX], folder[PATH_MAX];
    write_file(
        test_path(file, "one.cfg"), 0644,
        "defaults\n mode tcp\n timeout connect 5s\n timeout client 5s\n timeout server 5s\n");
    write_file(test_path(file, "two.cfg"), 0644,
               "listen a\n bind :1\n server s 198.51.100.1:1\nlisten b\n mode http\n bind :2\n");
    run(&outcome, proxy_binary(), "import", "haproxy", test_directory(), NULL);
    ck_assert_int_eq(outcome.code, 4);
    ck_assert_msg(strstr(outcome.out, "\n[listen a] ") != NULL, "%s", outcome.out);
    ck_assert_msg(strstr(outcome.out, "two.cfg:2") != NULL, "%s", outcome.out);
    ck_assert_msg(strstr(outcome.err, "two.cfg:4: lost: listen b: mode http") != NULL, "%s",
                  outcome.err);

    write_file(file, 0644, "listen b\n mode http\n bind :2\n");
    run(&outcome, proxy_binary(), "import", "haproxy", file, NULL);
    ck_assert_int_eq(outcome.code, 4);
    ck_assert_str_eq(outcome.out, "");
    ck_assert_msg(strstr(outcome.err, "nothing is left that accepts clients") != NULL, "%s",
                  outcome.err);

    run(&outcome, proxy_binary(), "import", "haproxy", test_path(folder, "none"), NULL);
    ck_assert_int_eq(outcome.code, 1);
    ck_assert_msg(strstr(outcome.err, "none: No such file") != NULL, "%s", outcome.err);
    run(&outcome, proxy_binary(), "import", "envoy", file, NULL);
    ck_assert_int_eq(outcome.code, 1);
    ck_assert_msg(strstr(outcome.err, "must be haproxy or nginx") != NULL, "%s", outcome.err);
    run(&outcome, proxy_binary(), "import", "nginx", file, file, NULL);
    ck_assert_int_eq(outcome.code, 1);
}
END_TEST

Suite *import_suite(void)
{
    Suite *suite = suite_create("import");
    scenario_add(suite, haproxy_beside, 60);
    scenario_add(suite, nginx_beside, 60);
    scenario_add(suite, what_import_says, 60);
    return suite;
}
