/* Sessions that live through many reloads: no byte may be lost, duplicated or moved. */
#include "tests/system/scenarios.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/scene.h"
#include "tests/system/support/streams.h"

#include <stdio.h>
#include <unistd.h>

enum { RELOADS = 50, SESSIONS = 64, EARLY = 14, GIBIBYTE = 1 << 30 };

/* Some sessions from the start, and one more in each generation. All of them live to the end. */
START_TEST(sequence_checked)
{
    struct streams *streams = streams_create();
    struct scene scene;
    scene_start_before(&scene, streams_port(streams), "drain = wait\nmax-generations = 64\n", "");
    unsigned reloads = scaled(RELOADS, 5);
    streams_open(streams, &scene.front, EARLY);
    for (unsigned i = 0; i < reloads; i++) {
        streams_wait_progress(streams, 1);
        proxy_reload(&scene.proxy);
        streams_open(streams, &scene.front, (SESSIONS - EARLY) / reloads);
    }
    streams_wait_progress(streams, 20);
    struct status status;
    ck_assert(proxy_status(&scene.proxy, &status));
    printf("     %u reloads, %u generations alive\n", reloads, status.count);
    ck_assert_uint_eq(status.count, reloads + 1);
    streams_finish(streams);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(bulk_transfer)
{
    struct scene scene;
    scene_start(&scene, "", "");
    struct transfer *transfer =
        transfer_start(&scene.front, scene.listener, scaled(GIBIBYTE, 1 << 25));
    unsigned reloads = 0;
    do {
        proxy_reload(&scene.proxy);
        reloads++;
    } while (transfer_running(transfer));
    transfer_finish(transfer);
    printf("     %u reloads\n", reloads);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

/* The reload removes the bind. The sessions that came in by it stay. */
START_TEST(outliving_their_bind)
{
    struct streams *streams = streams_create();
    struct scene scene;
    scene_start_before(&scene, streams_port(streams), "", "");
    streams_open(streams, &scene.front, 8);
    streams_wait_progress(streams, 1);
    scene.port = port_reserve(getuid());
    scene_configure(&scene, "", "");
    proxy_reload(&scene.proxy);
    streams_wait_progress(streams, 20);
    streams_finish(streams);
    proxy_wait_drained(&scene.proxy);
    ck_assert_msg(try_connect(&scene.front) < 0, "the removed bind still takes connections");
    proxy_stop(&scene.proxy);
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
