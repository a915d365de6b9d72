/* A process is halted during a handoff (SIGSTOP, the freezer of a control group). */
#include "tests/system/scenarios.h"
#include "tests/system/support/scene.h"
#include "tests/system/support/trap.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SESSIONS = 3 };

struct handoff {
    struct scene scene;
    struct session sessions[SESSIONS];
    struct trap trap;
    pid_t first, strace;
};

static bool has_sent_them(void *argument)
{
    struct handoff *handoff = argument;
    return trap_halts(&handoff->trap, handoff->first, TRAP_HANDOFF, 1);
}

/* One worker, so that all sessions are in one message. The sender is halted when it has sent it. */
static void hand_off(struct handoff *handoff)
{
    struct scene *scene = &handoff->scene;
    scene_start(scene, "workers = 1\n", "");
    handoff->first = scene->proxy.pid;
    for (unsigned i = 0; i < SESSIONS; i++) {
        handoff->sessions[i] = session_open(scene);
        session_works(&handoff->sessions[i]);
    }
    trap_init(&handoff->trap, "halt", "sendmsg", 1, "SIGSTOP");
    handoff->trap.each = true;
    handoff->strace = trap_process(&handoff->trap, handoff->first);
    scene_configure(scene, "", "");
    pid_t reload = proxy_reload_start(&scene->proxy);
    wait_until(has_sent_them, handoff, "the sender is halted");
    proxy_reload_end(&scene->proxy, reload);
}

static void expect_first_ends(const struct handoff *handoff)
{
    (void)wait_gone(handoff->strace);
    ck_assert_int_eq(wait_gone(handoff->first), 0);
}

/* The sender is halted after it has sent the sessions. It still has their sockets when the sessions
 * end in the other process. */
START_TEST(ends_are_reported_though_the_sender_is_halted)
{
    if (!trap_works())
        skip_test("strace cannot trace here");
    setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* LeakSanitizer does not work under strace */
    struct handoff handoff;
    hand_off(&handoff);
    for (unsigned i = 0; i < SESSIONS; i++)
        session_works(&handoff.sessions[i]);

    const struct session *ended = &handoff.sessions[0];
    shutdown(ended->client, SHUT_WR);
    expect_eof(ended->server);
    close(ended->server);
    expect_eof(ended->client);
    close(ended->client);
    const struct session *reset = &handoff.sessions[1];
    send_reset(reset->server);
    expect_reset(reset->client);
    close(reset->client);

    trap_release(handoff.first);
    expect_first_ends(&handoff);
    session_works(&handoff.sessions[2]);
    session_close(&handoff.sessions[2]);
    proxy_stop(&handoff.scene.proxy);
}
END_TEST

/* The old process stands by, or is halted while it does. It does not serve again, because the proxy
 * was told to end. */
START_TEST(ended_at_once_while_the_predecessor_stands_by)
{
    struct scene scene;
    scene_init(&scene);
    scene_configure(&scene, "probation = 10m\n", "");
    for (unsigned halted = 0; halted < 2; halted++) {
        proxy_start(&scene.proxy);
        struct session session = session_open(&scene);
        session_works(&session);
        pid_t first = scene.proxy.pid;
        proxy_reload(&scene.proxy);
        if (halted)
            process_stop(first);
        ck_assert_int_eq(kill(scene.proxy.pid, SIGINT), 0);
        wait_gone(scene.proxy.pid);
        ck_assert_int_eq(kill(first, SIGCONT), 0);
        wait_mentions(scene.proxy.log, "stopping: no new connections", halted + 1);
        session_works(&session);
        session_close(&session);
        ck_assert_int_eq(wait_gone(first), 0);
    }
}
END_TEST

Suite *halts_suite(void)
{
    Suite *suite = suite_create("halts");
    scenario_add(suite, ends_are_reported_though_the_sender_is_halted, 240);
    scenario_add(suite, ended_at_once_while_the_predecessor_stands_by, 240);
    return suite;
}
