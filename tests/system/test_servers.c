/* Which server a session gets, and what becomes of it there. */
#include "churn.h"
#include "harness.h"
#include "net.h"
#include "origin.h"
#include "proxy.h"
#include "scenarios.h"

#include <stdio.h>
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

/* A socket that one session left is used by another only for a server of its kind, and one that
 * was refused in between is not used at all. */
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

Suite *servers_suite(void)
{
    Suite *suite = suite_create("servers");
    scenario_add(suite, servers_of_all_kinds_in_turn, 300);
    return suite;
}
