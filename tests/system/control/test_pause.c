/* Frontends that are paused: clients wait in the backlog, regardless of what becomes of the
 * process, and are served when the frontend is resumed. */
#include "tests/system/scenarios.h"
#include "tests/system/support/canary.h"
#include "tests/system/support/http.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WAITING_MAX = 64 };

struct waiting {
    int clients[WAITING_MAX];
    unsigned count;
};

/* So many clients more connect, and send a word. */
static void wait_more(struct waiting *waiting, const struct endpoint *front, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        ck_assert_uint_lt(waiting->count, WAITING_MAX);
        int client = waiting->clients[waiting->count++] = connect_to(front);
        send_all(client, "there", 6);
    }
}

/* Each of them reaches the server, in any order, and gets its answer. */
static void all_are_served(struct waiting *waiting, int listener)
{
    char bytes[6];
    int servers[WAITING_MAX];
    for (unsigned i = 0; i < waiting->count; i++) {
        servers[i] = accept_from(listener);
        receive_exactly(servers[i], bytes, 6);
        ck_assert_str_eq(bytes, "there");
        send_all(servers[i], "back!", 6);
    }
    for (unsigned i = 0; i < waiting->count; i++) {
        receive_exactly(waiting->clients[i], bytes, 6);
        ck_assert_str_eq(bytes, "back!");
        close(waiting->clients[i]);
    }
    for (unsigned i = 0; i < waiting->count; i++) {
        expect_eof(servers[i]);
        close(servers[i]);
    }
    waiting->count = 0;
}

static void order(const struct proxy *proxy, const char *set, const char *said)
{
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(proxy, &outcome, "frontend", "main", set, NULL), 0);
    ck_assert_msg(strstr(outcome.out, said) != NULL, "'%s' is not said: %s", said, outcome.out);
}

struct expected {
    const struct proxy *proxy;
    char text[64];
};

static bool says_so(void *argument)
{
    const struct expected *expected = argument;
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(expected->proxy, &outcome, "frontend", "main", NULL), 0);
    return strstr(outcome.out, expected->text) != NULL;
}

/* The proxy is paused, so many wait, and none has reached the server. */
static void all_wait(const struct scene *scene, const struct waiting *waiting)
{
    struct expected expected = {.proxy = &scene->proxy};
    snprintf(expected.text, sizeof expected.text, "main: paused, %u client%s wait%s",
             waiting->count, waiting->count == 1 ? "" : "s", waiting->count == 1 ? "s" : "");
    wait_until(says_so, &expected, expected.text);
    ck_assert(!readable_within(scene->listener, 0));
}

static void end(struct scene *scene)
{
    struct session session = session_open(scene);
    session_works(&session);
    session_close(&session);
    proxy_wait_drained(&scene->proxy);
    proxy_stop(&scene->proxy);
}

/* --- what it says --------------------------------------------------------------------------- */

static json_t *main_of(const struct proxy *proxy)
{
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(proxy, &outcome, "status", "--json", NULL), 0);
    json_t *status = json_loads(outcome.out, 0, NULL);
    json_t *frontend = json_incref(json_array_get(json_object_get(status, "frontends"), 0));
    json_decref(status);
    ck_assert_ptr_nonnull(frontend);
    return frontend;
}

static void is_refused(const struct proxy *proxy, const char *name, const char *set,
                       const char *said)
{
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(proxy, &outcome, "frontend", name, set, NULL), 1);
    ck_assert_msg(strstr(outcome.err, said) != NULL, "'%s' is not said: %s", said, outcome.err);
}

START_TEST(clients_wait_and_are_served)
{
    struct scene scene;
    struct outcome outcome;
    struct waiting waiting = {.count = 0};
    uint16_t port = port_reserve(getuid());
    struct endpoint http = endpoint_loopback(port);
    char global[64], events[PATH_MAX];
    snprintf(global, sizeof global, "metrics = 127.0.0.1:%u\n", port);
    scene_start(&scene, global, "");
    pid_t follower = proxy_follow_events(&scene.proxy, events, "events");
    order(&scene.proxy, NULL, "main: accepting, 0 sessions");
    struct session session = session_open(&scene);
    order(&scene.proxy, "pause", "main: paused, 0 clients wait in the backlog, 1 session");
    order(&scene.proxy, "pause", "main: paused");
    wait_more(&waiting, &scene.front, 20);
    all_wait(&scene, &waiting);
    session_works(&session);

    json_t *frontend = main_of(&scene.proxy);
    ck_assert(json_is_true(json_object_get(frontend, "paused")));
    ck_assert(json_is_integer(json_object_get(frontend, "paused_at")));
    ck_assert_int_eq(json_integer_value(json_object_get(frontend, "waiting")), 20);
    json_decref(frontend);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "status", NULL), 0);
    ck_assert_ptr_nonnull(strstr(outcome.out, "paused frontend main for "));
    ck_assert_ptr_nonnull(strstr(outcome.out, "clients that wait in its backlog: 20"));
    http_expect(&http, "/metrics", 200, "rpproxy_frontend_paused{frontend=\"main\"} 1");
    http_expect(&http, "/ready", 200, "frontend main is paused");
    wait_mentioned(events, "\"frontend-paused\"");
    ck_assert_uint_eq(file_mentions(events, "\"frontend-paused\""), 1);
    is_refused(&scene.proxy, "mian", "pause", "did you mean 'main'?");
    is_refused(&scene.proxy, "main", "stop", "must be pause or resume");

    order(&scene.proxy, "resume", "main: accepting");
    all_are_served(&waiting, scene.listener);
    wait_mentioned(events, "\"frontend-resumed\"");
    http_expect(&http, "/metrics", 200, "rpproxy_frontend_paused{frontend=\"main\"} 0");
    frontend = main_of(&scene.proxy);
    ck_assert(json_is_false(json_object_get(frontend, "paused")));
    json_decref(frontend);
    session_close(&session);
    end(&scene);
    wait_gone(follower);
}
END_TEST

/* A client that comes after the command has returned is not accepted, however busy the workers are:
 * again and again. */
START_TEST(nobody_is_accepted_after_the_answer)
{
    struct scene scene;
    struct waiting waiting = {.count = 0};
    scene_start(&scene, "workers = 4\n", "");
    for (unsigned i = 0; i < scaled(50, 10); i++) {
        wait_more(&waiting, &scene.front, 8);
        all_are_served(&waiting, scene.listener);
        order(&scene.proxy, "pause", "paused");
        wait_more(&waiting, &scene.front, 4);
        all_wait(&scene, &waiting);
        order(&scene.proxy, "resume", "accepting");
        all_are_served(&waiting, scene.listener);
    }
    end(&scene);
}
END_TEST

/* --- reloads -------------------------------------------------------------------------------- */

/* It stays paused, and those that wait go on waiting, while the number of workers changes. */
START_TEST(reloads_keep_them)
{
    struct scene scene;
    struct outcome outcome;
    struct waiting waiting = {.count = 0};
    static const char *const workers[] = {"workers = 3\n", "workers = 1\n", "workers = 2\n"};
    scene_start(&scene, "", "");
    order(&scene.proxy, "pause", "paused");
    for (unsigned i = 0; i < 3; i++) {
        wait_more(&waiting, &scene.front, 8);
        scene_configure(&scene, workers[i], "");
        proxy_reload(&scene.proxy);
        all_wait(&scene, &waiting);
        proxy_wait_drained(&scene.proxy);
        all_wait(&scene, &waiting);
    }
    order(&scene.proxy, "resume", "accepting");
    all_are_served(&waiting, scene.listener);
    proxy_reload(&scene.proxy);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "status", NULL), 0);
    ck_assert_msg(strstr(outcome.out, "steer") != NULL, "%s", outcome.out);
    end(&scene);
}
END_TEST

START_TEST(a_unix_bind_keeps_them)
{
    struct scene scene;
    char path[PATH_MAX];
    struct waiting waiting = {.count = 0};
    scene_init(&scene);
    scene.front = endpoint_unix(test_path(path, "front.sock"));
    proxy_configure(&scene.proxy,
                    "workers = 2\n[listen main]\nbind = unix:%s\nserver = a 127.0.0.1:%u\n", path,
                    scene.server_port);
    proxy_start(&scene.proxy);
    order(&scene.proxy, "pause", "main: paused, 0 sessions");
    wait_more(&waiting, &scene.front, 8);
    for (unsigned i = 0; i < 2; i++) {
        proxy_reload(&scene.proxy);
        proxy_wait_drained(&scene.proxy);
        ck_assert(!readable_within(scene.listener, 0));
    }
    order(&scene.proxy, "resume", "accepting");
    all_are_served(&waiting, scene.listener);
    end(&scene);
}
END_TEST

/* The new process is killed on probation: the old one has what was ordered meanwhile. */
START_TEST(a_rollback_keeps_them)
{
    struct scene scene;
    struct outcome outcome;
    struct waiting waiting = {.count = 0};
    scene_start(&scene, "probation = 10m\n", "");
    const struct proxy before = scene.proxy;
    order(&scene.proxy, "pause", "paused");
    wait_more(&waiting, &scene.front, 8);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 0);
    proxy_follow(&scene.proxy);
    all_wait(&scene, &waiting);
    ck_assert_int_eq(kill(scene.proxy.pid, SIGKILL), 0);
    wait_mentioned(scene.proxy.log, "serves again");
    scene.proxy = before;
    all_wait(&scene, &waiting);
    order(&scene.proxy, "resume", "accepting");
    all_are_served(&waiting, scene.listener);

    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 0);
    proxy_follow(&scene.proxy);
    order(&scene.proxy, "pause", "paused");
    ck_assert_int_eq(kill(scene.proxy.pid, SIGKILL), 0);
    wait_mentions(scene.proxy.log, "serves again", 2);
    scene.proxy = before;
    wait_more(&waiting, &scene.front, 8);
    all_wait(&scene, &waiting);
    order(&scene.proxy, "resume", "accepting");
    all_are_served(&waiting, scene.listener);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "stop", NULL), 0);
    wait_gone(scene.proxy.pid);
}
END_TEST

/* The old process is killed while it stands by. */
START_TEST(the_old_process_may_die)
{
    struct scene scene;
    struct outcome outcome;
    struct waiting waiting = {.count = 0};
    scene_start(&scene, "probation = 10m\n", "");
    pid_t old = scene.proxy.pid;
    order(&scene.proxy, "pause", "paused");
    wait_more(&waiting, &scene.front, 8);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 0);
    proxy_follow(&scene.proxy);
    ck_assert_int_eq(kill(old, SIGKILL), 0);
    wait_mentioned(scene.proxy.log, "continues without it");
    wait_more(&waiting, &scene.front, 8);
    all_wait(&scene, &waiting);
    order(&scene.proxy, "resume", "accepting");
    all_are_served(&waiting, scene.listener);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "stop", NULL), 0);
    wait_gone(scene.proxy.pid);
}
END_TEST

/* The canary leaves the paused frontend to the old process, and has a share of the other one. */
START_TEST(a_canary_leaves_them)
{
    struct scene scene;
    struct waiting waiting = {.count = 0};
    struct session sessions[SESSIONS_MAX];
    scene_init(&scene);
    uint16_t paused = port_reserve(getuid());
    struct endpoint front = endpoint_loopback(paused);
    proxy_configure(&scene.proxy,
                    "workers = 2\n[listen main]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n"
                    "[frontend other]\nbind = 127.0.0.1:%u\nbackend = main\n",
                    paused, scene.server_port, scene.port);
    proxy_start(&scene.proxy);
    order(&scene.proxy, "pause", "paused");
    wait_more(&waiting, &front, 8);
    struct reload reload = reload_start(&scene.proxy, "50%:1h");
    (void)canary_wait(&scene.proxy);
    unsigned count = sessions_on_both_sides(&scene, sessions);
    all_wait(&scene, &waiting);
    order(&scene.proxy, "resume", "accepting");
    all_are_served(&waiting, scene.listener);
    order(&scene.proxy, "pause", "paused");
    wait_more(&waiting, &front, 8);
    struct reload abort = decision_start(&scene.proxy, "--abort");
    reload_ends(&abort, 0);
    reload_ends(&reload, 4);
    wait_until(is_active_again, &scene.proxy, "the canary is gone");
    all_wait(&scene, &waiting);

    reload = reload_start(&scene.proxy, "50%:1h");
    (void)canary_wait(&scene.proxy);
    wait_more(&waiting, &front, 8);
    struct reload promotion = decision_start(&scene.proxy, "--promote");
    reload_ends(&promotion, 0);
    reload_ends(&reload, 0);
    proxy_follow(&scene.proxy);
    proxy_wait_drained(&scene.proxy);
    all_wait(&scene, &waiting);
    order(&scene.proxy, "resume", "accepting");
    all_are_served(&waiting, scene.listener);
    sessions_work(sessions, count);
    sessions_close(sessions, count);
    end(&scene);
}
END_TEST

/* --- its end -------------------------------------------------------------------------------- */

/* The configuration has the frontend no more: those that wait are served, and others refused. */
START_TEST(a_removed_frontend_serves_them)
{
    struct scene scene;
    struct waiting waiting = {.count = 0};
    scene_start(&scene, "", "");
    order(&scene.proxy, "pause", "paused");
    wait_more(&waiting, &scene.front, 8);
    proxy_configure(&scene.proxy,
                    "workers = 2\n[listen other]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n",
                    port_reserve(getuid()), scene.server_port);
    pid_t reload = proxy_command_start(&scene.proxy, NULL, "reload", NULL);
    all_are_served(&waiting, scene.listener);
    ck_assert_int_eq(wait_gone(reload), 0);
    proxy_follow(&scene.proxy);
    proxy_wait_drained(&scene.proxy);
    ck_assert_int_lt(try_connect(&scene.front), 0);
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(a_stop_serves_them)
{
    struct scene scene;
    struct waiting waiting = {.count = 0};
    scene_start(&scene, "", "");
    order(&scene.proxy, "pause", "paused");
    wait_more(&waiting, &scene.front, 8);
    pid_t stop = proxy_command_start(&scene.proxy, NULL, "stop", NULL);
    all_are_served(&waiting, scene.listener);
    ck_assert_int_eq(wait_gone(stop), 0);
}
END_TEST

Suite *pause_suite(void)
{
    Suite *suite = suite_create("pause");
    scenario_add(suite, clients_wait_and_are_served, 300);
    scenario_add(suite, nobody_is_accepted_after_the_answer, 300);
    scenario_add(suite, reloads_keep_them, 300);
    scenario_add(suite, a_unix_bind_keeps_them, 300);
    scenario_add(suite, a_rollback_keeps_them, 300);
    scenario_add(suite, the_old_process_may_die, 300);
    scenario_add(suite, a_canary_leaves_them, 300);
    scenario_add(suite, a_removed_frontend_serves_them, 300);
    scenario_add(suite, a_stop_serves_them, 300);
    return suite;
}
