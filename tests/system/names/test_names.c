/* Servers that follow their names, with real name servers: addresses come and go, name servers
 * fail, are silent or gone, and reloads happen meanwhile. */
#include "tests/system/scenarios.h"
#include "tests/system/support/churn.h"
#include "tests/system/support/daemons.h"
#include "tests/system/support/dns.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/origin.h"
#include "tests/system/support/proxy.h"
#include "tests/system/support/scene.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

enum { MACHINES = 5 };

/* A name server, servers on 127.0.0.1, 127.0.0.2 and so on with one port, and a proxy. */
struct world {
    struct dns dns;
    struct proxy proxy;
    struct endpoint front;
    uint16_t port; /* of front */
    uint16_t server_port;
    struct origin *origins[MACHINES];
};

/* Listens on 127.0.0.`machine`. */
static int listen_on(unsigned machine, uint16_t port)
{
    struct endpoint where = endpoint_loopback(port);
    const int on = 1;
    where.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + machine);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    ck_assert_int_eq(bind(fd, &where.any, where.length), 0);
    ck_assert_int_eq(listen(fd, 512), 0);
    return fd;
}

static bool world_init(struct world *world, enum origin_kind kind)
{
    if (!dns_exists()) {
        return false;
    }
    world->server_port = port_reserve(getuid());
    world->port = port_reserve(getuid());
    world->front = endpoint_loopback(world->port);
    for (unsigned i = 0; i < MACHINES; i++) {
        world->origins[i] = origin_start_on(kind, listen_on(i + 1, world->server_port));
    }
    dns_init(&world->dns);
    proxy_init(&world->proxy, "proxy");
    return true;
}

/* global: keys of [global]; servers: lines of [listen main], in which "PORT" is the servers' port.
 */
static void configure(const struct world *world, const char *global, const char *servers)
{
    char lines[4096], port[8];
    size_t length = 0;
    snprintf(port, sizeof port, "%u", world->server_port);
    for (const char *at = servers; *at; at++) {
        if (strncmp(at, "PORT", 4) == 0) {
            length += (size_t)snprintf(lines + length, sizeof lines - length, "%s", port);
            at += 3;
        } else {
            lines[length++] = *at;
        }
    }
    lines[length] = '\0';
    proxy_configure(&world->proxy,
                    "workers = 2\nresolver = 127.0.0.1:%u\nresolve-min = 20ms\nresolve-max = "
                    "1s\n%s\n[listen main]\nbind = 127.0.0.1:%u\n%s\n",
                    world->dns.port, global, world->port, lines);
}

/* --- what the proxy says of its servers --- */

struct wanted {
    const struct proxy *proxy;
    const char *text;
};

/* "a=127.0.0.1 b=none": name and address, without its port, of all servers with a name. */
static bool describe(const struct proxy *proxy, char *text, size_t size)
{
    struct outcome outcome;
    if (proxy_command(proxy, &outcome, "status", "--json", NULL) != 0) {
        return false;
    }
    size_t i, j, length = 0;
    json_t *all = json_loads(outcome.out, 0, NULL), *backend, *server;
    text[0] = '\0';
    json_array_foreach(json_object_get(all, "backends"), i, backend)
    {
        json_array_foreach(json_object_get(backend, "servers"), j, server)
        {
            const char *name = json_string_value(json_object_get(server, "name"));
            const char *address = json_string_value(json_object_get(server, "address"));
            if (!json_object_get(server, "host")) {
                continue;
            }
            length += (size_t)snprintf(text + length, size - length, "%s%s=%.*s", length ? " " : "",
                                       name, (int)strcspn(address, ":"), address);
        }
    }
    json_decref(all);
    return true;
}

static bool is_described(void *argument)
{
    const struct wanted *wanted = argument;
    char text[16384];
    return describe(wanted->proxy, text, sizeof text) && strcmp(text, wanted->text) == 0;
}

static void wait_servers(const struct world *world, const char *text)
{
    struct wanted wanted = {&world->proxy, text};
    wait_until(is_described, &wanted, text);
}

static void expect_servers(const struct world *world, const char *wanted)
{
    char text[16384];
    ck_assert(describe(&world->proxy, text, sizeof text));
    ck_assert_str_eq(text, wanted);
}

/* --- sessions of the test --- */

static void echoes(int client)
{
    char word[4];
    send_all(client, "ping", 4);
    receive_exactly(client, word, 4);
    ck_assert_mem_eq(word, "ping", 4);
}

static void one_session(const struct world *world)
{
    int client = connect_to(&world->front);
    echoes(client);
    close(client);
}

/* Connects until the connection goes to this machine. */
static int connect_through(const struct world *world, unsigned machine)
{
    for (unsigned i = 0; i < 64; i++) {
        uint64_t before = origin_accepted(world->origins[machine - 1]);
        int client = connect_to(&world->front);
        echoes(client);
        if (origin_accepted(world->origins[machine - 1]) > before) {
            return client;
        }
        close(client);
    }
    ck_abort_msg("no connection goes to 127.0.0.%u", machine);
}

#define ONE   "pods A 127.0.0.1\n"
#define TWO   "pods A 127.0.0.2\n"
#define THREE "pods A 127.0.0.3\n"
#define FOUR  "pods A 127.0.0.4\n"

#define PODS "server = pod pods.test:PORT resolve=all max=3\n"

START_TEST(addresses_come_and_go)
{
    struct world world;
    if (!world_init(&world, ORIGIN_ECHO)) {
        skip_test("no knotd");
    }
    dns_set(&world.dns, ONE TWO);
    dns_start(&world.dns);
    configure(&world, "", PODS);
    proxy_start(&world.proxy);
    expect_servers(&world, "pod-1=127.0.0.1 pod-2=127.0.0.2");
    int client = connect_through(&world, 1);

    dns_set(&world.dns, THREE TWO ONE);
    wait_servers(&world, "pod-1=127.0.0.1 pod-2=127.0.0.2 pod-3=127.0.0.3");
    close(connect_through(&world, 3));

    dns_set(&world.dns, THREE TWO);
    wait_servers(&world, "pod-1=none pod-2=127.0.0.2 pod-3=127.0.0.3");
    uint64_t before = origin_accepted(world.origins[0]);
    for (unsigned i = 0; i < 20; i++) {
        one_session(&world);
    }
    ck_assert_uint_eq(origin_accepted(world.origins[0]), before);
    echoes(client);

    dns_set(&world.dns, FOUR THREE TWO);
    wait_servers(&world, "pod-1=127.0.0.4 pod-2=127.0.0.2 pod-3=127.0.0.3");
    dns_set(&world.dns, FOUR THREE TWO ONE);
    wait_mentioned(world.proxy.log, "'pods.test:");
    wait_mentioned(world.proxy.log, "has 4 addresses: 1 of them are not used, since max is 3");
    expect_servers(&world, "pod-1=127.0.0.4 pod-2=127.0.0.2 pod-3=127.0.0.3");
    echoes(client);
    close(client);
    proxy_stop(&world.proxy);
}
END_TEST

START_TEST(single_server_follows_its_name)
{
    struct world world;
    if (!world_init(&world, ORIGIN_ECHO)) {
        skip_test("no knotd");
    }
    dns_set(&world.dns, "app A 127.0.0.1\n");
    dns_start(&world.dns);
    configure(&world, "", "server = a app.test:PORT\n");
    proxy_start(&world.proxy);
    expect_servers(&world, "a=127.0.0.1");
    int client = connect_through(&world, 1);
    /* It stays, however many others there are. */
    dns_set(&world.dns, "app A 127.0.0.3\napp A 127.0.0.1\napp A 127.0.0.2\nmark A 127.0.0.1\n");
    dns_set(&world.dns, "app CNAME other\nother A 127.0.0.2\n");
    wait_servers(&world, "a=127.0.0.2");
    close(connect_through(&world, 2));
    echoes(client);
    close(client);
    ck_assert_uint_eq(file_mentions(world.proxy.log, "has address 127.0.0.3"), 0);
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(&world.proxy, &outcome, "config", NULL), 0);
    ck_assert_msg(strstr(outcome.out, "server = a app.test:") != NULL, "%s", outcome.out);
    proxy_stop(&world.proxy);
}
END_TEST

/* --- name servers without an answer --- */

static void wait_asked(const struct world *world)
{
    char text[64];
    snprintf(text, sizeof text, "[generation %u] server main/pod: ", world->proxy.generation);
    wait_mentioned(world->proxy.log, text);
}

/* A process says once why it has no answer. On a slow machine the name server may not have answered
 * in time just then: the next process asks again. */
static void says_why(struct world *world, const char *why)
{
    wait_asked(world);
    while (file_mentions(world->proxy.log, why) == 0) {
        proxy_reload(&world->proxy);
        wait_asked(world);
    }
}

static void outage(struct world *world, void (*begin)(struct dns *dns),
                   void (*end)(struct dns *dns), const char *why, const char *why_later)
{
    dns_set(&world->dns, ONE TWO);
    dns_start(&world->dns);
    configure(world, "resolve-hold = 1h\nresolve-timeout = 3s\n", PODS);
    proxy_start(&world->proxy);
    int client = connect_through(world, 1);
    begin(&world->dns);
    wait_mentioned(world->proxy.log, why);
    wait_mentions(world->proxy.log, "the last addresses are kept for", 1);
    expect_servers(world, "pod-1=127.0.0.1 pod-2=127.0.0.2");
    /* The new process takes the addresses over, without an answer. */
    proxy_reload(&world->proxy);
    expect_servers(world, "pod-1=127.0.0.1 pod-2=127.0.0.2");
    one_session(world);
    says_why(world, why_later);
    /* Also with another weight in the line. */
    configure(world, "resolve-hold = 1h\nresolve-timeout = 3s\n",
              "server = pod pods.test:PORT resolve=all max=3 weight=7\n");
    proxy_reload(&world->proxy);
    expect_servers(world, "pod-1=127.0.0.1 pod-2=127.0.0.2");
    /* The last process has asked as well: it says so when it has an answer again. */
    wait_asked(world);
    end(&world->dns);
    wait_mentioned(world->proxy.log, "is resolved again");
    dns_set(&world->dns, TWO THREE);
    wait_servers(world, "pod-1=127.0.0.3 pod-2=127.0.0.2");
    echoes(client);
    close(client);
    proxy_stop(&world->proxy);
}

START_TEST(silent_name_server)
{
    struct world world;
    if (!world_init(&world, ORIGIN_ECHO)) {
        skip_test("no knotd");
    }
    outage(&world, dns_silence, dns_wake, "no answer from a name server within resolve-timeout",
           "no answer");
}
END_TEST

START_TEST(dead_name_server)
{
    struct world world;
    if (!world_init(&world, ORIGIN_ECHO)) {
        skip_test("no knotd");
    }
    /* What was under way when it died has no answer; what comes later is refused, or has none if
     * the kernel sends no more ICMP messages in this second. */
    outage(&world, dns_end, dns_start, "the last addresses are kept for", "are kept for");
}
END_TEST

static void restart(struct dns *dns)
{
    dns_end(dns);
    dns_set(dns, ONE TWO);
    dns_start(dns);
}

START_TEST(failing_name_server)
{
    struct world world;
    if (!world_init(&world, ORIGIN_ECHO)) {
        skip_test("no knotd");
    }
    outage(&world, dns_break, restart, "the last addresses are kept for",
           "fail or refuse (SERVFAIL, REFUSED)");
}
END_TEST

static void remove_name(struct dns *dns)
{
    dns_set(dns, "");
}

static void add_name(struct dns *dns)
{
    dns_set(dns, ONE TWO);
}

START_TEST(name_that_does_not_exist_any_more)
{
    struct world world;
    if (!world_init(&world, ORIGIN_ECHO)) {
        skip_test("no knotd");
    }
    outage(&world, remove_name, add_name, "the name does not exist (NXDOMAIN)", "NXDOMAIN");
}
END_TEST

START_TEST(addresses_are_given_up)
{
    struct world world;
    if (!world_init(&world, ORIGIN_ECHO)) {
        skip_test("no knotd");
    }
    dns_set(&world.dns, ONE TWO);
    dns_start(&world.dns);
    configure(&world, "resolve-hold = 1s\nresolve-timeout = 1s\n", PODS);
    proxy_start(&world.proxy);
    int client = connect_through(&world, 2);
    dns_silence(&world.dns);
    wait_servers(&world, "pod-1=none pod-2=none");
    wait_mentions(world.proxy.log, "its addresses are given up", 1);
    echoes(client);
    expect_reset_at(&world.front);
    dns_wake(&world.dns);
    wait_servers(&world, "pod-1=127.0.0.1 pod-2=127.0.0.2");
    one_session(&world);
    echoes(client);
    close(client);
    proxy_stop(&world.proxy);
}
END_TEST

/* --- start --- */

START_TEST(start_without_an_answer)
{
    struct world world;
    char wanted[PATH_MAX + 64];
    struct outcome outcome;
    if (!world_init(&world, ORIGIN_ECHO)) {
        skip_test("no knotd");
    }
    dns_start(&world.dns);
    dns_silence(&world.dns);
    configure(&world, "resolve-timeout = 100ms\n",
              PODS "server = a app.test:PORT\nserver = b 127.0.0.1:PORT\n");
    proxy_launch(&world.proxy);
    int status = wait_gone(world.proxy.pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 2, "wait status %d", status);
    snprintf(wanted, sizeof wanted,
             "%s:14: server 'a': 'app.test:%u': no answer from a name server", world.proxy.file,
             world.server_port);
    wait_mentioned(world.proxy.log, wanted);
    ck_assert_int_eq(proxy_command(&world.proxy, &outcome, "check", NULL), 2);
    ck_assert_msg(strstr(outcome.err, wanted) != NULL, "%s", outcome.err);
    ck_assert_msg(strstr(outcome.err, "server 'pod'") != NULL, "%s", outcome.err);

    configure(&world, "resolve-timeout = 100ms\n",
              PODS "server = a app.test:PORT\nserver = b 127.0.0.1:PORT\n"
                   "start-unresolved = down\n");
    ck_assert_int_eq(proxy_command(&world.proxy, &outcome, "check", NULL), 0);
    proxy_start(&world.proxy);
    expect_servers(&world, "a=none");
    one_session(&world);
    dns_wake(&world.dns);
    dns_set(&world.dns, "app A 127.0.0.2\n" THREE);
    wait_servers(&world, "a=127.0.0.2 pod-1=127.0.0.3");
    close(connect_through(&world, 3));

    /* A reload with a name that has no address: the old process serves on. */
    configure(&world, "", PODS "server = a app.test:PORT\nserver = c no.test:PORT\n");
    ck_assert_int_eq(proxy_command(&world.proxy, &outcome, "reload", NULL), 2);
    ck_assert_msg(strstr(outcome.err, "the name does not exist (NXDOMAIN)") != NULL, "%s",
                  outcome.err);
    ck_assert_int_eq(proxy_command(&world.proxy, &outcome, "reload", "--dry-run", NULL), 2);
    ck_assert_msg(strstr(outcome.err, "server 'c'") != NULL, "%s", outcome.err);
    one_session(&world);
    dns_silence(&world.dns);
    configure(&world, "resolve-timeout = 1s\n", PODS "server = a app.test:PORT\n");
    ck_assert_int_eq(proxy_command(&world.proxy, &outcome, "reload", "--dry-run", NULL), 0);
    proxy_reload(&world.proxy);
    expect_servers(&world, "a=127.0.0.2 pod-1=127.0.0.3");
    proxy_stop(&world.proxy);
}
END_TEST

/* Also those that a reload adds. Nobody listens on the port of the names. */
START_TEST(names_are_checked_from_the_begin_on)
{
    struct world world;
    char servers[256];
    unsigned dead = port_reserve(getuid());
    if (!world_init(&world, ORIGIN_ECHO)) {
        skip_test("no knotd");
    }
    dns_start(&world.dns);
    dns_set(&world.dns, ONE "app A 127.0.0.2\n");
    snprintf(servers, sizeof servers,
             "server = a app.test:%u\nserver = b 127.0.0.1:PORT\ncheck = tcp\n"
             "check-interval = 50ms\n",
             dead);
    configure(&world, "", servers);
    proxy_start(&world.proxy);
    wait_mentioned(world.proxy.log, "server main/a is DOWN");
    snprintf(servers + strlen(servers), sizeof servers - strlen(servers),
             "server = pod pods.test:%u resolve=all max=2\nserver = c app.test:%u\n", dead, dead);
    configure(&world, "", servers);
    proxy_reload(&world.proxy);
    wait_mentioned(world.proxy.log, "server main/pod-1 is DOWN");
    wait_mentioned(world.proxy.log, "server main/c is DOWN");
    one_session(&world);
    proxy_stop(&world.proxy);
}
END_TEST

/* --- answers of other kinds --- */

/* Their 1.6 KB come by TCP only. */
START_TEST(hundred_addresses)
{
    struct world world;
    static char records[16384], wanted[16384];
    size_t length = 0, wanted_length = 0;
    if (!world_init(&world, ORIGIN_ECHO)) {
        skip_test("no knotd");
    }
    for (unsigned i = 1; i <= 100; i++) {
        length +=
            (size_t)snprintf(records + length, sizeof records - length, "pods A 10.0.0.%u\n", i);
        wanted_length += (size_t)snprintf(wanted + wanted_length, sizeof wanted - wanted_length,
                                          "%spod-%u=10.0.0.%u", i > 1 ? " " : "", i, i);
    }
    dns_set(&world.dns, records);
    dns_start(&world.dns);
    configure(&world, "", "server = pod pods.test:PORT resolve=all max=200\n");
    proxy_start(&world.proxy);
    expect_servers(&world, wanted);
    proxy_stop(&world.proxy);
}
END_TEST

static bool has_text(void *argument)
{
    const struct wanted *wanted = argument;
    struct outcome outcome;
    return proxy_command(wanted->proxy, &outcome, "status", "--json", NULL) == 0 &&
           strstr(outcome.out, wanted->text) != NULL;
}

START_TEST(services)
{
    struct world world;
    char records[512];
    struct outcome outcome;
    if (!world_init(&world, ORIGIN_ECHO)) {
        skip_test("no knotd");
    }
    static const char form[] = "_db._tcp SRV 10 20 %u one\n_db._tcp SRV 10 %u %u two\n"
                               "one A 127.0.0.1\ntwo A 127.0.0.2\n";
    snprintf(records, sizeof records, form, world.server_port, 60, world.server_port);
    dns_set(&world.dns, records);
    dns_start(&world.dns);
    configure(&world, "", "server = db srv:_db._tcp.test resolve=all\n");
    proxy_start(&world.proxy);
    /* The highest weight comes first. */
    expect_servers(&world, "db-1=127.0.0.2 db-2=127.0.0.1");
    one_session(&world);
    ck_assert_int_eq(proxy_command(&world.proxy, &outcome, "server", "main/db-2", "weight=5", NULL),
                     0);
    snprintf(records, sizeof records, form, world.server_port, 30, world.server_port);
    dns_set(&world.dns, records);
    wait_mentioned(world.proxy.log, "server main/db-1 has weight 30 by its SRV record");
    struct wanted wanted = {&world.proxy, "\"weight\": 5,"};
    wait_until(has_text, &wanted, "the weight of the command stays");
    proxy_reload(&world.proxy);
    wait_until(has_text, &wanted, "the weight of the command stays after a reload");
    expect_servers(&world, "db-1=127.0.0.2 db-2=127.0.0.1");
    dns_set(&world.dns, "_db._tcp SRV 0 0 1 one\none A 127.0.0.1\n");
    wait_servers(&world, "db-1=127.0.0.1 db-2=none");
    proxy_stop(&world.proxy);
}
END_TEST

/* The name of a server gets the address of the proxy itself. */
START_TEST(name_of_the_proxy_itself)
{
    struct world world;
    char servers[64];
    if (!world_init(&world, ORIGIN_ECHO)) {
        skip_test("no knotd");
    }
    dns_set(&world.dns, "app A 127.0.0.2\n");
    dns_start(&world.dns);
    world.front.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    snprintf(servers, sizeof servers, "server = a app.test:%u\n", world.port);
    /* 127.0.0.2 is no bind: nobody listens there. */
    configure(&world, "", servers);
    proxy_start(&world.proxy);
    expect_servers(&world, "a=127.0.0.2");
    dns_set(&world.dns, "app A 127.0.0.1\n");
    wait_mentioned(world.proxy.log, "it is not used, since each session would return to backend "
                                    "main, without end");
    expect_servers(&world, "a=127.0.0.2");
    proxy_stop(&world.proxy);
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(&world.proxy, &outcome, "check", NULL), 2);
    ck_assert_msg(strstr(outcome.err, "each session would return to backend main") != NULL, "%s",
                  outcome.err);
}
END_TEST

/* --- dnsmasq: what small networks have --- */

START_TEST(dnsmasq_reads_its_hosts_again)
{
    struct world world;
    char hosts[PATH_MAX], log[PATH_MAX], port[32], file[PATH_MAX + 32];
    if (!world_init(&world, ORIGIN_ECHO)) {
        skip_test("no knotd");
    }
    if (!program_exists("/usr/sbin/dnsmasq")) {
        skip_test("no dnsmasq");
    }
    test_path(hosts, "hosts");
    test_path(log, "dnsmasq-log");
    snprintf(port, sizeof port, "--port=%u", world.dns.port);
    snprintf(file, sizeof file, "--addn-hosts=%s", hosts);
    write_file(hosts, 0644, "127.0.0.1 pods.test\n127.0.0.2 pods.test\n");
    const char *argv[] = {"/usr/sbin/dnsmasq",
                          "-k",
                          "--conf-file=/dev/null",
                          port,
                          file,
                          "--listen-address=127.0.0.1",
                          "--bind-interfaces",
                          "--no-resolv",
                          "--no-hosts",
                          "--pid-file=",
                          "--log-facility=-",
                          "--user=root",
                          NULL};
    pid_t dnsmasq = program_start(&(struct program){.argv = argv, .out = log, .err = log});
    wait_mentioned(log, "read ");
    /* It answers questions for AAAA with REFUSED, as it has nobody to ask. */
    configure(&world, "", PODS);
    proxy_start(&world.proxy);
    expect_servers(&world, "pod-1=127.0.0.1 pod-2=127.0.0.2");
    write_file(hosts, 0644, "127.0.0.2 pods.test\n127.0.0.3 pods.test\n");
    kill(dnsmasq, SIGHUP);
    wait_servers(&world, "pod-1=127.0.0.3 pod-2=127.0.0.2");
    daemon_end(dnsmasq, SIGTERM);
    wait_mentioned(world.proxy.log, "the last addresses are kept for");
    one_session(&world);
    proxy_stop(&world.proxy);
}
END_TEST

/* --- resolver = system --- */

/* The test, and what it starts, sees its own files as /etc/resolv.conf and /etc/hosts. False: not
 * permitted. */
static bool own_files(const char *resolv_conf, const char *hosts)
{
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount(resolv_conf, "/etc/resolv.conf", NULL, MS_BIND, NULL) == 0 &&
           mount(hosts, "/etc/hosts", NULL, MS_BIND, NULL) == 0;
}

/* A name server on this address, for whom app.test has another address than for the next one. */
static void start_dnsmasq(const char *listen, const char *name, const char *address)
{
    char hosts[PATH_MAX], log[PATH_MAX], file[PATH_MAX + 32], listening[64], log_name[32];
    snprintf(log_name, sizeof log_name, "dnsmasq-%s", name);
    test_path(log, log_name);
    write_file(test_path(hosts, name), 0644, "%s app.test\n", address);
    snprintf(file, sizeof file, "--addn-hosts=%s", hosts);
    snprintf(listening, sizeof listening, "--listen-address=%s", listen);
    const char *argv[] = {"/usr/sbin/dnsmasq",
                          "-k",
                          "--conf-file=/dev/null",
                          "--bind-interfaces",
                          "--no-resolv",
                          "--no-hosts",
                          "--local=/test/",
                          "--pid-file=",
                          "--log-facility=-",
                          "--user=root",
                          file,
                          listening,
                          NULL};
    program_start(&(struct program){.argv = argv, .out = log, .err = log});
    wait_mentioned(log, "read ");
}

START_TEST(files_of_the_system)
{
    struct proxy proxy;
    char resolv_conf[PATH_MAX], hosts[PATH_MAX];
    if (!program_exists("/usr/sbin/dnsmasq")) {
        skip_test("no dnsmasq");
    }
    write_file(test_path(resolv_conf, "resolv.conf"), 0644, "nameserver 127.0.0.2\nsearch test\n");
    write_file(test_path(hosts, "etc-hosts"), 0644, "10.9.9.9 hosted\n");
    if (!network_own() || !own_files(resolv_conf, hosts)) {
        skip_test("no namespaces");
    }
    start_dnsmasq("127.0.0.2", "one", "10.0.0.1");
    start_dnsmasq("127.0.0.3", "two", "10.0.0.2");
    proxy_init(&proxy, "proxy");
    proxy_configure(&proxy, "resolve-min = 20ms\n[listen main]\nbind = localhost:8080\n"
                            "server = a app:80\nserver = b hosted:80\n");
    proxy_start(&proxy);
    const struct world world = {.proxy = proxy};
    expect_servers(&world, "a=10.0.0.1 b=10.9.9.9");
    /* In place: the mount is of this very file. */
    FILE *file = fopen(resolv_conf, "w");
    ck_assert_ptr_nonnull(file);
    fputs("nameserver 127.0.0.3\nsearch test\n", file);
    fclose(file);
    wait_servers(&world, "a=10.0.0.2 b=10.9.9.9");
    proxy_stop(&proxy);
}
END_TEST

/* --- load --- */

/* Addresses change all the time, under load, with reloads and handoffs: nothing is lost, since all
 * of the machines live on. */
START_TEST(changes_and_reloads_under_load)
{
    struct world world;
    static const char *const zones[] = {ONE TWO, TWO THREE, THREE ONE, ONE TWO THREE, FOUR};
    const unsigned reloads = scaled(12, 4);
    if (!world_init(&world, ORIGIN_ANSWER)) {
        skip_test("no knotd");
    }
    dns_set(&world.dns, ONE TWO);
    dns_start(&world.dns);
    configure(&world, "",
              PODS "server = a app.test:PORT\nstart-unresolved = down\ncheck = tcp\n"
                   "check-interval = 50ms\n");
    proxy_start(&world.proxy);
    struct churn *churn = churn_load(&world.front, 40);
    for (unsigned i = 0; i < reloads; i++) {
        dns_set(&world.dns, zones[i % 5]);
        churn_wait(churn, churn_ended(churn) + 50);
        if (i % 4 == 2) {
            dns_silence(&world.dns);
        }
        proxy_reload(&world.proxy);
        churn_wait(churn, churn_ended(churn) + 50);
        if (i % 4 == 2) {
            dns_wake(&world.dns);
        }
    }
    churn_stop_clean(churn, "names under load");
    proxy_wait_drained(&world.proxy);
    proxy_stop(&world.proxy);
}
END_TEST

Suite *names_suite(void)
{
    Suite *suite = suite_create("names");
    scenario_add(suite, addresses_come_and_go, 120);
    scenario_add(suite, single_server_follows_its_name, 120);
    scenario_add(suite, silent_name_server, 120);
    scenario_add(suite, dead_name_server, 120);
    scenario_add(suite, failing_name_server, 120);
    scenario_add(suite, name_that_does_not_exist_any_more, 120);
    scenario_add(suite, addresses_are_given_up, 120);
    scenario_add(suite, start_without_an_answer, 120);
    scenario_add(suite, names_are_checked_from_the_begin_on, 120);
    scenario_add(suite, hundred_addresses, 120);
    scenario_add(suite, services, 120);
    scenario_add(suite, name_of_the_proxy_itself, 120);
    scenario_add(suite, dnsmasq_reads_its_hosts_again, 120);
    scenario_add(suite, files_of_the_system, 120);
    scenario_add(suite, changes_and_reloads_under_load, 240);
    return suite;
}
