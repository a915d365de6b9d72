/* Servers that are whatever name the client asks for. */
#include "tests/system/scenarios.h"
#include "tests/system/support/daemons.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/hello.h"
#include "tests/system/support/net.h"
#include "tests/system/support/stand.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- whatever name the client asks for ------------------------------------------------------- */

/* Names below "localhost" are this machine without a name server (RFC 6761). */
START_TEST(a_server_is_the_name_that_is_asked_for)
{
    struct bytes hellos[3];
    if (!record_hello("a.localhost", &hellos[0]) || !record_hello("b.example", &hellos[1]) ||
        !record_hello("loop.localhost", &hellos[2])) {
        skip_test("no openssl");
    }
    struct stand stand;
    stand_init(&stand);
    proxy_configure(&stand.proxy,
                    "workers = 2\nlog-level = debug\n"
                    "[frontend main]\nbind = 0.0.0.0:%u\naccess-log = yes\n"
                    "route = sni:loop.localhost loop\nbackend = any\n"
                    "[backend any]\nserver = any sni:%u allow=*.localhost\n"
                    "[backend loop]\nserver = any sni:%u allow=*\nretries = 0\n",
                    stand.port, stand.server_ports[0], stand.port);
    proxy_start(&stand.proxy);
    for (unsigned i = 0; i < scaled(20, 4); i++) {
        int client = connect_to(&stand.front);
        send_pieces(client, hellos[0].bytes, hellos[0].length);
        arrives(&stand, 0, client, hellos[0].bytes, hellos[0].length);
        if (i % 2 == 0) {
            proxy_reload(&stand.proxy);
        }
    }
    for (int i = 1; i < 3; i++) {
        int client = connect_to(&stand.front);
        send_all(client, hellos[i].bytes, hellos[i].length);
        expect_reset(client);
        close(client);
    }
    int client = connect_to(&stand.front);
    send_all(client, "no TLS", 6);
    expect_reset(client);
    close(client);
    proxy_stop(&stand.proxy);
    wait_mentions(stand.proxy.log, " sni=b.example end=not-allowed", 1);
    /* localhost may have the address ::1 as well, which is none of the bind: nobody listens there.
     * A session that came back would be a second one of that name. */
    wait_mentions(stand.proxy.log, ", which is this proxy itself", 1);
    wait_mentions(stand.proxy.log, " sni=loop.localhost end=", 1);
    wait_mentions(stand.proxy.log, " end=no-route", 1);
}
END_TEST

/* --- names from a name server ---------------------------------------------------------------- */

/* dnsmasq, which knows the names of `records` (options of dnsmasq) and nothing else. */
static pid_t dnsmasq_start(uint16_t port, const char *records)
{
    char file[PATH_MAX], log[PATH_MAX];
    write_file(test_path(file, "dnsmasq.conf"), 0644,
               "keep-in-foreground\nport=%u\nlisten-address=127.0.0.1\nbind-interfaces\n"
               "no-resolv\nno-hosts\nlog-facility=-\nlocal-ttl=0\nlocal=/example/\n"
               "pid-file=%s/dnsmasq.pid\nuser=\n%s",
               port, test_directory(), records);
    unlink(test_path(log, "dnsmasq.log")); /* of an earlier one */
    const char *argv[] = {"dnsmasq", "-C", file, NULL};
    pid_t server = program_start(&(struct program){.argv = argv, .out = log, .err = log});
    wait_mentioned(log, "started");
    return server;
}

/* A name with a dead address before the one that answers, one without an address, one that is not
 * there, and an address that changes; then no name server at all. */
START_TEST(names_come_from_the_name_server)
{
    struct bytes hello[4];
    static const char *const names[] = {"two.example", "none.example", "moves.example",
                                        "self.example"};
    if (!program_exists("dnsmasq") && !program_exists("/usr/sbin/dnsmasq")) {
        skip_test("no dnsmasq");
    }
    for (int i = 0; i < 4; i++) {
        if (!record_hello(names[i], &hello[i])) {
            skip_test("no openssl");
        }
    }
    struct stand stand;
    stand_init(&stand);
    uint16_t dns = port_reserve(getuid());
    pid_t server = dnsmasq_start(dns, "host-record=two.example,127.0.0.9\n"
                                      "host-record=two.example,127.0.0.1\n"
                                      "host-record=moves.example,127.0.0.9\n"
                                      "host-record=self.example,127.0.0.1\n");
    proxy_configure(&stand.proxy,
                    "workers = 2\nresolver = 127.0.0.1:%u\nresolve-min = 10ms\n"
                    "[frontend main]\nbind = 127.0.0.1:%u\naccess-log = yes\n"
                    "route = sni:self.example self\nbackend = any\n"
                    "[backend any]\nserver = any sni:%u allow=*.example\nretries = 1\n"
                    "[backend self]\nserver = any sni:%u allow=*.example\n",
                    dns, stand.port, stand.server_ports[0], stand.port);
    proxy_start(&stand.proxy);
    int client = connect_to(&stand.front);
    send_all(client, hello[0].bytes, hello[0].length);
    arrives(&stand, 0, client, hello[0].bytes, hello[0].length);
    for (int i = 1; i < 4; i++) {
        client = connect_to(&stand.front);
        send_all(client, hello[i].bytes, hello[i].length);
        expect_reset(client);
        close(client);
    }
    daemon_end(server, SIGKILL);
    server = dnsmasq_start(dns, "host-record=moves.example,127.0.0.1\n");
    client = connect_to(&stand.front);
    send_all(client, hello[2].bytes, hello[2].length);
    arrives(&stand, 0, client, hello[2].bytes, hello[2].length);
    daemon_end(server, SIGKILL);
    /* Nobody answers any more: what is known is held. */
    client = connect_to(&stand.front);
    send_all(client, hello[2].bytes, hello[2].length);
    arrives(&stand, 0, client, hello[2].bytes, hello[2].length);
    client = connect_to(&stand.front);
    send_all(client, hello[1].bytes, hello[1].length);
    expect_reset(client);
    close(client);
    proxy_stop(&stand.proxy);
    wait_mentions(stand.proxy.log, " sni=none.example end=unresolved", 2);
    wait_mentions(stand.proxy.log, " sni=moves.example end=refused", 1);
    wait_mentions(stand.proxy.log, " sni=self.example end=not-allowed", 1);
}
END_TEST

/* A name server that says nothing. Returns its socket. */
static int mute_name_server(uint16_t *port)
{
    struct endpoint where = endpoint_loopback(0);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, &where.any, where.length), 0);
    ck_assert_int_eq(getsockname(fd, &where.any, &where.length), 0);
    *port = ntohs(where.in.sin_port);
    return fd;
}

static bool has_no_session(void *proxy)
{
    struct status status;
    return proxy_status(proxy, &status) && status.sessions == 0;
}

/* They leave no trace, and keep nobody waiting. The answer that comes too late, or never, finds no
 * session. */
START_TEST(clients_leave_while_their_name_is_asked_for)
{
    struct bytes hello;
    char question[512];
    if (!record_hello("slow.example", &hello)) {
        skip_test("no openssl");
    }
    struct stand stand;
    uint16_t dns;
    int name_server = mute_name_server(&dns);
    stand_init(&stand);
    proxy_configure(&stand.proxy,
                    "workers = 2\nresolver = 127.0.0.1:%u\nresolve-timeout = 500ms\n"
                    "stop-timeout = 10ms\n"
                    "[frontend main]\nbind = 127.0.0.1:%u\naccess-log = yes\n"
                    "route = tls:yes any\nbackend = two\n"
                    "[backend any]\nserver = any sni:%u allow=*.example\n"
                    "[backend two]\nserver = a 127.0.0.1:%u\n",
                    dns, stand.port, stand.server_ports[0], stand.server_ports[1]);
    proxy_start(&stand.proxy);
    for (unsigned i = 0; i < scaled(20, 5); i++) {
        int client = connect_to(&stand.front);
        send_all(client, hello.bytes, hello.length);
        ck_assert(readable_within(name_server, PATIENCE_MS));
        int other = connect_to(&stand.front);
        send_all(other, "other", 5);
        arrives(&stand, 1, other, "other", 5);
        send_reset(client);
        wait_until(has_no_session, &stand.proxy, "the client is gone");
        /* The next name is asked for when this one has got no answer. */
        client = connect_to(&stand.front);
        send_all(client, hello.bytes, hello.length);
        expect_reset(client);
        close(client);
        while (recv(name_server, question, sizeof question, MSG_DONTWAIT) > 0) {
        }
        proxy_reload(&stand.proxy); /* what is known of the name is forgotten */
    }
    proxy_stop(&stand.proxy);
    ck_assert_uint_gt(file_mentions(stand.proxy.log, " sni=slow.example end=client-reset"), 0);
    ck_assert_uint_gt(file_mentions(stand.proxy.log, " sni=slow.example end=unresolved"), 0);
}
END_TEST

Suite *forwarding_suite(void)
{
    Suite *suite = suite_create("forwarding");
    scenario_add(suite, a_server_is_the_name_that_is_asked_for, 300);
    scenario_add(suite, names_come_from_the_name_server, 300);
    scenario_add(suite, clients_leave_while_their_name_is_asked_for, 300);
    return suite;
}
