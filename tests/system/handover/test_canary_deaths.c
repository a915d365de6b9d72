/* Canary reloads in which one of the processes dies, hangs or fails. */
#include "tests/system/scenarios.h"
#include "tests/system/support/canary.h"
#include "tests/system/support/manager.h"
#include "tests/system/support/streams.h"
#include "tests/system/support/trap.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SESSIONS = 60, STEPS = 20, STEPS_MAX = 200, TICK_MS = 20, HELD_MAX = 100 };

static const char *const calls[] = {"sendmsg", "recvmsg"};

static void expect_crash(const struct proxy *proxy, pid_t pid, unsigned signal, unsigned code,
                         uint64_t sessions)
{
    struct status status;
    ck_assert(proxy_status(proxy, &status));
    ck_assert_int_eq(status.last_crash.pid, pid);
    ck_assert_uint_eq(status.last_crash.signal, signal);
    ck_assert_uint_eq(status.last_crash.status, code);
    ck_assert_uint_eq(status.last_crash.sessions, sessions);
}

static bool crash_is_reported(void *argument)
{
    struct status status;
    return proxy_status(argument, &status) && status.last_crash.pid != 0;
}

/* --- the predecessor, while the canary goes back ------------------------------------------- */

struct returning {
    struct scene scene;
    struct streams *streams;
    struct manager manager;
    struct trap trap;
    struct reload reload;
    struct canary canary;
};

/* Opens sessions on both sides, and traces the old process. Returns strace's pid. */
static pid_t returning_start(struct returning *returning, const char *call, unsigned step)
{
    struct scene *scene = &returning->scene;
    *returning = (struct returning){.streams = streams_create()};
    char name[48];
    snprintf(name, sizeof name, "%s-%u", call, step);
    scene->port = port_reserve(getuid());
    scene->front = endpoint_loopback(scene->port);
    scene->server_port = streams_port(returning->streams);
    proxy_init(&scene->proxy, name);
    manager_open(&returning->manager);
    scene->proxy.env = returning->manager.env;
    scene_configure(scene, "", "");
    proxy_start(&scene->proxy);
    trap_init(&returning->trap, name, call, step, "SIGKILL");
    pid_t strace = trap_process(&returning->trap, scene->proxy.pid);
    returning->reload = reload_start(&scene->proxy, "50%:1h");
    returning->canary = canary_wait(&scene->proxy);
    streams_slow_down(returning->streams, TICK_MS);
    streams_open(returning->streams, &scene->front, SESSIONS);
    streams_wait_progress(returning->streams, 1);
    return strace;
}

static bool canary_serves(void *argument)
{
    const struct returning *returning = argument;
    struct status status;
    return proxy_status(&returning->scene.proxy, &status) && status.pid == returning->canary.pid &&
           status.count == 1;
}

/* The canary serves alone. Or its listeners were closed already, and it drains. */
static bool canary_goes_on(void *argument)
{
    const struct returning *returning = argument;
    return canary_serves(argument) || !process_alive(returning->canary.pid) ||
           file_mentions(returning->scene.proxy.log, "this generation continues to drain") > 0;
}

/* The canary reports how many sessions were lost with the old process, or none. At most this number
 * is lost: sessions on their way to the old process may live. A new start has read of the crash in
 * the life file, whose number may be one second old. */
static void expect_lost(struct returning *returning, pid_t killed, bool by_canary)
{
    struct status status;
    ck_assert(proxy_status(&returning->scene.proxy, &status));
    unsigned told = (unsigned)status.last_crash.sessions;
    ck_assert_int_eq(status.last_crash.pid, told > 0 || !by_canary ? killed : 0);
    streams_wait_progress(returning->streams, 2);
    if (!by_canary)
        return;
    ck_assert_msg(streams_lost(returning->streams) <= told,
                  "%s: %u sessions are lost; reported: %u", returning->trap.trace,
                  streams_lost(returning->streams), told);
}

static void expect_main_pid(struct returning *returning)
{
    char text[64];
    manager_listen(&returning->manager);
    snprintf(text, sizeof text, "%d:READY=1\nMAINPID=%d\n", returning->canary.pid,
             returning->canary.pid);
    ck_assert_msg(returning->manager.said[0] == '\0' ||
                      strstr(returning->manager.said, text) != NULL,
                  "no %s in: %s", text, returning->manager.said);
}

static bool only_one_is_left(void *argument)
{
    struct status status;
    return proxy_status(argument, &status) && status.count == 1;
}

/* Returns false when the old process lived through the reload. */
static bool predecessor_killed_at(const char *call, unsigned step)
{
    struct returning returning;
    struct outcome outcome;
    pid_t strace = returning_start(&returning, call, step);
    struct proxy *proxy = &returning.scene.proxy;
    pid_t first = proxy->pid;
    streams_may_be_lost(returning.streams);
    int code = proxy_command(proxy, &outcome, "reload", "--abort", NULL);
    wait_until(canary_goes_on, &returning, "the canary serves alone, or is gone");
    bool killed = !process_alive(first), served = killed && canary_serves(&returning);
    if (killed) {
        wait_gone(first);
    } else {
        kill(strace, SIGTERM); /* a stop sends messages as well */
    }
    wait_gone(strace);
    printf("     predecessor killed at %s %u: called off with %d, %s\n", call, step, code,
           !killed ? "it lived" : (served ? "the canary serves" : "the canary drains"));
    if (served) {
        ck_assert_msg(code == 1 && strstr(outcome.err, "not called off: ") != NULL, "exit %d: %s",
                      code, outcome.err);
        reload_ends(&returning.reload, 0);
        expect_in_file(returning.reload.out, "the old process died during the reload");
        ck_assert_int_eq(proxy_pidfile(proxy), returning.canary.pid);
        expect_main_pid(&returning);
    } else {
        ck_assert_msg(code == 0 || (killed && code == 8), "exit %d: %s", code, outcome.err);
        reload_ends(&returning.reload, code == 0 ? 4 : 8);
    }
    if (killed && !served) { /* as a service manager would */
        proxy_start(proxy);
    }
    if (killed) {
        expect_lost(&returning, first, served);
    }
    proxy_follow(proxy);
    streams_open(returning.streams, &returning.scene.front, 1);
    streams_finish(returning.streams);
    wait_until(only_one_is_left, proxy, "the others have drained");
    ck_assert_int_eq(proxy_command(proxy, &outcome, "stop", NULL), 0);
    wait_gone(returning.canary.pid);
    unlink(proxy->file);
    unlink(proxy->log);
    unlink(returning.trap.trace);
    close(returning.manager.socket);
    return killed;
}

/* Runs a canary without disturbing it. Returns the first step of the way back, and the last one in
 * *last. */
static unsigned find_way_back(const char *call, unsigned *last)
{
    struct returning returning;
    struct outcome outcome;
    pid_t strace = returning_start(&returning, call, 0);
    struct proxy *proxy = &returning.scene.proxy;
    ck_assert_int_eq(proxy_command(proxy, &outcome, "reload", "--abort", NULL), 0);
    reload_ends(&returning.reload, 4);
    wait_gone(returning.canary.pid);
    streams_wait_progress(returning.streams, 1);
    *last = trap_calls(&returning.trap);
    unsigned step = trap_first(&returning.trap, TRAP_BACK, TRAP_CLOSED);
    ck_assert_msg(step > 0, "no way back in %s", returning.trap.trace);
    streams_finish(returning.streams);
    kill(strace, SIGTERM);
    wait_gone(strace);
    proxy_stop(proxy);
    return step;
}

START_TEST(predecessor_killed_on_the_way_back)
{
    if (!trap_works()) {
        skip_test("strace cannot trace here");
    }
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        unsigned killed = 0;
        /* Heartbeats are messages as well, and a slow run has more of them: if the next run is so
         * fast that it has not even the first step, the way back is looked for again. */
        while (killed == 0) {
            unsigned last, step = find_way_back(calls[i], &last);
            unsigned stride = (last - step) / scaled(STEPS, 3) + 1;
            for (; predecessor_killed_at(calls[i], step); step += stride) {
                killed++;
                ck_assert_uint_lt(step, STEPS_MAX);
            }
        }
    }
}
END_TEST

/* The canary has been told to go back and has not closed its listeners yet. When the old process is
 * killed, the canary serves alone. Only sessions of the killed process are lost. */
START_TEST(predecessor_killed_while_the_canary_lingers)
{
    struct scene scene;
    struct session sessions[SESSIONS_MAX];
    struct reload reload;
    struct canary canary;
    unsigned count = start_with_canary(&scene, "", &reload, &canary, sessions);
    ck_assert(canary_look(&canary));
    process_stop(canary.pid);
    struct reload abort = decision_start(&scene.proxy, "--abort");
    wait_mentioned(reload.err, "going back: pid ");
    pid_t first = scene.proxy.pid;
    kill(first, SIGKILL);
    wait_gone(first);
    ck_assert_int_eq(kill(canary.pid, SIGCONT), 0);
    reload_ends(&reload, 0);
    expect_in_file(reload.out, "the old process died during the reload");
    reload_ends(&abort, 1);
    expect_in_file(abort.err, "not called off: ");
    proxy_follow(&scene.proxy);
    ck_assert_int_eq(scene.proxy.pid, canary.pid);
    ck_assert_int_eq(proxy_pidfile(&scene.proxy), canary.pid);
    wait_mentions(scene.proxy.log, "generation 2 ends, and its connections go back", 1);
    wait_until(crash_is_reported, &scene.proxy, "the crash is reported");
    expect_crash(&scene.proxy, first, 0, 0, canary.predecessors);
    ck_assert_uint_eq(sessions_alive(sessions, count), canary.sessions);
    struct session session = session_open(&scene);
    session_works(&session);
    session_close(&session);
    proxy_reload(&scene.proxy);
    proxy_wait_drained(&scene.proxy);
    ck_assert_int_eq(proxy_command(&scene.proxy, &(struct outcome){0}, "stop", NULL), 0);
}
END_TEST

/* --- a canary that hangs ------------------------------------------------------------------- */

struct hanging {
    struct scene scene;
    struct origin *origin;
    struct reload reload;
    struct canary canary;
    int held[HELD_MAX]; /* clients, of which the canary has at least one */
    unsigned count;
};

static void hanging_start(struct hanging *hanging)
{
    struct scene *scene = &hanging->scene;
    hanging->origin = origin_start(ORIGIN_ANSWER);
    scene_init(scene);
    scene->server_port = origin_port(hanging->origin);
    scene_configure(scene, "linger-timeout = 100ms\n", "");
    proxy_start(&scene->proxy);
    hanging->reload = reload_start(&scene->proxy, "50%:1h");
    hanging->canary = canary_wait(&scene->proxy);
    for (hanging->count = 0; hanging->canary.sessions == 0; hanging->count++) {
        ck_assert_uint_lt(hanging->count, HELD_MAX);
        hanging->held[hanging->count] = connect_to(&scene->front);
        ck_assert(canary_look(&hanging->canary));
    }
    process_stop(hanging->canary.pid);
}

/* The state is the same as after a crash. */
static void expect_killed(struct hanging *hanging, int status)
{
    struct proxy *proxy = &hanging->scene.proxy;
    char text[96];
    reload_ends(&hanging->reload, status);
    snprintf(text, sizeof text,
             "(pid %d) did not answer for 3s, and was killed; canary: ", (int)hanging->canary.pid);
    expect_in_file(hanging->reload.err, text);
    wait_until(is_reaped, &hanging->canary.pid, "the canary is reaped");
    ck_assert(is_active_again(proxy));
    ck_assert_int_eq(proxy_pidfile(proxy), proxy->pid);
    expect_crash(proxy, hanging->canary.pid, SIGKILL, 0, hanging->canary.sessions);
}

static void hanging_end(struct hanging *hanging)
{
    for (unsigned i = 0; i < hanging->count; i++) {
        close(hanging->held[i]);
    }
    next_reload(&hanging->scene.proxy);
    proxy_wait_drained(&hanging->scene.proxy);
}

/* While the canary hangs, no new client is steered to it. Then the old process kills it and reports
 * this. */
START_TEST(hangs_on_the_way_back)
{
    struct hanging hanging;
    hanging_start(&hanging);
    struct proxy *proxy = &hanging.scene.proxy;
    struct reload abort = decision_start(proxy, "--abort");
    wait_mentioned(hanging.reload.err, "going back: pid ");
    struct churn *churn = churn_start(&(struct churn_options){
        .target = hanging.scene.front, .in_flight = IN_FLIGHT, .rate = 200});
    churn_wait(churn, CONNECTIONS);
    struct status status;
    ck_assert(proxy_status(proxy, &status));
    ck_assert_uint_eq(status.count, 2);
    ck_assert_str_eq(status.generations[1].state, "lingering");
    expect_killed(&hanging, 4);
    reload_ends(&abort, 0);
    expect_in_file(hanging.reload.err,
                   "canary rolled back: it was called off; the successor (pid ");
    churn_stop_clean(churn, "beside a canary that hangs on its way back");
    hanging_end(&hanging);
    ck_assert_int_eq(proxy_command(proxy, &(struct outcome){0}, "stop", NULL), 0);
}
END_TEST

/* Clients in the canary's queues that it had not accepted are served by the old process. */
START_TEST(hangs)
{
    struct hanging hanging;
    hanging_start(&hanging);
    struct proxy *proxy = &hanging.scene.proxy;
    struct churn *churn = churn_start(&(struct churn_options){
        .target = hanging.scene.front, .in_flight = IN_FLIGHT, .rate = 200});
    expect_killed(&hanging, 5);
    churn_wait(churn, churn_ended(churn) + CONNECTIONS);
    churn_stop_clean(churn, "beside a canary that hangs");
    hanging_end(&hanging);
    proxy_stop(proxy);
}
END_TEST

/* A canary that hangs is not promoted. */
START_TEST(hangs_and_is_not_promoted)
{
    struct hanging hanging;
    hanging_start(&hanging);
    struct proxy *proxy = &hanging.scene.proxy;
    struct reload promotion = decision_start(proxy, "--promote");
    expect_killed(&hanging, 5);
    reload_ends(&promotion, 5);
    expect_in_file(promotion.err, "not promoted: ");
    ck_assert_uint_eq(file_mentions(proxy->log, "is promoted"), 0);
    hanging_end(&hanging);
    ck_assert_int_eq(proxy_command(proxy, &(struct outcome){0}, "stop", NULL), 0);
}
END_TEST

/* --- a canary that ends by itself ---------------------------------------------------------- */

/* The old process takes everything back. */
static void end_canary(bool by_order)
{
    struct scene scene;
    struct session sessions[SESSIONS_MAX];
    struct trap trap;
    char text[96];
    struct reload reload;
    struct canary canary;
    unsigned count = start_with_canary(&scene, "", &reload, &canary, sessions);
    ck_assert(canary_look(&canary));
    trap_init(&trap, "canary", "", 0, "");
    if (by_order) {
        kill(canary.pid, SIGINT);
    } else {
        (void)trap_failure(&trap, canary.pid);
    }
    reload_ends(&reload, 5);
    snprintf(text, sizeof text,
             "the successor (pid %d) ended with status %d; canary: ", (int)canary.pid,
             by_order ? 0 : 1);
    expect_in_file(reload.err, text);
    wait_until(is_active_again, &scene.proxy, "the canary is gone");
    if (by_order) {
        expect_crash(&scene.proxy, 0, 0, 0, 0);
    } else {
        expect_crash(&scene.proxy, canary.pid, 0, 1, canary.sessions);
        snprintf(text, sizeof text, "(pid %d) ended with status 1, and %u session%s went with it",
                 (int)canary.pid, canary.sessions, canary.sessions == 1 ? "" : "s");
        wait_mentions(scene.proxy.log, text, 1);
    }
    ck_assert_uint_eq(sessions_alive(sessions, count), canary.predecessors);
    next_reload(&scene.proxy);
    proxy_wait_drained(&scene.proxy);
    ck_assert_int_eq(proxy_command(&scene.proxy, &(struct outcome){0}, "stop", NULL), 0);
}

START_TEST(fails)
{
    if (!trap_works()) {
        skip_test("strace cannot trace here");
    }
    setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* LeakSanitizer does not work under strace */
    end_canary(false);
}
END_TEST

/* A canary that was told to end at once is not a crash. */
START_TEST(ended_at_once)
{
    end_canary(true);
}
END_TEST

/* The canary has gone back, and drains as an older process of the process that launched it. */
START_TEST(killed_when_it_has_gone_back)
{
    struct scene scene;
    struct session sessions[SESSIONS_MAX];
    struct reload reload;
    struct canary canary;
    unsigned count = start_with_canary(&scene, "drain = wait\n", &reload, &canary, sessions);
    ck_assert(canary_look(&canary));
    ck_assert_int_eq(proxy_command(&scene.proxy, &(struct outcome){0}, "reload", "--abort", NULL),
                     0);
    reload_ends(&reload, 4);
    kill(canary.pid, SIGKILL);
    wait_until(crash_is_reported, &scene.proxy, "the crash is reported");
    expect_crash(&scene.proxy, canary.pid, SIGKILL, 0, canary.sessions);
    wait_until(is_reaped, &canary.pid, "the canary is reaped");
    for (unsigned i = 0; i < count; i++) {
        close(sessions[i].client);
        close(sessions[i].server);
    }
    ck_assert_int_eq(proxy_command(&scene.proxy, &(struct outcome){0}, "stop", NULL), 0);
}
END_TEST

/* The temporary names of a process with that pid, beside the paths of the scene. */
struct names {
    const struct scene *scene;
    pid_t pid;
};

static unsigned count_names(const char *folder, pid_t pid)
{
    char suffix[16];
    unsigned count = 0;
    size_t length = (size_t)snprintf(suffix, sizeof suffix, ".%d", (int)pid);
    DIR *files = opendir(folder);
    ck_assert_ptr_nonnull(files);
    for (const struct dirent *file; (file = readdir(files));) {
        size_t size = strlen(file->d_name);
        count += size > length && strcmp(file->d_name + size - length, suffix) == 0;
    }
    closedir(files);
    return count;
}

static unsigned names_of(const struct names *names)
{
    char folder[PATH_MAX], path[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", names->scene->proxy.control);
    *strrchr(folder, '/') = '\0';
    test_path(path, "x");
    *strrchr(path, '/') = '\0';
    return count_names(folder, names->pid) +
           (strcmp(folder, path) ? count_names(path, names->pid) : 0);
}

static bool has_none(void *names)
{
    return names_of(names) == 0;
}

/* Each process has temporary names beside its paths. The surviving process removes those of a
 * killed one. */
START_TEST(names_of_the_killed_are_removed)
{
    struct scene scene;
    struct outcome outcome;
    char path[PATH_MAX], line[PATH_MAX + 16];
    scene_init(&scene);
    snprintf(line, sizeof line, "bind = unix:%s\n", test_path(path, "bind.sock"));
    scene_configure(&scene, "probation = 10m\n", line);
    proxy_start(&scene.proxy);
    ck_assert_int_eq(unlink(path), 0); /* the next process has to make a new file */
    struct reload reload = reload_start(&scene.proxy, "50%:10m");
    struct names names = {&scene, canary_wait(&scene.proxy).pid};
    ck_assert_uint_ge(names_of(&names), 3); /* of the bind, the control socket and the pid file */
    kill(names.pid, SIGKILL);
    reload_ends(&reload, 5);
    ck_assert(has_none(&names));

    pid_t old = scene.proxy.pid;
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 0);
    proxy_follow(&scene.proxy);
    ck_assert_int_ne(scene.proxy.pid, old);
    names.pid = scene.proxy.pid;
    /* The replaced files stay while the old process stands by. */
    ck_assert_uint_ge(names_of(&names), 1);
    kill(old, SIGKILL);
    wait_until(has_none, &names, "what the killed one could have taken back is removed");
    names.pid = old;
    ck_assert(has_none(&names));
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "stop", NULL), 0);
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

Suite *canary_deaths_suite(void)
{
    Suite *suite = suite_create("canary_deaths");
    scenario_add(suite, predecessor_killed_on_the_way_back, 900);
    scenario_add(suite, predecessor_killed_while_the_canary_lingers, 300);
    scenario_add(suite, hangs_on_the_way_back, 300);
    scenario_add(suite, hangs, 300);
    scenario_add(suite, hangs_and_is_not_promoted, 300);
    scenario_add(suite, fails, 300);
    scenario_add(suite, ended_at_once, 300);
    scenario_add(suite, killed_when_it_has_gone_back, 300);
    scenario_add(suite, names_of_the_killed_are_removed, 300);
    return suite;
}
