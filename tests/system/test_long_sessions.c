/* Sessions that live through many reloads, of which no byte may be lost, doubled or moved. */
#include "harness.h"
#include "net.h"
#include "proxy.h"
#include "scenarios.h"
#include "streams.h"

#include <stdio.h>
#include <unistd.h>

enum { RELOADS = 50, SESSIONS = 64, EARLY = 14, GIBIBYTE = 1 << 30 };

/* Some sessions from the start, and one more in each generation: all of them live to the end. */
START_TEST(sequence_checked)
{
    struct streams *streams = streams_create();
    uint16_t port = port_reserve(getuid());
    struct endpoint front = endpoint_loopback(port);
    struct proxy proxy;
    proxy_init(&proxy, "proxy");
    proxy_configure(&proxy,
                    "workers = 2\ndrain = wait\nmax-generations = 64\n"
                    "[listen main]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n",
                    port, streams_port(streams));
    proxy_start(&proxy);
    unsigned reloads = scaled(RELOADS, 5);
    streams_open(streams, &front, EARLY);
    for (unsigned i = 0; i < reloads; i++) {
        streams_wait_progress(streams, 1);
        proxy_reload(&proxy);
        streams_open(streams, &front, (SESSIONS - EARLY) / reloads);
    }
    streams_wait_progress(streams, 20);
    struct status status;
    ck_assert(proxy_status(&proxy, &status));
    printf("     %u reloads, %u generations alive\n", reloads, status.count);
    ck_assert_uint_eq(status.count, reloads + 1);
    streams_finish(streams);
    proxy_wait_drained(&proxy);
    proxy_stop(&proxy);
}
END_TEST

START_TEST(bulk_transfer)
{
    uint16_t port = port_reserve(getuid()), server_port;
    int listener = listen_loopback(&server_port);
    struct endpoint front = endpoint_loopback(port);
    struct proxy proxy;
    proxy_init(&proxy, "proxy");
    proxy_configure(&proxy,
                    "workers = 2\n[listen main]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n",
                    port, server_port);
    proxy_start(&proxy);
    struct transfer *transfer = transfer_start(&front, listener, scaled(GIBIBYTE, 1 << 25));
    unsigned reloads = 0;
    do {
        proxy_reload(&proxy);
        reloads++;
    } while (transfer_running(transfer));
    transfer_finish(transfer);
    printf("     %u reloads\n", reloads);
    proxy_wait_drained(&proxy);
    proxy_stop(&proxy);
}
END_TEST

/* The bind goes with the reload; the sessions that came in by it stay. */
START_TEST(outliving_their_bind)
{
    struct streams *streams = streams_create();
    uint16_t port = port_reserve(getuid()), other = port_reserve(getuid());
    struct endpoint front = endpoint_loopback(port);
    struct proxy proxy;
    proxy_init(&proxy, "proxy");
    proxy_configure(&proxy, "[listen main]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n", port,
                    streams_port(streams));
    proxy_start(&proxy);
    streams_open(streams, &front, 8);
    streams_wait_progress(streams, 1);
    proxy_configure(&proxy, "[listen main]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n", other,
                    streams_port(streams));
    proxy_reload(&proxy);
    streams_wait_progress(streams, 20);
    streams_finish(streams);
    proxy_wait_drained(&proxy);
    ck_assert_msg(try_connect(&front) < 0, "the removed bind still takes connections");
    proxy_stop(&proxy);
}
END_TEST

Suite *long_sessions_suite(void)
{
    Suite *suite = suite_create("long_sessions");
    scenario_add(suite, sequence_checked, 1200);
    scenario_add(suite, bulk_transfer, 1200);
    scenario_add(suite, outliving_their_bind, 300);
    return suite;
}
