/* The supervisor (--supervise): one process that stays while generations come and go. */
#include "tests/system/scenarios.h"
#include "tests/system/support/churn.h"
#include "tests/system/support/manager.h"
#include "tests/system/support/origin.h"
#include "tests/system/support/scene.h"
#include "tests/system/support/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t supervise_scene(struct scene *scene, const char *global)
{
    scene_init(scene);
    proxy_own_binary(&scene->proxy);
    scene_configure(scene, global, "");
    return supervisor_start(&scene->proxy, "--supervise");
}

static unsigned children_of(pid_t pid)
{
    char path[64], text[4096];
    unsigned count = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    read_file(path, text, sizeof text);
    for (const char *at = text; (at = strchr(at, ' ')); at++)
        count++;
    return count;
}

static bool has_one_child(void *argument)
{
    return children_of(*(pid_t *)argument) == 1;
}

/* --- reloads, signals ------------------------------------------------------------------------ */

START_TEST(stays_while_generations_come_and_go)
{
    struct scene scene;
    struct outcome outcome;
    struct origin *origin = origin_start(ORIGIN_ANSWER);
    scene_init(&scene);
    scene.server_port = origin_port(origin);
    scene_configure(&scene, "", "");
    pid_t supervisor = supervisor_start(&scene.proxy, "--supervise");
    struct churn *churn =
        churn_start(&(struct churn_options){.target = scene.front, .in_flight = 20});
    for (unsigned i = 0; i < scaled(20, 4); i++) {
        if (i % 2)
            proxy_reload(&scene.proxy);
        else
            reload_through(&scene.proxy, supervisor, i % 4 ? SIGUSR2 : SIGHUP);
        churn_wait(churn, churn_ended(churn) + 50);
    }
    churn_stop_clean(churn, "reloads under a supervisor");
    proxy_wait_drained(&scene.proxy);
    wait_until(has_one_child, &supervisor, "the supervisor has reaped all but one");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "stop", NULL), 0);
    expect_end(supervisor, 0);
    expect_clean_log(scene.proxy.log);
}
END_TEST

/* The log names this process, and not the supervisor. */
static void expect_sender(const char *log, const char *order)
{
    char what[128];
    snprintf(what, sizeof what, "%s from uid %u, pid %d", order, getuid(), (int)getpid());
    wait_mentioned(log, what);
}

START_TEST(passes_all_signals_on)
{
    char path[PATH_MAX], moved[PATH_MAX], log[PATH_MAX + 32];
    struct scene scene;
    snprintf(log, sizeof log, "log = file:%s\n", test_path(path, "own.log"));
    pid_t supervisor = supervise_scene(&scene, log);
    ck_assert_int_eq(rename(path, test_path(moved, "moved.log")), 0);
    ck_assert_int_eq(kill(supervisor, SIGUSR1), 0);
    wait_file(path);
    reload_through(&scene.proxy, supervisor, SIGHUP);
    expect_sender(path, "generation 2 is started, as ordered by SIGHUP");
    reload_through(&scene.proxy, supervisor, SIGUSR2);
    expect_sender(path, "generation 3 is started, as ordered by SIGUSR2");
    stop_through(&scene.proxy, supervisor);
    expect_sender(path, "no new connections are accepted, as ordered by SIGTERM");
}
END_TEST

/* Lets a script go on that reads from the FIFO. */
static void let_go(const char *fifo)
{
    int fd = open(fifo, O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "on\n", 3), 3);
    close(fd);
}

/* What comes before the first generation handles signals takes effect when it does. */
START_TEST(signals_before_the_first_generation)
{
    struct scene scene;
    char started[PATH_MAX], go[PATH_MAX];
    scene_init(&scene);
    test_path(started, "started");
    ck_assert_int_eq(mkfifo(test_path(go, "go"), 0600), 0);
    proxy_own_binary(&scene.proxy);
    scene_configure(&scene, "", "");
    const char *argv[] = {scene.proxy.program, "-f", scene.proxy.file, "--supervise", NULL};
    write_file(scene.proxy.program, 0755,
               "#!/bin/bash\n"
               "[ -z \"$RPPROXY_SUPERVISOR_FD\" ] || { echo $$ >%s; read word <%s; }\n"
               "exec -a \"$0\" '%s' \"$@\"\n",
               started, go, proxy_binary());
    for (unsigned i = 0; i < 2; i++) {
        pid_t supervisor = program_start(
            &(struct program){.argv = argv, .out = scene.proxy.log, .err = scene.proxy.log});
        wait_file(started);
        ck_assert_int_eq(kill(supervisor, SIGHUP), 0);
        ck_assert_int_eq(kill(supervisor, SIGUSR1), 0);
        if (i == 1)
            ck_assert_int_eq(kill(supervisor, SIGTERM), 0);
        let_go(go);
        if (i == 0) {
            scene.proxy.pid = supervisor;
            proxy_wait_serving(&scene.proxy);
            proxy_follow(&scene.proxy);
            ck_assert_uint_eq(scene.proxy.generation, 1);
            ck_assert_int_eq(kill(supervisor, SIGTERM), 0);
        }
        expect_end(supervisor, 0);
        ck_assert_int_eq(unlink(started), 0);
    }
}
END_TEST

/* A signal that came while the supervisor was stopped goes to the generation that serves then. */
START_TEST(stopped_and_continued)
{
    struct scene scene;
    pid_t supervisor = supervise_scene(&scene, "");
    process_stop(supervisor);
    ck_assert_int_eq(kill(supervisor, SIGHUP), 0);
    for (unsigned i = 0; i < 3; i++)
        proxy_reload(&scene.proxy);
    struct session session = session_open(&scene);
    session_works(&session);
    session_close(&session);
    ck_assert_int_eq(kill(supervisor, SIGCONT), 0);
    wait_until(has_reloaded, &scene.proxy, "the signal has arrived");
    proxy_wait_drained(&scene.proxy);
    ck_assert_uint_eq(scene.proxy.generation, 5);
    stop_through(&scene.proxy, supervisor);
}
END_TEST

/* The program file is replaced: after the reload nothing runs the old one. */
START_TEST(goes_on_by_the_new_program)
{
    struct scene scene;
    struct outcome outcome;
    char exe[64], target[PATH_MAX];
    pid_t supervisor = supervise_scene(&scene, "drain = wait\n");
    struct session session = session_open(&scene);
    snprintf(exe, sizeof exe, "/proc/%d/exe", (int)supervisor);
    for (unsigned i = 0; i < 3; i++) {
        char other[PATH_MAX];
        copy_file(proxy_binary(), test_path(other, "other"), 0755);
        ck_assert_int_eq(rename(other, scene.proxy.program), 0);
        if (i % 2)
            reload_through(&scene.proxy, supervisor, SIGHUP);
        else
            proxy_reload(&scene.proxy);
        wait_mentions(scene.proxy.log, "goes on by the new program", i + 1);
        session_works(&session);
    }
    reload_through(&scene.proxy, supervisor, SIGUSR2);
    ssize_t length = readlink(exe, target, sizeof target - 1);
    ck_assert_int_gt(length, 0);
    target[length] = '\0';
    ck_assert_str_eq(target, scene.proxy.program);
    run(&outcome, "env", "RPPROXY_SUPERVISOR_STATE=1", proxy_binary(), "-f", scene.proxy.file,
        "--supervise", NULL);
    ck_assert_int_eq(outcome.code, 1);
    session_close(&session);
    proxy_wait_drained(&scene.proxy);
    wait_until(has_one_child, &supervisor, "the supervisor has reaped all but one");
    stop_through(&scene.proxy, supervisor);
}
END_TEST

/* --- the end --------------------------------------------------------------------------------- */

START_TEST(ends_with_the_status_of_the_last_generation)
{
    struct scene scene;
    struct outcome outcome;
    pid_t supervisor = supervise_scene(&scene, "");
    run(&outcome, proxy_binary(), "-f", scene.proxy.file, "--supervise", NULL);
    ck_assert_msg(outcome.code == 1 && strstr(outcome.err, "already serves it"), "exit %d: %s",
                  outcome.code, outcome.err);
    reload_through(&scene.proxy, supervisor, SIGHUP);
    proxy_wait_drained(&scene.proxy);
    ck_assert_int_eq(kill(scene.proxy.pid, SIGKILL), 0);
    expect_end(supervisor, KILLED);

    scene_configure(&scene, "", "nonsense = 1\n");
    run(&outcome, proxy_binary(), "-f", scene.proxy.file, "--supervise", NULL);
    ck_assert_msg(outcome.code == 2 && strstr(outcome.err, "nonsense"), "exit %d: %s", outcome.code,
                  outcome.err);
    run(&outcome, "env", "RPPROXY_SUPERVISOR_FD=77", proxy_binary(), "-f", scene.proxy.file, NULL);
    ck_assert_msg(outcome.code == 1 && strstr(outcome.err, "RPPROXY_SUPERVISOR_FD"), "exit %d: %s",
                  outcome.code, outcome.err);
    scene_configure(&scene, "", "");
    int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    setsockopt(other, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ck_assert_int_eq(bind(other, &scene.front.any, scene.front.length), 0);
    ck_assert_int_eq(listen(other, 1), 0);
    run(&outcome, proxy_binary(), "-f", scene.proxy.file, "--supervise", NULL);
    ck_assert_msg(outcome.code == 3, "exit %d: %s", outcome.code, outcome.err);
    close(other);
}
END_TEST

static pid_t draining;

static bool drains_by_now(void *argument)
{
    const struct scene *scene = argument;
    struct status status;
    if (!proxy_status(&scene->proxy, &status))
        return false;
    for (unsigned i = 0; i < status.count; i++)
        if (status.generations[i].pid == draining)
            return strcmp(status.generations[i].state, "draining") == 0;
    return false;
}

/* A session is open in an old generation when the serving one is killed: nobody serves, and the
 * supervisor does not wait for the end of the session. Once the killed process is a child of the
 * draining one, which has its status; once of the supervisor. */
START_TEST(killed_while_another_drains)
{
    struct scene scene;
    for (unsigned reloads = 1; reloads <= 2; reloads++) {
        pid_t supervisor;
        if (reloads == 1) {
            supervisor = supervise_scene(&scene, "drain = wait\n");
        } else {
            supervisor = supervisor_start(&scene.proxy, "--supervise");
        }
        struct session session = session_open(&scene);
        pid_t drains = scene.proxy.pid;
        for (unsigned i = 0; i < reloads; i++) {
            pid_t before = scene.proxy.pid;
            proxy_reload(&scene.proxy);
            if (before != drains)
                wait_gone(before);
        }
        session_works(&session);
        draining = drains;
        wait_until(drains_by_now, &scene, "the old generation drains");
        ck_assert_int_eq(kill(scene.proxy.pid, SIGKILL), 0);
        expect_end(supervisor, KILLED);
        ck_assert(!process_alive(drains));
        close(session.client);
        close(session.server);
    }
}
END_TEST

/* SIGINT ends the serving generation, which is no failure: the others drain to their end. */
START_TEST(interrupted_while_another_drains)
{
    struct scene scene;
    pid_t supervisor = supervise_scene(&scene, "drain = wait\n");
    struct session session = session_open(&scene);
    proxy_reload(&scene.proxy);
    ck_assert_int_eq(kill(supervisor, SIGINT), 0);
    wait_gone(scene.proxy.pid);
    session_works(&session);
    session_close(&session);
    expect_end(supervisor, 0);
}
END_TEST

/* --- kills during a reload ------------------------------------------------------------------- */

static bool serves_as(struct scene *scene, pid_t pid)
{
    struct status status;
    return proxy_status(&scene->proxy, &status) && status.pid == pid;
}

static pid_t expected;

static bool serves_as_expected(void *argument)
{
    return serves_as(argument, expected);
}

static void works_on(struct scene *scene, pid_t supervisor)
{
    ck_assert(process_alive(supervisor));
    proxy_follow(&scene->proxy);
    struct session session = session_open(scene);
    session_works(&session);
    reload_through(&scene->proxy, supervisor, SIGHUP);
    session_works(&session);
    session_close(&session);
}

START_TEST(rolled_back_on_probation)
{
    struct scene scene;
    pid_t supervisor = supervise_scene(&scene, "probation = 100s\n");
    expected = scene.proxy.pid;
    proxy_reload(&scene.proxy);
    ck_assert_int_eq(kill(scene.proxy.pid, SIGKILL), 0);
    wait_until(serves_as_expected, &scene, "the old process serves again");
    works_on(&scene, supervisor);
    ck_assert_int_eq(kill(supervisor, SIGTERM), 0);
    expect_end(supervisor, 0);
}
END_TEST

/* The new process waits before it says a word, until told to go on. */
static void hold_successor(struct scene *scene, const char *then, char pid_file[static PATH_MAX],
                           char go[static PATH_MAX])
{
    test_path(pid_file, "held");
    test_path(go, "go");
    (void)unlink(pid_file);
    (void)unlink(go);
    ck_assert_int_eq(mkfifo(go, 0600), 0);
    ck_assert_int_eq(unlink(scene->proxy.program), 0);
    write_file(scene->proxy.program, 0755,
               "#!/bin/sh\necho $$ >%s.new; mv %s.new %s\nread word <%s\n%s\n", pid_file, pid_file,
               pid_file, go, then);
}

static pid_t held_pid(const char *pid_file)
{
    char text[32];
    int pid = 0;
    wait_file(pid_file);
    read_file(pid_file, text, sizeof text);
    ck_assert_int_eq(sscanf(text, "%d", &pid), 1);
    return pid;
}

/* The serving process is killed in a reload, while an older one drains: it is a child of the
 * supervisor. Returns when the new process is held, and sets *session, which the older one has. */
static pid_t kill_in_a_reload(struct scene *scene, const char *then, struct session *session,
                              pid_t *drains, char go[static PATH_MAX])
{
    char pid_file[PATH_MAX];
    pid_t supervisor = supervise_scene(scene, "drain = wait\n");
    *session = session_open(scene);
    *drains = scene->proxy.pid;
    proxy_reload(&scene->proxy);
    pid_t before = scene->proxy.pid;
    proxy_reload(&scene->proxy);
    wait_gone(before);
    hold_successor(scene, then, pid_file, go);
    ck_assert_int_eq(kill(supervisor, SIGHUP), 0);
    expected = held_pid(pid_file);
    ck_assert_int_eq(kill(scene->proxy.pid, SIGKILL), 0);
    session_works(session);
    return supervisor;
}

START_TEST(killed_in_a_reload)
{
    struct scene scene;
    struct session session;
    pid_t drains;
    char go[PATH_MAX], then[PATH_MAX + 64];
    snprintf(then, sizeof then, "exec '%s' \"$@\"", proxy_binary());
    pid_t supervisor = kill_in_a_reload(&scene, then, &session, &drains, go);
    let_go(go);
    wait_until(serves_as_expected, &scene, "the new process serves");
    ck_assert(process_alive(supervisor) && process_alive(drains));
    session_works(&session);
    session_close(&session);
    ck_assert_int_eq(kill(supervisor, SIGTERM), 0);
    expect_end(supervisor, 0);
}
END_TEST

START_TEST(both_fail_in_a_reload)
{
    struct scene scene;
    struct session session;
    pid_t drains;
    char go[PATH_MAX];
    pid_t supervisor = kill_in_a_reload(&scene, "exit 7", &session, &drains, go);
    let_go(go);
    expect_end(supervisor, KILLED);
    ck_assert(!process_alive(drains));
    close(session.client);
    close(session.server);
}
END_TEST

/* The generations serve on, and can be reloaded and stopped by commands. */
START_TEST(supervisor_killed)
{
    struct scene scene;
    pid_t supervisor = supervise_scene(&scene, "");
    struct session session = session_open(&scene);
    reload_through(&scene.proxy, supervisor, SIGHUP);
    proxy_wait_drained(&scene.proxy);
    ck_assert_int_eq(kill(supervisor, SIGKILL), 0);
    wait_gone(supervisor);
    wait_mentioned(scene.proxy.log, "the supervisor is gone");
    session_works(&session);
    proxy_reload(&scene.proxy);
    proxy_wait_drained(&scene.proxy);
    session_works(&session);
    session_close(&session);
    wait_mentions(scene.proxy.log, "the supervisor is gone", 1);
    proxy_stop(&scene.proxy);
}
END_TEST

/* --- service managers ------------------------------------------------------------------------ */

static void expect_said(const char *text, const char *words)
{
    ck_assert_msg(strstr(text, words) != NULL, "the manager was not told \"%s\": %s", words, text);
}

/* The main process of the manager is the supervisor: it alone speaks, and never of another pid. */
START_TEST(a_manager_hears_the_supervisor)
{
    struct scene scene;
    struct manager manager;
    char from[32], other[32];
    manager_open(&manager);
    scene_init(&scene);
    scene.proxy.env = manager.env;
    scene_configure(&scene, "", "");
    pid_t supervisor = supervisor_start(&scene.proxy, "--supervise");
    snprintf(from, sizeof from, "%d:READY=1\n", (int)supervisor);
    reload_through(&scene.proxy, supervisor, SIGHUP);
    proxy_wait_drained(&scene.proxy);
    stop_through(&scene.proxy, supervisor);
    manager_listen(&manager);
    expect_said(manager.said, from);
    expect_said(manager.said, "RELOADING=1\nMONOTONIC_USEC=");
    expect_said(manager.said, "STOPPING=1");
    ck_assert_msg(!strstr(manager.said, "MAINPID") && !strstr(manager.said, "X_RPPROXY"), "%s",
                  manager.said);
    snprintf(from, sizeof from, "%d:", (int)supervisor);
    for (const char *at = manager.said; *at; at = strchr(at, ';') + 1) {
        snprintf(other, sizeof other, "%.*s", (int)strlen(from), at);
        ck_assert_str_eq(other, from);
    }
}
END_TEST

START_TEST(passed_sockets_are_for_the_first_generation)
{
    struct scene scene;
    uint16_t port;
    int fd = listen_loopback(&port);
    const struct passed passed = {.fds = &fd, .count = 1, .names = "web"};
    scene_init(&scene);
    scene.front = endpoint_loopback(port);
    scene.proxy.passed = &passed;
    proxy_configure(&scene.proxy,
                    "workers = 2\n[listen main]\nbind = fd:web\nserver = a 127.0.0.1:%u\n",
                    scene.server_port);
    pid_t supervisor = supervisor_start(&scene.proxy, "--supervise");
    for (unsigned i = 0; i < 2; i++) {
        struct session session = session_open(&scene);
        session_works(&session);
        session_close(&session);
        reload_through(&scene.proxy, supervisor, SIGHUP);
    }
    stop_through(&scene.proxy, supervisor);
}
END_TEST

static bool runs_again(void *argument)
{
    struct scene *scene = argument;
    struct status status;
    return proxy_status(&scene->proxy, &status) && status.generation == 1 &&
           status.pid != scene->proxy.pid;
}

static void sv(const char *command, const char *directory, int code)
{
    struct outcome outcome;
    run(&outcome, "sv", "-w", "100", command, directory, NULL);
    ck_assert_msg(outcome.code == code, "sv %s: exit %d: %s%s", command, outcome.code, outcome.out,
                  outcome.err);
}

/* runsv(8) starts the service again when its process ends, and sends it signals. */
START_TEST(under_runit)
{
    if (!program_exists("runsv") || !program_exists("sv"))
        skip_test("runit is not installed");
    struct scene scene;
    char directory[PATH_MAX], script[PATH_MAX];
    scene_init(&scene);
    scene_configure(&scene, "", "");
    ck_assert_int_eq(mkdir(test_path(directory, "service"), 0755), 0);
    write_file(test_path(script, "service/run"), 0755,
               "#!/bin/sh\nexec '%s' -f '%s' --supervise >>'%s' 2>&1\n", proxy_binary(),
               scene.proxy.file, scene.proxy.log);
    const char *argv[] = {"runsv", directory, NULL};
    pid_t runsv = program_start(&(struct program){.argv = argv});
    scene.proxy.pid = runsv;
    proxy_wait_serving(&scene.proxy);
    proxy_follow(&scene.proxy);
    struct session session = session_open(&scene);
    for (unsigned i = 0; i < 3; i++) {
        sv(i == 1 ? "2" : "hup", directory, 0);
        wait_until(has_reloaded, &scene.proxy, "sv reloads");
        proxy_wait_drained(&scene.proxy);
        session_works(&session);
    }
    session_close(&session);
    ck_assert_int_eq(kill(scene.proxy.pid, SIGKILL), 0);
    wait_until(runs_again, &scene, "runsv has started the service again");
    sv("stop", directory, 0);
    struct status status;
    ck_assert(!proxy_status(&scene.proxy, &status));
    sv("exit", directory, 0);
    wait_gone(runsv);
}
END_TEST

/* --- process 1 ------------------------------------------------------------------------------- */

static int first_child(pid_t pid)
{
    char path[64], text[64];
    int child = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    if (read_file(path, text, sizeof text) > 0)
        (void)sscanf(text, "%d", &child);
    return child;
}

/* Starts the proxy as process 1 of a new PID namespace. Returns the pid of unshare(1), or -1 if
 * this is not permitted here. *one: process 1, as it is seen here. */
static pid_t start_as_process_1(struct scene *scene, pid_t *one)
{
    struct outcome outcome;
    if (getuid() != 0 || !program_exists("unshare"))
        return -1;
    run(&outcome, "unshare", "-pf", "--mount-proc", "true", NULL);
    if (outcome.code != 0)
        return -1;
    const char *argv[] = {
        "unshare",         "-pf", "--kill-child", "--mount-proc", scene->proxy.program, "-f",
        scene->proxy.file, NULL};
    pid_t outside = program_start(
        &(struct program){.argv = argv, .out = scene->proxy.log, .err = scene->proxy.log});
    scene->proxy.pid = outside;
    proxy_wait_serving(&scene->proxy);
    *one = first_child(outside);
    return outside;
}

START_TEST(process_1_of_a_container)
{
    struct scene scene;
    struct outcome outcome;
    pid_t one;
    char target[16];
    struct origin *origin = origin_start(ORIGIN_ANSWER);
    scene_init(&scene);
    scene.server_port = origin_port(origin);
    scene_configure(&scene, "", "");
    pid_t outside = start_as_process_1(&scene, &one);
    if (outside < 0)
        skip_test("no PID namespace can be had here");
    struct churn *churn =
        churn_start(&(struct churn_options){.target = scene.front, .in_flight = 20});
    snprintf(target, sizeof target, "%d", (int)one);
    scene.proxy.generation = 1;
    for (unsigned i = 0; i < scaled(20, 4); i++) {
        if (i % 2) {
            ck_assert_int_eq(kill(one, SIGHUP), 0);
            wait_until(has_reloaded, &scene.proxy, "a signal to process 1 starts a reload");
        } else {
            int code = proxy_command(&scene.proxy, &outcome, "reload", NULL);
            ck_assert_msg(code == 0, "reload: exit %d: %s", code, outcome.err);
            wait_until(has_reloaded, &scene.proxy, "the reload is done");
        }
        run(&outcome, "nsenter", "-t", target, "-p", "-m", "sh", "-c", "(exit 0 & exit 0)", NULL);
        ck_assert_int_eq(outcome.code, 0);
        churn_wait(churn, churn_ended(churn) + 50);
    }
    churn_stop_clean(churn, "reloads of a container");
    proxy_wait_drained(&scene.proxy);
    wait_until(has_one_child, &one, "process 1 has reaped all orphans");
    ck_assert_int_eq(kill(one, SIGTERM), 0);
    ck_assert_int_eq(wait_gone(outside), 0);
    expect_clean_log(scene.proxy.log);
}
END_TEST

/* The container ends with the serving generation, and with its status. */
START_TEST(process_1_ends_with_a_crash)
{
    struct scene scene;
    pid_t one;
    scene_init(&scene);
    scene_configure(&scene, "", "");
    pid_t outside = start_as_process_1(&scene, &one);
    if (outside < 0)
        skip_test("no PID namespace can be had here");
    ck_assert_int_eq(kill(first_child(one), SIGKILL), 0);
    expect_end(outside, KILLED);
}
END_TEST

Suite *supervise_suite(void)
{
    Suite *suite = suite_create("supervise");
    scenario_add(suite, stays_while_generations_come_and_go, 300);
    scenario_add(suite, passes_all_signals_on, 120);
    scenario_add(suite, signals_before_the_first_generation, 120);
    scenario_add(suite, stopped_and_continued, 120);
    scenario_add(suite, goes_on_by_the_new_program, 120);
    scenario_add(suite, ends_with_the_status_of_the_last_generation, 120);
    scenario_add(suite, killed_while_another_drains, 120);
    scenario_add(suite, interrupted_while_another_drains, 120);
    scenario_add(suite, rolled_back_on_probation, 120);
    scenario_add(suite, killed_in_a_reload, 120);
    scenario_add(suite, both_fail_in_a_reload, 120);
    scenario_add(suite, supervisor_killed, 120);
    scenario_add(suite, a_manager_hears_the_supervisor, 120);
    scenario_add(suite, passed_sockets_are_for_the_first_generation, 120);
    scenario_add(suite, under_runit, 300);
    scenario_add(suite, process_1_of_a_container, 300);
    scenario_add(suite, process_1_ends_with_a_crash, 120);
    return suite;
}
