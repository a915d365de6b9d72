/* fin-timeout, session-timeout, and idle-timeout of a backend. Each test waits for a session that
 * ends, beside one that must not: the limits of the other are hours. */
#include "tests/system/scenarios.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/net.h"
#include "tests/system/support/proxy.h"
#include "tests/system/support/scene.h"

#include <unistd.h>

START_TEST(a_half_closed_session_ends)
{
    struct scene scene;
    scene_start(&scene, "", "fin-timeout = 100ms\naccess-log = yes\n");
    struct session whole = session_open(&scene);
    for (unsigned i = 0; i < 2; i++) {
        struct session half = session_open(&scene);
        session_works(&half);
        int ends = i == 0 ? half.client : half.server, other = i == 0 ? half.server : half.client;
        ck_assert_int_eq(shutdown(ends, SHUT_WR), 0);
        expect_eof(other);
        expect_eof(ends); /* of the proxy, and not of the other side */
        wait_mentions(scene.proxy.log, "end=fin-timeout", i + 1);
        close(half.client);
        close(half.server);
    }
    session_works(&whole);
    proxy_reload(&scene.proxy); /* half-closed sessions move as others */
    session_works(&whole);
    ck_assert_int_eq(shutdown(whole.client, SHUT_WR), 0);
    expect_eof(whole.server);
    expect_eof(whole.client);
    wait_mentions(scene.proxy.log, "end=fin-timeout", 3);
    close(whole.client);
    close(whole.server);
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(a_session_that_lasts_too_long_is_cut)
{
    struct scene scene;
    scene_start(&scene, "", "session-timeout = 1s jitter=50%\naccess-log = yes\n");
    struct session first = session_open(&scene), second = session_open(&scene);
    proxy_reload(&scene.proxy); /* the time goes on */
    session_is_cut(&first);
    session_is_cut(&second);
    wait_mentions(scene.proxy.log, "end=session-timeout", 2);
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(a_backend_has_an_idle_time_of_its_own)
{
    struct scene scene;
    scene_init(&scene);
    uint16_t other = port_reserve(getuid());
    proxy_configure(&scene.proxy,
                    "[defaults]\naccess-log = yes\n"
                    "[frontend short]\nbind = 127.0.0.1:%u\nbackend = short\n"
                    "[frontend long]\nbind = 127.0.0.1:%u\nbackend = long\nidle-timeout = 1h\n"
                    "[backend short]\nserver = a 127.0.0.1:%u\nidle-timeout = 100ms\n"
                    "[backend long]\nserver = a 127.0.0.1:%u\n",
                    scene.port, other, scene.server_port, scene.server_port);
    proxy_start(&scene.proxy);
    struct endpoint front = endpoint_loopback(other);
    struct session kept = session_through(&front, scene.listener);
    struct session idle = session_open(&scene);
    expect_eof(idle.client);
    expect_eof(idle.server);
    wait_mentions(scene.proxy.log, "end=idle-timeout", 1);
    session_works(&kept);
    session_close(&kept);
    close(idle.client);
    close(idle.server);
    proxy_stop(&scene.proxy);
}
END_TEST

Suite *time_limits_suite(void)
{
    Suite *suite = suite_create("time_limits");
    scenario_add(suite, a_half_closed_session_ends, 120);
    scenario_add(suite, a_session_that_lasts_too_long_is_cut, 120);
    scenario_add(suite, a_backend_has_an_idle_time_of_its_own, 120);
    return suite;
}
