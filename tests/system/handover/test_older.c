/* An older process drains when the process that holds the channel to it is killed. */
#include "tests/system/scenarios.h"
#include "tests/system/support/canary.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/proxy.h"
#include "tests/system/support/scene.h"

#include <signal.h>
#include <string.h>

/* A process that drains, one that serves, and a new one. */
struct chain {
    struct scene scene;
    struct session session; /* of the process that drains */
    pid_t first, second;
};

/* The process that serves stands by for long, once it is replaced. */
static void chain_start(struct chain *chain)
{
    struct scene *scene = &chain->scene;
    scene_start(scene, "drain = wait\nstop-timeout = 100ms\n", "");
    chain->first = scene->proxy.pid;
    chain->session = session_open(scene);
    session_works(&chain->session);
    scene_configure(scene, "drain = wait\nstop-timeout = 100ms\nprobation = 10m\n", "");
    proxy_reload(&scene->proxy);
    chain->second = scene->proxy.pid;
    wait_mentioned(scene->proxy.log, "generation 1 drains");
}

static bool is_shown_to_drain(void *argument)
{
    const struct chain *chain = argument;
    struct status status;
    if (!proxy_status(&chain->scene.proxy, &status) || status.pid == chain->second) {
        return false;
    }
    for (unsigned i = 0; i < status.count; i++) {
        if (status.generations[i].pid == chain->first) {
            return strcmp(status.generations[i].state, "draining") == 0 &&
                   status.generations[i].sessions == 1;
        }
    }
    return false;
}

/* The process that serves knows the one that drains, passes it on, and stops it. */
static void expect_in_sight(struct chain *chain)
{
    struct proxy *proxy = &chain->scene.proxy;
    kill(chain->second, SIGKILL);
    wait_gone(chain->second);
    wait_until(is_shown_to_drain, chain, "the new process sees the one that drains");
    session_works(&chain->session);
    proxy_follow(proxy);
    chain->second = proxy->pid;
    scene_configure(&chain->scene, "drain = wait\nstop-timeout = 100ms\n", "");
    proxy_reload(proxy);
    wait_until(is_shown_to_drain, chain, "the process that drains was passed on");
    session_works(&chain->session);
    ck_assert_int_eq(proxy_command(proxy, &(struct outcome){0}, "stop", NULL), 9);
    session_is_cut(&chain->session);
    wait_gone(chain->first);
    wait_gone(proxy->pid);
}

START_TEST(older_process_in_sight_after_a_kill_on_standby)
{
    struct chain chain;
    chain_start(&chain);
    proxy_reload(&chain.scene.proxy);
    expect_in_sight(&chain);
}
END_TEST

START_TEST(older_process_in_sight_after_a_kill_beside_a_canary)
{
    struct chain chain;
    chain_start(&chain);
    proxy_command_start(&chain.scene.proxy, NULL, "reload", "--canary", "10%:1h", NULL);
    canary_wait(&chain.scene.proxy);
    expect_in_sight(&chain);
}
END_TEST

/* The new process of a reload that failed is no way to anybody. */
START_TEST(older_process_alone_after_a_failed_reload_and_a_kill)
{
    struct chain chain;
    struct outcome outcome;
    chain_start(&chain);
    struct proxy *proxy = &chain.scene.proxy;
    proxy_configure(proxy, "no such line\n");
    ck_assert_int_ne(proxy_command(proxy, &outcome, "reload", NULL), 0);
    kill(chain.second, SIGKILL);
    wait_gone(chain.second);
    wait_mentioned(proxy->log, "this generation continues to drain");
    session_works(&chain.session);
    session_close(&chain.session);
    ck_assert_int_eq(wait_gone(chain.first), 0);
}
END_TEST

Suite *older_suite(void)
{
    Suite *suite = suite_create("older");
    scenario_add(suite, older_process_in_sight_after_a_kill_on_standby, 120);
    scenario_add(suite, older_process_in_sight_after_a_kill_beside_a_canary, 120);
    scenario_add(suite, older_process_alone_after_a_failed_reload_and_a_kill, 120);
    return suite;
}
