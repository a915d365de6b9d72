/* One process of a handover is killed at each of its messages, one after the other, until a reload
 * comes through. */
#include "tests/system/scenarios.h"
#include "tests/system/support/churn.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/net.h"
#include "tests/system/support/origin.h"
#include "tests/system/support/proxy.h"
#include "tests/system/support/trap.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { STEPS_MAX = 60, IN_FLIGHT = 50, KILLS = 40 };

static const char *const calls[] = {"sendmsg", "recvmsg"};

struct scene {
    struct proxy proxy;
    struct origin *origin;
    struct churn *churn;
    uint16_t port;
    struct endpoint held_front;
    int listener, client, server; /* a session of the old process, from before the reload */
    struct trap trap;
    char name[32];
};

static void scene_start(struct scene *scene, struct origin *origin, const char *call, unsigned step)
{
    *scene = (struct scene){.origin = origin};
    uint16_t held_port = port_reserve(getuid()), server_port;
    snprintf(scene->name, sizeof scene->name, "%s-%u", call, step);
    trap_init(&scene->trap, scene->name, call, step, "SIGKILL");
    scene->port = port_reserve(getuid());
    scene->held_front = endpoint_loopback(held_port);
    scene->listener = listen_loopback(&server_port);
    proxy_init(&scene->proxy, scene->name);
    proxy_own_binary(&scene->proxy);
    proxy_configure(&scene->proxy,
                    "workers = 2\ndrain = wait\n"
                    "[listen main]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n"
                    "[listen held]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n",
                    scene->port, origin_port(origin), held_port, server_port);
    proxy_start(&scene->proxy);
    scene->client = connect_to(&scene->held_front);
    scene->server = accept_from(scene->listener);
}

static struct churn *load(const struct scene *scene)
{
    struct endpoint front = endpoint_loopback(scene->port);
    return churn_load(&front, IN_FLIGHT);
}

static void held_session_works(const struct scene *scene)
{
    char byte = 'x';
    send_all(scene->client, &byte, 1);
    receive_exactly(scene->server, &byte, 1);
    send_all(scene->server, &byte, 1);
    receive_exactly(scene->client, &byte, 1);
}

static bool is_active(void *argument)
{
    const struct scene *scene = argument;
    struct status status;
    return proxy_status(&scene->proxy, &status) && status.pid == scene->proxy.pid &&
           status.count == 1;
}

/* The new process is dead. The old one serves again; or its listeners were closed, and it drains
 * and ends. */
static bool is_active_or_gone(void *argument)
{
    const struct scene *scene = argument;
    return !process_alive(scene->proxy.pid) || is_active(argument);
}

/* The new process is dead, or the old one has closed its listeners and drains. */
static bool drains_or_dead(void *argument)
{
    const struct scene *scene = argument;
    struct status status;
    if (!process_alive(trap_caught(&scene->trap))) {
        return true;
    }
    return proxy_status(&scene->proxy, &status) && status.count == 2 &&
           (strcmp(status.generations[0].state, "draining") == 0 ||
            strcmp(status.generations[1].state, "draining") == 0);
}

/* The new process is dead, or has noticed the end of the old one and serves alone. */
static bool reload_is_over(void *argument)
{
    const struct scene *scene = argument;
    struct status status;
    pid_t successor = trap_caught(&scene->trap);
    return !process_alive(successor) ||
           (proxy_status(&scene->proxy, &status) && status.pid == successor && status.count == 1);
}

static void expect_next_reload(struct scene *scene)
{
    struct outcome outcome;
    copy_file(proxy_binary(), scene->proxy.program, 0755);
    int code = proxy_command(&scene->proxy, &outcome, "reload", NULL);
    ck_assert_msg(code == 0, "%s: the next reload: exit %d\n%s%s", scene->name, code, outcome.out,
                  outcome.err);
    struct churn *churn = load(scene);
    churn_wait(churn, 200);
    churn_stop_clean(churn, NULL);
}

static void held_session_close(struct scene *scene)
{
    if (scene->client >= 0) {
        close(scene->client);
        close(scene->server);
        scene->client = -1;
    }
}

/* Stops the process that is left. The files of a step that passed are removed: they would hide
 * those of a failed step. */
static void scene_end(struct scene *scene)
{
    struct outcome outcome;
    held_session_close(scene);
    proxy_command(&scene->proxy, &outcome, "stop", "--timeout", "1s", NULL);
    close(scene->listener);
    unlink(scene->proxy.file);
    unlink(scene->proxy.log);
    unlink(scene->trap.trace);
}

/* Whether the new process had sent READY. After it new clients may reach the new process. */
static bool was_ready(const struct scene *scene)
{
    struct trap sent = scene->trap;
    sent.call = "sendmsg";
    return trap_first(&sent, TRAP_READY, TRAP_READY) > 0;
}

/* Returns false when the new process lived through the reload. */
static bool successor_killed_at(struct origin *origin, const char *call, unsigned step)
{
    struct scene scene;
    scene_start(&scene, origin, call, step);
    struct churn *churn = load(&scene);
    trap_successor(&scene.trap, &scene.proxy);
    struct outcome outcome;
    int code = proxy_command(&scene.proxy, &outcome, "reload", NULL);
    if (code == 0) {
        wait_until(drains_or_dead, &scene, "the predecessor only drains");
    }
    held_session_works(&scene);
    if (code == 0) {
        /* The old process ends with its last session, if the new process has not died before. */
        held_session_close(&scene);
        wait_until(reload_is_over, &scene, "the reload ends");
    }
    bool killed = !process_alive(trap_caught(&scene.trap));
    if (killed) {
        wait_until(is_active_or_gone, &scene, "the predecessor is the active generation again");
    }
    bool alone = !process_alive(scene.proxy.pid);
    struct churn_result result;
    if (killed && !alone) {
        churn_wait(churn, churn_ended(churn) + 200);
    }
    churn_stop(churn, &result);
    printf("     successor killed at %s %u: reload exit %d, %s\n", call, step, code,
           !killed ? "it lived" : (alone ? "both are gone" : "the predecessor serves"));
    /* Of the connections in flight, those that the killed process had accepted are lost. No other
     * is lost, and none is refused. */
    unsigned may_be_lost = killed && was_ready(&scene) ? IN_FLIGHT : 0;
    if ((!alone || !killed) &&
        (churn_lost(&result) > may_be_lost || result.lost[LOSS_REFUSED] > 0)) {
        churn_print(&result, scene.name);
        ck_abort_msg("%s: %llu clients lost; the successor may have had %u", scene.name,
                     (unsigned long long)churn_lost(&result), may_be_lost);
    }
    ck_assert_msg(killed || code == 0, "%s: exit %d though no process was killed: %s", scene.name,
                  code, outcome.err);
    ck_assert_msg(!killed || code == 5 || code == 0, "%s: exit %d: %s", scene.name, code,
                  outcome.err);
    if (killed && !alone) {
        ck_assert_int_eq(proxy_pidfile(&scene.proxy), scene.proxy.pid);
        expect_next_reload(&scene);
    }
    scene_end(&scene);
    return killed;
}

/* Kills at one message after the other, until a process lives through the reload. With a sanitizer
 * at every second message, to save time. */
static void until_it_lives(bool (*killed_at)(struct origin *, const char *, unsigned))
{
    struct origin *origin = origin_start(ORIGIN_ANSWER);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        unsigned step = 1;
        while (killed_at(origin, calls[i], step)) {
            step += sanitized() ? 2 : 1;
            ck_assert_uint_lt(step, STEPS_MAX);
        }
        ck_assert_msg(step > 1, "%s was never called: the test has lost its trap", calls[i]);
    }
}

START_TEST(successor_killed)
{
    if (!trap_works()) {
        skip_test("strace cannot trace here");
    }
    until_it_lives(successor_killed_at);
}
END_TEST

static bool somebody_serves(void *argument)
{
    struct scene *scene = argument;
    struct status status;
    return proxy_status(&scene->proxy, &status) && status.pid != scene->proxy.pid &&
           status.count == 1;
}

/* What the old process offers is sent before there is a new one. */
static bool has_successor(void)
{
    char text[64];
    orphans_reap();
    return read_file("/proc/thread-self/children", text, sizeof text) > 0;
}

static bool predecessor_killed_at(struct origin *origin, const char *call, unsigned step)
{
    struct scene scene;
    scene_start(&scene, origin, call, step);
    pid_t strace = trap_process(&scene.trap, scene.proxy.pid);
    struct outcome outcome;
    int code = proxy_command(&scene.proxy, &outcome, "reload", NULL);
    held_session_close(&scene);
    wait_gone(scene.proxy.pid);
    wait_gone(strace);
    bool killed = file_mentions(scene.trap.trace, "killed by SIGKILL") > 0;
    printf("     predecessor killed at %s %u: reload exit %d%s\n", call, step, code,
           killed ? "" : ", it lived");
    if (killed && !has_successor())
        return true;
    wait_until(somebody_serves, &scene, "the successor promotes itself");
    proxy_follow(&scene.proxy);
    ck_assert_int_eq(proxy_pidfile(&scene.proxy), scene.proxy.pid);
    struct churn *churn = load(&scene);
    churn_wait(churn, 200);
    expect_next_reload(&scene);
    churn_stop_clean(churn, scene.name);
    ck_assert_msg(killed || code == 0, "%s: exit %d though no process was killed: %s", scene.name,
                  code, outcome.err);
    scene_end(&scene);
    return killed;
}

START_TEST(predecessor_killed)
{
    if (!trap_works()) {
        skip_test("strace cannot trace here");
    }
    until_it_lives(predecessor_killed_at);
}
END_TEST

/* The sessions of a new process that has taken over are not affected when the old one dies. */
START_TEST(predecessor_killed_while_draining)
{
    struct origin *origin = origin_start(ORIGIN_ANSWER);
    struct scene scene;
    scene_start(&scene, origin, "draining", 0);
    pid_t first = scene.proxy.pid;
    proxy_reload(&scene.proxy);
    wait_mentioned(scene.proxy.log, "generation 1 drains");
    int client = connect_to(&scene.held_front), server = accept_from(scene.listener);
    struct churn *churn = load(&scene);
    kill(first, SIGKILL);
    wait_gone(first);
    held_session_close(&scene);
    scene.client = client;
    scene.server = server;
    held_session_works(&scene);
    churn_wait(churn, churn_ended(churn) + 500);
    proxy_wait_drained(&scene.proxy);
    proxy_reload(&scene.proxy);
    churn_stop_clean(churn, "beside a draining process that was killed");
    scene_end(&scene);
}
END_TEST

static bool has_no_sessions(void *argument)
{
    const struct proxy *proxy = argument;
    struct status status;
    if (!proxy_status(proxy, &status)) {
        return false;
    }
    for (unsigned i = 0; i < status.count; i++) {
        if (status.generations[i].pid == proxy->pid) {
            return status.generations[i].sessions == 0;
        }
    }
    return true;
}

static bool serves_alone(void *argument)
{
    const struct proxy *proxy = argument;
    struct status status;
    return proxy_status(proxy, &status) && status.pid == proxy->pid && status.count == 1;
}

/* An old process that stands by, with open listeners and without sessions, is killed. In whatever
 * order the kernel closes these, no client of the new process is lost. */
START_TEST(predecessor_killed_on_standby)
{
    static const unsigned workers[] = {2, 4, 1, 3};
    struct origin *origin = origin_start(ORIGIN_ANSWER);
    uint16_t ports[2] = {port_reserve(getuid()), port_reserve(getuid())};
    struct churn *churns[2];
    struct proxy proxy;
    proxy_init(&proxy, "proxy");
    for (unsigned i = 0; i <= scaled(KILLS, 4); i++) {
        proxy_configure(&proxy,
                        "workers = %u\nprobation = 10m\n"
                        "[listen one]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n"
                        "[listen two]\nbind = 127.0.0.1:%u steer=cpu\nserver = a 127.0.0.1:%u\n",
                        workers[i % 4], ports[0], origin_port(origin), ports[1],
                        origin_port(origin));
        if (i == 0) {
            proxy_start(&proxy);
            for (unsigned j = 0; j < 2; j++) {
                churns[j] = churn_start(&(struct churn_options){
                    .target = endpoint_loopback(ports[j]), .in_flight = IN_FLIGHT});
            }
            continue;
        }
        struct proxy old = proxy;
        proxy_reload(&proxy);
        wait_until(has_no_sessions, &old, "the sessions of the old process have ended");
        kill(old.pid, SIGKILL);
        wait_until(serves_alone, &proxy, "the successor serves alone");
        for (unsigned j = 0; j < 2; j++) {
            churn_wait(churns[j], churn_ended(churns[j]) + 4 * IN_FLIGHT);
        }
    }
    churn_stop_clean(churns[0], "beside predecessors that are killed");
    churn_stop_clean(churns[1], "the same with steer=cpu");
    ck_assert_uint_eq(file_mentions(proxy.log, "are passed to the successor"), 0);
    ck_assert_int_eq(proxy_command(&proxy, &(struct outcome){0}, "stop", NULL), 0);
}
END_TEST

Suite *kills_suite(void)
{
    Suite *suite = suite_create("kills");
    scenario_add(suite, successor_killed, 1200);
    scenario_add(suite, predecessor_killed, 1200);
    scenario_add(suite, predecessor_killed_while_draining, 300);
    scenario_add(suite, predecessor_killed_on_standby, 600);
    return suite;
}
