/* Which server a session gets, and how the session is connected to it. */
#include "tests/system/scenarios.h"
#include "tests/system/support/churn.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/net.h"
#include "tests/system/support/origin.h"
#include "tests/system/support/proxy.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CONNECTIONS = 20000 };

/* On [::1]; -1 where there is no IPv6. */
static int listen_ipv6(uint16_t *port)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && (bind(fd, (struct sockaddr *)&address, length) != 0 || listen(fd, 1024) != 0 ||
                    getsockname(fd, (struct sockaddr *)&address, &length) != 0)) {
        close(fd);
        fd = -1;
    }
    *port = ntohs(address.sin6_port);
    return fd;
}

/* A socket that one session left is used again only for a server of the same kind. A socket whose
 * connection was refused is not used again. */
START_TEST(servers_of_all_kinds_in_turn)
{
    char path[PATH_MAX];
    uint16_t six;
    int fd = listen_ipv6(&six);
    if (fd < 0)
        skip_test("no IPv6");
    test_path(path, "origin.sock");
    struct origin *origins[] = {origin_start(ORIGIN_ANSWER), origin_start_on(ORIGIN_ANSWER, fd),
                                origin_start_on(ORIGIN_ANSWER, listen_unix(path))};
    struct proxy proxy;
    uint16_t port = port_reserve(getuid()), closed = port_reserve(getuid());
    proxy_init(&proxy, "proxy");
    proxy_configure(&proxy,
                    "workers = 2\n[listen main]\nbind = 127.0.0.1:%u\n"
                    "server = four 127.0.0.1:%u\nserver = six [::1]:%u\n"
                    "server = path unix:%s\nserver = closed 127.0.0.1:%u\n",
                    port, origin_port(origins[0]), six, path, closed);
    proxy_start(&proxy);
    uint64_t wanted = scaled(CONNECTIONS, 500);
    struct churn *churn =
        churn_start(&(struct churn_options){.target = endpoint_loopback(port), .in_flight = 50});
    churn_wait(churn, wanted);
    churn_stop_clean(churn, "servers of all kinds");
    for (size_t i = 0; i < sizeof origins / sizeof *origins; i++)
        ck_assert_uint_ge(origin_accepted(origins[i]), wanted / 5);
    proxy_wait_drained(&proxy);
    proxy_stop(&proxy);
}
END_TEST

static void read_word(const char *path, char word[static 32])
{
    FILE *file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%31s", word), 1);
    fclose(file);
}

/* The congestion control of the one established connection that the filter matches, as the kernel
 * reports it. */
static void expect_congestion(const char *filter, uint16_t port, const char *name)
{
    char text[64];
    struct outcome outcome;
    snprintf(text, sizeof text, "%s = :%u", filter, port);
    run(&outcome, "ss", "-Htin", "state", "established", text, NULL);
    ck_assert_msg(strstr(outcome.out, name) != NULL, "no %s at %s: %s%s", name, text, outcome.out,
                  outcome.err);
}

static void exchange(int client)
{
    char byte = 'x';
    send_all(client, &byte, 1);
    receive_exactly(client, &byte, 1);
}

/* Each frontend and backend has its own congestion control, also where a socket is used again, and
 * after a reload. Without the option it is the kernel's default. */
START_TEST(congestion_of_each_side)
{
    char usual[32];
    struct outcome outcome;
    struct origin *origins[] = {origin_start(ORIGIN_ECHO), origin_start(ORIGIN_ECHO)};
    uint16_t ports[] = {port_reserve(getuid()), port_reserve(getuid())};
    read_word("/proc/sys/net/ipv4/tcp_congestion_control", usual);
    const char *other = strcmp(usual, "reno") == 0 ? "cubic" : "reno";
    struct proxy proxy;
    proxy_init(&proxy, "proxy");
    for (unsigned i = 0; i < 4; i++) {
        /* First the first listen's, then the second's. */
        proxy_configure(&proxy,
                        "workers = 1\n"
                        "[listen one]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n"
                        "congestion = %s\n"
                        "[listen two]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n"
                        "congestion = %s\n",
                        ports[0], origin_port(origins[0]), i % 2 ? "system" : other, ports[1],
                        origin_port(origins[1]), i % 2 ? other : "system");
        if (i == 0 && proxy_command(&proxy, &outcome, "check", NULL) != 0)
            skip_test("one congestion control only");
        if (i == 0)
            proxy_start(&proxy);
        else
            proxy_reload(&proxy);
        for (unsigned j = 0; j < 6; j++) {
            struct endpoint front = endpoint_loopback(ports[j % 2]);
            const char *name = i % 2 == j % 2 ? other : usual;
            int client = connect_to(&front);
            exchange(client);
            expect_congestion("sport", ports[j % 2], name);
            expect_congestion("dport", origin_port(origins[j % 2]), name);
            shutdown(client, SHUT_WR);
            expect_eof(client);
            close(client);
        }
        proxy_wait_drained(&proxy);
    }
    proxy_stop(&proxy);
}
END_TEST

Suite *servers_suite(void)
{
    Suite *suite = suite_create("servers");
    scenario_add(suite, servers_of_all_kinds_in_turn, 300);
    scenario_add(suite, congestion_of_each_side, 300);
    return suite;
}
