/* Canary reloads in difficult situations: deaths, binds that cannot be split or have changed, and
 * other commands at the same time. */
#include "tests/system/scenarios.h"
#include "tests/system/support/canary.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- deaths -------------------------------------------------------------------------------- */

START_TEST(canary_killed)
{
    struct origin *origin = origin_start(ORIGIN_ANSWER);
    struct scene scene;
    struct churn *churn;
    start_under_load(&scene, origin, &churn);
    struct reload reload = reload_start(&scene.proxy, "50%:1h");
    struct canary canary = canary_wait(&scene.proxy);
    churn_wait(churn, churn_ended(churn) + CONNECTIONS);
    kill(canary.pid, SIGKILL);
    reload_ends(&reload, 5);
    expect_in_file(reload.err, "was killed by signal 9; canary: ");
    wait_until(is_reaped, &canary.pid, "the canary is reaped");
    churn_wait(churn, churn_ended(churn) + CONNECTIONS);
    ck_assert(is_active_again(&scene.proxy));
    ck_assert_int_eq(proxy_pidfile(&scene.proxy), scene.proxy.pid);
    struct churn_result result;
    churn_stop(churn, &result);
    churn_print(&result, "a canary that is killed");
    /* At most the clients in flight at the canary and those in its queues when these were closed.
     */
    ck_assert_uint_le(churn_lost(&result), 2 * IN_FLIGHT);
    ck_assert_uint_eq(result.lost[LOSS_REFUSED] + result.lost[LOSS_WRONG], 0);
    next_reload(&scene.proxy);
    proxy_wait_drained(&scene.proxy);
    ck_assert_int_eq(proxy_command(&scene.proxy, &(struct outcome){0}, "stop", NULL), 0);
}
END_TEST

static bool serves_alone(void *argument)
{
    const struct canary *canary = argument;
    struct status status;
    return proxy_status(canary->proxy, &status) && status.pid == canary->pid && status.count == 1;
}

START_TEST(predecessor_killed)
{
    struct scene scene;
    struct session sessions[SESSIONS_MAX];
    struct reload reload;
    struct canary canary;
    unsigned count = start_with_canary(&scene, "", &reload, &canary, sessions);
    ck_assert(canary_look(&canary));
    kill(scene.proxy.pid, SIGKILL);
    wait_gone(scene.proxy.pid);
    reload_ends(&reload, 0);
    expect_in_file(reload.out, "the old process died during the reload");
    wait_until(serves_alone, &canary, "the canary serves alone");
    ck_assert_int_eq(proxy_pidfile(&scene.proxy), canary.pid);
    ck_assert_uint_eq(sessions_alive(sessions, count), canary.sessions);
    struct session session = session_open(&scene);
    session_works(&session);
    proxy_follow(&scene.proxy);
    ck_assert_uint_eq(scene.proxy.generation, 2);
    proxy_reload(&scene.proxy);
    session_works(&session);
    session_close(&session);
    proxy_wait_drained(&scene.proxy);
    ck_assert_int_eq(proxy_command(&scene.proxy, &(struct outcome){0}, "stop", NULL), 0);
}
END_TEST

/* --- binds --------------------------------------------------------------------------------- */

START_TEST(unix_bind_stays)
{
    struct scene scene;
    struct outcome outcome;
    char path[PATH_MAX], bind_line[PATH_MAX + 32];
    scene_init(&scene);
    snprintf(bind_line, sizeof bind_line, "bind = unix:%s\n", test_path(path, "bind.sock"));
    scene_configure(&scene, "", bind_line);
    proxy_start(&scene.proxy);
    struct endpoint local = endpoint_unix(path);
    struct reload reload = reload_start(&scene.proxy, "99.99%:1h");
    struct canary canary = canary_wait(&scene.proxy);
    expect_in_file(reload.err,
                   "cannot be split: it goes to the successor when the canary is promoted");
    struct session sessions[40];
    for (unsigned i = 0; i < 40; i++) {
        sessions[i] = session_through(&local, scene.listener);
    }
    ck_assert(canary_look(&canary));
    ck_assert_uint_eq(canary.sessions, 0);
    ck_assert_uint_eq(canary.predecessors, 40);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--promote", NULL), 0);
    reload_ends(&reload, 0);
    sessions_work(sessions, 40);
    sessions_close(sessions, 40);
    proxy_follow(&scene.proxy);
    ck_assert_int_eq(scene.proxy.pid, canary.pid);
    sessions[0] = session_through(&local, scene.listener);
    session_works(&sessions[0]);
    session_close(&sessions[0]);

    reload = reload_start(&scene.proxy, "50%:1h");
    (void)canary_wait(&scene.proxy);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--abort", NULL), 0);
    reload_ends(&reload, 4);
    sessions[0] = session_through(&local, scene.listener);
    session_works(&sessions[0]);
    session_close(&sessions[0]);
    wait_until(is_active_again, &scene.proxy, "the canary is gone");
    proxy_stop(&scene.proxy);
}
END_TEST

static void expect_no_canary(struct scene *scene, const char *why)
{
    struct outcome outcome;
    int code = proxy_command(&scene->proxy, &outcome, "reload", "--canary", "50%:1h", NULL);
    ck_assert_msg(code == 1 && strstr(outcome.err, "no canary is possible: ") != NULL &&
                      strstr(outcome.err, why) != NULL,
                  "exit %d: %s", code, outcome.err);
    ck_assert(is_active_again(&scene->proxy));
}

/* A canary is not possible where listening sockets are passed, and where nothing can be split. */
START_TEST(no_canary_possible)
{
    struct scene scene;
    scene_start(&scene, "", "");
    int foreign = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    setsockopt(foreign, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    setsockopt(foreign, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ck_assert_int_eq(bind(foreign, &scene.front.any, scene.front.length), 0);
    ck_assert_int_eq(listen(foreign, 16), 0);
    expect_no_canary(&scene, "its listening sockets would be passed");
    close(foreign);
    proxy_stop(&scene.proxy);

    int fd = listen_loopback(&scene.port);
    const struct passed passed = {.fds = &fd, .count = 1, .names = "web"};
    proxy_init(&scene.proxy, "activated");
    scene.proxy.passed = &passed;
    proxy_configure(&scene.proxy, "[listen main]\nbind = fd:web\nserver = a 127.0.0.1:1\n");
    proxy_start(&scene.proxy);
    expect_no_canary(&scene, "its listening sockets would be passed");
    proxy_stop(&scene.proxy);

    char path[PATH_MAX];
    proxy_init(&scene.proxy, "unix");
    proxy_configure(&scene.proxy, "[listen main]\nbind = unix:%s\nserver = a 127.0.0.1:1\n",
                    test_path(path, "bind.sock"));
    proxy_start(&scene.proxy);
    expect_no_canary(&scene, "no bind can be split");
    proxy_stop(&scene.proxy);
}
END_TEST

/* Binds that only the canary has end with it. Binds that the canary does not have stay. */
START_TEST(binds_that_change)
{
    struct scene scene;
    struct outcome outcome;
    scene_start(&scene, "", "");
    uint16_t kept_port = port_reserve(getuid());
    struct endpoint old = scene.front, kept = endpoint_loopback(kept_port);
    char kept_line[64];
    snprintf(kept_line, sizeof kept_line, "bind = 127.0.0.1:%u\n", kept_port);
    scene_configure(&scene, "", kept_line);
    proxy_reload(&scene.proxy);
    proxy_wait_drained(&scene.proxy);
    scene.port = port_reserve(getuid());
    scene.front = endpoint_loopback(scene.port);
    scene_configure(&scene, "", kept_line);
    struct reload reload = reload_start(&scene.proxy, "50%:1h");
    struct canary canary = canary_wait(&scene.proxy);
    struct session added = session_open(&scene), removed = session_through(&old, scene.listener),
                   same = session_through(&kept, scene.listener);
    ck_assert(canary_look(&canary));
    ck_assert_uint_ge(canary.sessions, 1);
    ck_assert_uint_ge(canary.predecessors, 1);
    ck_assert_uint_eq(canary.sessions + canary.predecessors, 3);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--abort", NULL), 0);
    reload_ends(&reload, 4);
    ck_assert_msg(try_connect(&scene.front) < 0 && errno == ECONNREFUSED, "it is not closed");
    wait_until(is_reaped, &canary.pid, "the canary is gone");
    session_works(&added);
    session_works(&removed);
    session_works(&same);
    session_close(&added);
    session_close(&removed);
    session_close(&same);
    removed = session_through(&old, scene.listener);
    session_works(&removed);
    session_close(&removed);
    next_reload(&scene.proxy);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

/* A service manager's socket that no bind of the old process names is served by the canary that
 * names it. After the canary has gone back, clients wait in its queue, and the next process serves
 * them. */
START_TEST(idle_passed_socket)
{
    struct scene scene;
    struct outcome outcome;
    uint16_t port;
    int fd = listen_loopback(&port);
    struct endpoint passed_at = endpoint_loopback(port);
    const struct passed passed = {.fds = &fd, .count = 1, .names = "web"};
    scene_init(&scene);
    scene_configure(&scene, "", "");
    scene.proxy.passed = &passed;
    proxy_start(&scene.proxy);
    struct session early = {.client = connect_to(&passed_at)};
    ck_assert(!readable_within(scene.listener, 100));

    scene_configure(&scene, "", "bind = fd:web\n");
    struct reload reload = reload_start(&scene.proxy, "1%:1h");
    struct canary canary = canary_wait(&scene.proxy);
    early.server = accept_from(scene.listener);
    session_works(&early);
    ck_assert(canary_look(&canary));
    ck_assert_uint_eq(canary.sessions, 1);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--abort", NULL), 0);
    reload_ends(&reload, 4);
    wait_until(is_active_again, &scene.proxy, "the canary is gone");
    session_works(&early);

    struct session late = {.client = connect_to(&passed_at)};
    ck_assert(!readable_within(scene.listener, 100));
    next_reload(&scene.proxy);
    late.server = accept_from(scene.listener);
    session_works(&late);
    session_close(&late);
    session_works(&early);
    session_close(&early);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
    close(fd);
}
END_TEST

/* The old process spreads connections over both of its workers again; the sessions' names show
 * this. */
START_TEST(groups_are_as_they_were)
{
    enum { LINES = 64 };
    struct scene scene;
    struct outcome outcome;
    scene_init(&scene);
    scene_configure(&scene, "", "access-log = yes\n");
    proxy_start(&scene.proxy);
    struct reload reload = reload_start(&scene.proxy, "50%:1h");
    (void)canary_wait(&scene.proxy);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--abort", NULL), 0);
    reload_ends(&reload, 4);
    for (unsigned i = 0; i < LINES; i++) {
        struct session session = session_open(&scene);
        session_works(&session);
        session_close(&session);
    }
    wait_until(is_active_again, &scene.proxy, "the canary is gone");
    proxy_stop(&scene.proxy);
    unsigned first = file_mentions(scene.proxy.log, " session 1.0."),
             second = file_mentions(scene.proxy.log, " session 1.1.");
    ck_assert_uint_gt(first, 0);
    ck_assert_uint_gt(second, 0);
    ck_assert_uint_eq(first + second, LINES);
}
END_TEST

/* --- commands and signals ------------------------------------------------------------------ */

START_TEST(usage)
{
    static const char *const wrong[][3] = {
        {"--canary", NULL, NULL},           {"--canary", "0%:30s", NULL},
        {"--canary", "5%", NULL},           {"--canary", "5%:30", NULL},
        {"--canary", "100%:1s", NULL},      {"--canary", "5%:1s:by-name", NULL},
        {"--canary", "5%:1s", "--dry-run"}, {"--abort", "--promote", NULL},
        {"--abort", "--force", NULL},       {"--canary=5%:1s", "--abort", NULL},
        {"--promote", "--dry-run", NULL},   {"--abort", "--wait=drained", NULL},
    };
    struct scene scene;
    struct outcome outcome;
    scene_start(&scene, "", "");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int code = proxy_command(&scene.proxy, &outcome, "reload", wrong[i][0], wrong[i][1],
                                 wrong[i][2], NULL);
        bool told = strstr(outcome.err, "'rpproxy --help'") || strstr(outcome.err, "--canary '");
        ck_assert_msg(code == 1 && told, "%s %s: exit %d: %s", wrong[i][0], wrong[i][1], code,
                      outcome.err);
    }
    ck_assert_uint_eq(file_mentions(scene.proxy.log, "launches"), 0);
    run(&outcome, proxy_binary(), "reload", "--help", NULL);
    ck_assert(strstr(outcome.out, "--canary") != NULL && strstr(outcome.out, "--abort") != NULL &&
              strstr(outcome.out, "--promote") != NULL);
    proxy_stop(&scene.proxy);
}
END_TEST

static bool is_third_generation(void *argument)
{
    struct status status;
    return proxy_status(argument, &status) && status.generation == 3;
}

/* Another reload command is refused meanwhile. A signal becomes one more reload afterwards. */
START_TEST(busy)
{
    struct scene scene;
    struct outcome outcome;
    scene_start(&scene, "", "");
    struct reload reload = reload_start(&scene.proxy, "50%:1h");
    (void)canary_wait(&scene.proxy);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 7);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--canary", "5%:1s", NULL), 7);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--dry-run", NULL), 0);
    kill(scene.proxy.pid, SIGUSR2);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--abort", NULL), 0);
    reload_ends(&reload, 4);
    wait_until(is_third_generation, &scene.proxy, "the reload by signal has followed");
    proxy_follow(&scene.proxy);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(stopped_meanwhile)
{
    struct scene scene;
    struct session sessions[SESSIONS_MAX];
    struct reload reload;
    struct canary canary;
    unsigned count = start_with_canary(&scene, "stop-timeout = 10m\n", &reload, &canary, sessions);
    pid_t stop = proxy_command_start(&scene.proxy, NULL, "stop", NULL);
    reload_ends(&reload, 4);
    expect_in_file(reload.err, "canary rolled back: the proxy was told to stop");
    wait_mentioned(scene.proxy.log, "stopping: no new connections");
    sessions_work(sessions, count);
    sessions_close(sessions, count);
    ck_assert_int_eq(wait_gone(stop), 0);
    wait_gone(canary.pid);
    ck_assert_int_le(wait_gone(scene.proxy.pid), 0);
    ck_assert_uint_eq(orphans_failed(), 0);
}
END_TEST

/* A canary that gets a stop signal itself asks the old process to go back. */
START_TEST(canary_stopped)
{
    struct scene scene;
    struct session sessions[SESSIONS_MAX];
    struct reload reload;
    struct canary canary;
    unsigned count = start_with_canary(&scene, "", &reload, &canary, sessions);
    kill(canary.pid, SIGTERM);
    reload_ends(&reload, 4);
    expect_in_file(reload.err, "canary rolled back: it was told to stop");
    wait_until(is_reaped, &canary.pid, "the canary is gone");
    sessions_work(sessions, count);
    sessions_close(sessions, count);
    proxy_stop(&scene.proxy);
}
END_TEST

/* A canary that was aborted and is stopped on its way back until the test continues it. */
struct way_back {
    struct scene scene;
    struct session sessions[SESSIONS_MAX];
    unsigned count;
    struct reload reload, abort;
    struct canary canary;
};

static void way_back_hold(struct way_back *way)
{
    way->count = start_with_canary(&way->scene, "stop-timeout = 10m\n", &way->reload, &way->canary,
                                   way->sessions);
    process_stop(way->canary.pid);
    way->abort = decision_start(&way->scene.proxy, "--abort");
    wait_mentioned(way->reload.err, "going back: pid ");
}

static void way_back_go_on(const struct way_back *way)
{
    ck_assert_int_eq(kill(way->canary.pid, SIGCONT), 0);
    reload_ends(&way->reload, 4);
    reload_ends(&way->abort, 0);
}

/* Asks the control socket itself: a canary that is held for 3 seconds is killed, and on a slow
 * machine a few commands take that long to start. */
static void expect_answer(const struct scene *scene, const char *request, const char *says)
{
    static char got[65536];
    const struct endpoint control = endpoint_unix(scene->proxy.control);
    int client = connect_to(&control);
    size_t length = 0;
    ssize_t more;
    send_all(client, request, strlen(request));
    send_all(client, "\n", 1);
    do {
        more = recv(client, got + length, sizeof got - 1 - length, 0);
        ck_assert_msg(more > 0, "%s: no %s in %s", request, says, got);
        length += (size_t)more;
        got[length] = '\0';
    } while (strstr(got, says) == NULL);
    close(client);
}

/* Every command is answered at once. What has to wait is done afterwards. */
START_TEST(asked_on_the_way_back)
{
    struct way_back way;
    struct scene *scene = &way.scene;
    way_back_hold(&way);
    static const char refused[] = "\"another reload is in progress\",\"exit\":7}";
    expect_answer(scene, "{\"command\":\"reload\"}", refused);
    expect_answer(scene, "{\"command\":\"canary\",\"plan\":\"5%:1s\"}", refused);
    expect_answer(scene, "{\"command\":\"promote\"}",
                  "\"there is no canary to promote\",\"exit\":1}");
    expect_answer(scene, "{\"command\":\"status\"}", "\"state\":\"lingering\"");
    expect_answer(scene, "{\"command\":\"server\",\"server\":\"main/a\",\"set\":\"maint\"}",
                  "\"exit\":0}");
    expect_answer(scene, "{\"command\":\"status\"}", "\"admin\":\"maint\"");
    expect_answer(scene, "{\"command\":\"server\",\"server\":\"main/a\",\"set\":\"ready\"}",
                  "\"exit\":0}");
    ck_assert_int_eq(kill(scene->proxy.pid, SIGUSR2), 0);
    ck_assert_int_eq(kill(scene->proxy.pid, SIGHUP), 0);
    struct session session = session_open(scene);
    session_works(&session);
    session_close(&session);
    way_back_go_on(&way);
    wait_until(is_third_generation, &scene->proxy, "one reload by signal has followed");
    sessions_work(way.sessions, way.count);
    sessions_close(way.sessions, way.count);
    proxy_follow(&scene->proxy);
    proxy_wait_drained(&scene->proxy);
    proxy_stop(&scene->proxy);
}
END_TEST

/* The stop waits for the canary. Its sessions have stop-timeout, as all sessions have. */
START_TEST(stopped_on_the_way_back)
{
    struct way_back way;
    way_back_hold(&way);
    pid_t stop = proxy_command_start(&way.scene.proxy, NULL, "stop", NULL);
    struct session session = session_open(&way.scene);
    session_works(&session);
    session_close(&session);
    way_back_go_on(&way);
    wait_mentioned(way.scene.proxy.log, "stopping: no new connections");
    sessions_work(way.sessions, way.count);
    sessions_close(way.sessions, way.count);
    ck_assert_int_eq(wait_gone(stop), 0);
    wait_gone(way.canary.pid);
    ck_assert_int_le(wait_gone(way.scene.proxy.pid), 0);
    ck_assert_uint_eq(orphans_failed(), 0);
}
END_TEST

/* SIGTERM to the old process stops it as the command does. A second SIGTERM ends it at once. */
START_TEST(sigterm_on_the_way_back)
{
    struct way_back way;
    way_back_hold(&way);
    ck_assert_int_eq(kill(way.scene.proxy.pid, SIGTERM), 0);
    way_back_go_on(&way);
    wait_mentioned(way.scene.proxy.log, "stopping: no new connections");
    sessions_work(way.sessions, way.count);
    ck_assert_int_eq(kill(way.scene.proxy.pid, SIGTERM), 0);
    ck_assert_int_eq(wait_gone(way.scene.proxy.pid), 0);
    kill(way.canary.pid, SIGINT);
    wait_gone(way.canary.pid);
}
END_TEST

/* SIGTERM to a canary that is going back: it continues to go back, and its sessions move. */
START_TEST(canary_stopped_on_the_way_back)
{
    struct way_back way;
    way_back_hold(&way);
    ck_assert_int_eq(kill(way.canary.pid, SIGTERM), 0);
    ck_assert_int_eq(kill(way.canary.pid, SIGUSR2), 0);
    way_back_go_on(&way);
    wait_until(is_active_again, &way.scene.proxy, "the canary is gone");
    sessions_work(way.sessions, way.count);
    sessions_close(way.sessions, way.count);
    next_reload(&way.scene.proxy);
    proxy_wait_drained(&way.scene.proxy);
    proxy_stop(&way.scene.proxy);
}
END_TEST

/* Commands for servers reach the canary as well. */
START_TEST(servers_meanwhile)
{
    struct scene scene;
    struct outcome outcome;
    scene_start(&scene, "", "");
    struct reload reload = reload_start(&scene.proxy, "50%:1h");
    (void)canary_wait(&scene.proxy);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "server", "main/a", "drain", NULL), 0);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--promote", NULL), 0);
    reload_ends(&reload, 0);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "status", NULL), 0);
    ck_assert_msg(strstr(outcome.out, " drain ") != NULL, "status says: %s", outcome.out);
    proxy_follow(&scene.proxy);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

Suite *canary_limits_suite(void)
{
    Suite *suite = suite_create("canary_limits");
    scenario_add(suite, canary_killed, 300);
    scenario_add(suite, predecessor_killed, 300);
    scenario_add(suite, unix_bind_stays, 300);
    scenario_add(suite, no_canary_possible, 300);
    scenario_add(suite, binds_that_change, 300);
    scenario_add(suite, idle_passed_socket, 300);
    scenario_add(suite, groups_are_as_they_were, 300);
    scenario_add(suite, usage, 300);
    scenario_add(suite, busy, 300);
    scenario_add(suite, stopped_meanwhile, 300);
    scenario_add(suite, canary_stopped, 300);
    scenario_add(suite, servers_meanwhile, 300);
    scenario_add(suite, asked_on_the_way_back, 300);
    scenario_add(suite, stopped_on_the_way_back, 300);
    scenario_add(suite, sigterm_on_the_way_back, 300);
    scenario_add(suite, canary_stopped_on_the_way_back, 300);
    return suite;
}
