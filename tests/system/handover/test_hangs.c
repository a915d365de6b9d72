/* A process of a reload lives but does not run: it is stopped at one of its messages or at any
 * moment, or one worker thread is stuck. The other process serves on; only sessions that the hung
 * process had accepted are lost; and the next reload works.
 *
 * A hang is noticed after some seconds, so several proxies hang at a time. */
#include "tests/system/scenarios.h"
#include "tests/system/support/churn.h"
#include "tests/system/support/hang.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/manager.h"
#include "tests/system/support/net.h"
#include "tests/system/support/origin.h"
#include "tests/system/support/proxy.h"
#include "tests/system/support/streams.h"
#include "tests/system/support/trap.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SCENES = 5, SESSIONS = 500, RATE = 2000, MOMENTS = 20, TICK_MS = 20 };

/* How much hangs at a time: one scene with the full load, or SCENES small ones. */
struct size {
    unsigned scenes, sessions, rate; /* sessions, connections per second: of one scene */
};

static struct size size(void)
{
    enum { SESSIONS_LEAST = 40 * SCENES, RATE_LEAST = 100 * SCENES };
    unsigned sessions = scaled(SESSIONS, SESSIONS_LEAST), rate = scaled(RATE, RATE_LEAST);
    unsigned scenes = rate > RATE_LEAST ? 1 : SCENES;
    return (struct size){.scenes = scenes, .sessions = sessions / scenes, .rate = rate / scenes};
}

struct scene {
    struct proxy proxy;
    uint16_t port, long_port, server_port, long_server_port;
    struct streams *streams;
    struct churn *churn;
    struct trap trap;
    pid_t first, second, command;
    pthread_t keeper;
    atomic_bool over;
    pid_t hung;          /* the process that must not be left; 0: either may be */
    bool keeps_sessions; /* no session of before the reload may be lost */
    char name[32];
};

static void configure(const struct scene *scene, const char *probation)
{
    proxy_configure(&scene->proxy,
                    "workers = 2\nready-timeout = 4s\nprobation = %s\n"
                    "[listen main]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n"
                    "[listen long]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n",
                    probation, scene->port, scene->server_port, scene->long_port,
                    scene->long_server_port);
}

/* call, step: where the new process is stopped; step 0: it is not stopped; NULL: it is not traced.
 */
static void scene_start(struct scene *scene, const struct origin *origin, unsigned number,
                        const char *call, unsigned step, const char *probation)
{
    char program[48];
    *scene = (struct scene){.streams = streams_create()};
    snprintf(scene->name, sizeof scene->name, "%u-%s-%u", number, call ? call : "moment", step);
    scene->port = port_reserve(getuid());
    scene->long_port = port_reserve(getuid());
    scene->server_port = origin_port(origin);
    scene->long_server_port = streams_port(scene->streams);
    struct endpoint front = endpoint_loopback(scene->port),
                    long_front = endpoint_loopback(scene->long_port);
    proxy_init(&scene->proxy, scene->name);
    snprintf(program, sizeof program, "%s.program", scene->name);
    copy_file(proxy_binary(), test_path(scene->proxy.program, program), 0755);
    configure(scene, probation);
    proxy_start(&scene->proxy);
    scene->first = scene->proxy.pid;
    streams_slow_down(scene->streams, TICK_MS);
    streams_open(scene->streams, &long_front, size().sessions);
    streams_wait_progress(scene->streams, 1);
    streams_may_be_lost(scene->streams);
    scene->churn = churn_start(&(struct churn_options){
        .target = front, .in_flight = size().rate * 3, .rate = size().rate});
    trap_init(&scene->trap, scene->name, call, step, "SIGSTOP");
    trap_successor(&scene->trap, &scene->proxy);
    scene->command = proxy_command_start(&scene->proxy, NULL, "reload", NULL);
}

static bool is_launched(void *argument)
{
    const struct scene *scene = argument;
    char text[32];
    return read_file(scene->trap.pid_file, text, sizeof text) > 0 && strchr(text, '\n') != NULL;
}

/* A new process that is stopped when the old one has already finished is continued, by a thread:
 * nobody else could, and it may be the question of the test for its status at which it stops. Where
 * no tracer shows another state, only a stopped one is: SIGCONT takes the SIGSTOP away by which
 * LeakSanitizer attaches to a process that exits. */
static void *keep_going(void *argument)
{
    struct scene *scene = argument;
    while (!atomic_load(&scene->over)) {
        if (!process_alive(scene->first) &&
            (scene->trap.step > 0 || state_of(scene->second) == 'T'))
            (void)kill(scene->second, SIGCONT);
        usleep(20000);
    }
    return NULL;
}

static void wait_launched(struct scene *scene)
{
    wait_until(is_launched, scene, "the successor is launched");
    scene->second = trap_caught(&scene->trap);
    ck_assert_int_eq(pthread_create(&scene->keeper, NULL, keep_going, scene), 0);
}

static bool one_is_left(void *argument)
{
    struct scene *scene = argument;
    struct status status;
    if (!proxy_status(&scene->proxy, &status) || status.count != 1 ||
        strcmp(status.generations[0].state, "active") != 0)
        return false;
    scene->proxy.pid = status.pid;
    scene->proxy.generation = status.generation;
    return process_alive(scene->first) + process_alive(scene->second) == 1;
}

/* Once one of the two processes is left and serves. At most the sessions that the other one had
 * accepted are lost. */
static void scene_end(struct scene *scene)
{
    struct status status;
    struct churn_result result;
    ck_assert_int_ne(scene->proxy.pid, scene->hung);
    (void)wait_gone(scene->command);
    streams_wait_progress(scene->streams, 2);
    churn_wait(scene->churn, churn_ended(scene->churn) + size().rate / 2);
    ck_assert(proxy_status(&scene->proxy, &status));
    copy_file(proxy_binary(), scene->proxy.program, 0755);
    configure(scene, "0s");
    if (scene->trap.step == 0 || scene->proxy.pid != scene->second) { /* else it is still to come */
        proxy_reload(&scene->proxy);
        proxy_reload(&scene->proxy); /* ends the probation of the one before */
        proxy_wait_drained(&scene->proxy);
    }
    churn_stop(scene->churn, &result);
    churn_print(&result, scene->name);
    ck_assert(!scene->keeps_sessions || streams_lost(scene->streams) == 0);
    uint64_t lost = churn_lost(&result) + streams_lost(scene->streams);
    ck_assert_msg(lost <= status.last_crash.sessions, "%s: %llu sessions are lost, of %llu",
                  scene->name, (unsigned long long)lost,
                  (unsigned long long)status.last_crash.sessions);
    ck_assert_uint_eq(result.lost[LOSS_REFUSED] + result.lost[LOSS_WRONG], 0);
    streams_finish(scene->streams);
    ck_assert_int_eq(proxy_command(&scene->proxy, &(struct outcome){0}, "stop", NULL), 0);
    atomic_store(&scene->over, true);
    ck_assert_int_eq(pthread_join(scene->keeper, NULL), 0);
}

/* Plays all of `count` scenes, in groups. hang starts a scene, and lets a process hang. */
static void play(unsigned count, void (*hang)(struct scene *scene, unsigned i, void *arg),
                 void *arg)
{
    struct scene scenes[SCENES];
    for (unsigned first = 0, many; first < count; first += many) {
        many = count - first < size().scenes ? count - first : size().scenes;
        for (unsigned i = 0; i < many; i++)
            hang(&scenes[i], first + i, arg);
        /* All at a time: the clients of a hung process do not wait for the end of other scenes. */
        for (unsigned i = 0; i < many; i++)
            wait_until(one_is_left, &scenes[i], "one process is left, and serves");
        for (unsigned i = 0; i < many; i++)
            scene_end(&scenes[i]);
    }
}

/* How many such calls the new process makes in an undisturbed reload. */
static unsigned count_calls(const struct origin *origin, const char *call)
{
    struct scene scene;
    scene_start(&scene, origin, 0, call, 0, "1s");
    wait_launched(&scene);
    wait_until(one_is_left, &scene, "one process is left, and serves");
    unsigned calls = trap_calls(&scene.trap);
    scene_end(&scene);
    return calls;
}

struct stop {
    const struct origin *origin;
    const char *call;
    unsigned calls;
    bool successor;
};

static void trap_one(struct scene *scene, unsigned i, void *arg)
{
    const struct stop *stop = arg;
    scene_start(scene, stop->origin, i + 1, stop->call, 1 + i * (stop->calls - 1) / (SCENES - 1),
                "1s");
    wait_launched(scene);
}

START_TEST(successor_stopped_at_a_message)
{
    static const char *const calls[] = {"sendmsg", "recvmsg"};
    if (!trap_works()) {
        skip_test("strace cannot trace here");
    }
    struct stop stop = {.origin = origin_start(ORIGIN_ANSWER)};
    for (unsigned i = 0; i < 2; i++) {
        stop.call = calls[i];
        stop.calls = count_calls(stop.origin, calls[i]);
        ck_assert_uint_gt(stop.calls, SCENES);
        play(SCENES, trap_one, &stop);
    }
}
END_TEST

static bool serves(void *argument)
{
    const struct scene *scene = argument;
    struct status status;
    return proxy_status(&scene->proxy, &status) && status.pid == scene->second;
}

/* With a probation, and without: in the time that a reload without one takes, 0.3 s, counted in
 * connections. */
static void stop_at_a_moment(struct scene *scene, unsigned i, void *arg)
{
    const struct stop *stop = arg;
    unsigned moment = (unsigned)rand() % (size().rate * 3 / 10);
    scene_start(scene, stop->origin, i, NULL, 0, i % 2 ? "1s" : "0s");
    wait_launched(scene);
    churn_wait(scene->churn, churn_ended(scene->churn) + moment);
    (void)kill(stop->successor ? scene->second : scene->first, SIGSTOP); /* it may have ended */
}

static void stop_at_moments(bool successor)
{
    struct stop stop = {.origin = origin_start(ORIGIN_ANSWER), .successor = successor};
    srand((unsigned)now_ms());
    play(scaled(MOMENTS, SCENES), stop_at_a_moment, &stop);
}

START_TEST(successor_stopped)
{
    stop_at_moments(true);
}
END_TEST

START_TEST(predecessor_stopped)
{
    stop_at_moments(false);
}
END_TEST

/* The thread on which checks run. */
static pid_t checker_of(pid_t pid)
{
    char path[64], name[32];
    pid_t checker = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *threads = opendir(path);
    for (const struct dirent *entry; threads && (entry = readdir(threads));) {
        snprintf(path, sizeof path, "/proc/%d/task/%.16s/comm", (int)pid, entry->d_name);
        if (read_file(path, name, sizeof name) > 0 && strcmp(name, "checks\n") == 0)
            checker = atoi(entry->d_name);
    }
    if (threads)
        closedir(threads);
    return checker;
}

static void hang_worker(struct scene *scene, unsigned i, void *arg)
{
    scene_start(scene, arg, i, NULL, 0, "10m");
    wait_launched(scene);
    wait_until(serves, scene, "the successor serves");
    scene->hung = i % 2 ? scene->first : scene->second;
    scene->keeps_sessions = scene->hung == scene->second;
    (void)hang_thread(worker_of(scene->hung));
}

/* One worker thread hangs; in half of the cases a thread of the old process, which stands by. A new
 * process that hangs while it is on probation gets no sessions of the old one. */
START_TEST(worker_hangs)
{
    play(SCENES, hang_worker, origin_start(ORIGIN_ANSWER));
}
END_TEST

/* --- the service manager's watchdog --------------------------------------------------------- */

struct watched {
    struct manager *manager;
    pid_t pid;
    unsigned beats, awaited; /* messages since the last look; messages to wait for */
};

static bool has_beaten(void *argument)
{
    struct watched *watched = argument;
    char text[48];
    manager_listen(watched->manager);
    snprintf(text, sizeof text, "%d:WATCHDOG=1;", watched->pid);
    watched->beats = 0;
    for (const char *at = watched->manager->said; (at = strstr(at, text)); at++)
        watched->beats++;
    return watched->beats >= watched->awaited;
}

static void forget_beats(struct watched *watched)
{
    manager_listen(watched->manager);
    watched->manager->said[0] = '\0';
}

static void start_watched(struct proxy *proxy, struct manager *manager, const char *name,
                          uint16_t server)
{
    char wrapper[48];
    proxy_init(proxy, name);
    proxy->env = manager->env;
    snprintf(wrapper, sizeof wrapper, "%s.program", name);
    write_file(test_path(proxy->program, wrapper), 0755,
               "#!/bin/sh\nexport WATCHDOG_USEC=400000 WATCHDOG_PID=$$\nexec %s \"$@\"\n",
               proxy_binary());
    proxy_configure(proxy,
                    "workers = 2\n[listen main]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n"
                    "check = tcp\n",
                    port_reserve(getuid()), server);
    proxy_start(proxy);
}

/* The serving process sends the beat while all of its threads run. The other processes send
 * nothing. The clock is another proxy that is healthy. */
START_TEST(watchdog_of_the_service_manager)
{
    struct manager manager;
    struct proxy proxy, clock;
    manager_open(&manager);
    uint16_t server;
    (void)listen_loopback(&server);
    start_watched(&proxy, &manager, "proxy", server);
    start_watched(&clock, &manager, "clock", server);
    struct watched watched = {.manager = &manager, .pid = proxy.pid, .awaited = 2};
    struct watched well = {.manager = &manager, .pid = clock.pid, .awaited = 8};
    wait_until(has_beaten, &watched, "it says that it is well");
    pid_t first = proxy.pid;
    copy_file(proxy_binary(), proxy.program,
              0755); /* the new process has WATCHDOG_USEC from this one */
    proxy_reload(&proxy);
    proxy_wait_drained(&proxy);
    forget_beats(&watched);
    watched.pid = proxy.pid;
    wait_until(has_beaten, &watched, "its successor says that it is well");
    watched.pid = first;
    ck_assert(!has_beaten(&watched));
    ck_assert_uint_eq(watched.beats, 0);

    watched.pid = proxy.pid;
    const pid_t threads[] = {worker_of(proxy.pid), checker_of(proxy.pid)};
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_int_gt(threads[i], 0);
        ck_assert_int_ne(threads[0], threads[1]);
        pid_t debugger = hang_thread(threads[i]);
        forget_beats(&watched);
        wait_until(has_beaten, &well, "the other proxy continues");
        (void)has_beaten(&watched);
        ck_assert_uint_le(watched.beats, 1); /* one beat that was already sent */
        ck_assert_int_eq(proxy_command(&proxy, &(struct outcome){0}, "status", NULL), 0);
        ck_assert_int_eq(kill(debugger, SIGKILL), 0);
        wait_gone(debugger);
        wait_until(has_beaten, &watched, "it is well again");
    }
    proxy_stop(&clock);
    proxy_stop(&proxy);
}
END_TEST

Suite *hangs_suite(void)
{
    Suite *suite = suite_create("hangs");
    scenario_add(suite, successor_stopped_at_a_message, 900);
    scenario_add(suite, successor_stopped, 900);
    scenario_add(suite, predecessor_stopped, 900);
    scenario_add(suite, worker_hangs, 900);
    scenario_add(suite, watchdog_of_the_service_manager, 300);
    return suite;
}
