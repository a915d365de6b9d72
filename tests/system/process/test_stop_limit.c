/* A process that is to end, or its listeners are to close, and a thread of it hangs. */
#include "tests/system/scenarios.h"
#include "tests/system/support/hang.h"
#include "tests/system/support/net.h"
#include "tests/system/support/proxy.h"
#include "tests/system/support/scene.h"
#include "tests/system/support/trap.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* A proxy with one worker, which hangs while it has a session. */
struct hung {
    struct proxy proxy;
    struct session session;
};

static void start_hung(struct hung *hung, const char *name, int listener, uint16_t server_port)
{
    const uint16_t port = port_reserve(getuid());
    const struct endpoint front = endpoint_loopback(port);
    proxy_init(&hung->proxy, name);
    proxy_configure(&hung->proxy,
                    "workers = 1\nstop-timeout = 100ms\nlinger-timeout = 100ms\n"
                    "[listen main]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n",
                    port, server_port);
    proxy_start(&hung->proxy);
    hung->session = session_through(&front, listener);
    session_works(&hung->session);
    (void)hang_thread(worker_of(hung->proxy.pid));
}

/* One is stopped gracefully, and says how many sessions are lost; one is to end at once. */
START_TEST(a_thread_that_hangs_delays_no_end_for_ever)
{
    struct hung stopped, interrupted;
    uint16_t server_port;
    int listener = listen_loopback(&server_port);
    start_hung(&interrupted, "interrupted", listener, server_port);
    start_hung(&stopped, "stopped", listener, server_port);
    kill(interrupted.proxy.pid, SIGINT);
    ck_assert_int_eq(proxy_command(&stopped.proxy, &(struct outcome){0}, "stop", NULL), 9);
    ck_assert_int_eq(WEXITSTATUS(wait_gone(stopped.proxy.pid)), 1);
    wait_mentioned(stopped.proxy.log, "a thread of this process hangs");
    expect_eof(stopped.session.client);
    ck_assert_int_eq(WTERMSIG(wait_gone(interrupted.proxy.pid)), SIGALRM);
    expect_eof(interrupted.session.client);
}
END_TEST

/* The kernel does not answer the thread that looks for handshakes under way. */
START_TEST(a_look_that_hangs_delays_no_reload_for_ever)
{
    struct scene scene;
    struct trap trap;
    if (!trap_works())
        skip_test("strace cannot trace here");
    setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* LeakSanitizer does not work under strace */
    scene_start(&scene, "linger-timeout = 200ms\n", "");
    const pid_t first = scene.proxy.pid;
    trap_init(&trap, "look", "membarrier", 0, NULL);
    const pid_t strace = trap_delay(&trap, first, "membarrier");
    proxy_reload(&scene.proxy);
    wait_mentioned(scene.proxy.log, "has not shown in time which handshakes are under way");
    wait_mentioned(scene.proxy.log, "generation 1 has drained");
    kill(strace, SIGKILL); /* it would hold up the exit */
    ck_assert_int_eq(wait_gone(first), 0);
    ck_assert_int_eq(proxy_command(&scene.proxy, &(struct outcome){0}, "stop", NULL), 0);
}
END_TEST

Suite *stop_limit_suite(void)
{
    Suite *suite = suite_create("stop_limit");
    scenario_add(suite, a_thread_that_hangs_delays_no_end_for_ever, 240);
    scenario_add(suite, a_look_that_hangs_delays_no_reload_for_ever, 240);
    return suite;
}
