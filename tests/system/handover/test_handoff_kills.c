/* Handoffs in which one of the processes is killed or told to stop. Every session carries its
 * position in the stream (streams.h), so two processes that serve the same session would be
 * noticed. */
#include "tests/system/scenarios.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/net.h"
#include "tests/system/support/proxy.h"
#include "tests/system/support/streams.h"
#include "tests/system/support/trap.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SESSIONS = 200,
    STEPS = 100,
    STEPS_MAX = 400,
    TICK_MS = 20,
    A_MESSAGE = 16, /* sessions in one message, while there are enough of them */
    QUEUED_MOST = 5 /* of the 8 that two workers send before they need an answer */
};

static const char *const calls[] = {"sendmsg", "recvmsg"};

struct scene {
    struct proxy proxy;
    struct endpoint front;
    struct streams *streams;
    struct trap trap;
    char name[48];
    unsigned lost;
    pid_t first, second, strace; /* strace: the one that traces `first`, or 0 */
};

static void configure(const struct scene *scene, const char *options)
{
    proxy_configure(&scene->proxy,
                    "workers = 2\n%s[listen main]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n",
                    options, ntohs(scene->front.in.sin_port), streams_port(scene->streams));
}

static void scene_start(struct scene *scene, const char *options, const char *name,
                        const char *call, unsigned step, const char *signal)
{
    *scene = (struct scene){.streams = streams_create()};
    uint16_t port = port_reserve(getuid());
    snprintf(scene->name, sizeof scene->name, "%s-%s-%u", name, call, step);
    trap_init(&scene->trap, scene->name, call, step, signal);
    scene->front = endpoint_loopback(port);
    proxy_init(&scene->proxy, scene->name);
    proxy_own_binary(&scene->proxy);
    configure(scene, options);
    proxy_start(&scene->proxy);
    scene->first = scene->proxy.pid;
    streams_slow_down(scene->streams, TICK_MS);
    streams_open(scene->streams, &scene->front, SESSIONS);
    streams_wait_progress(scene->streams, 1);
}

static bool one_is_left(void *argument)
{
    struct scene *scene = argument;
    struct status status;
    if (!proxy_status(&scene->proxy, &status) || status.count != 1) {
        return false;
    }
    scene->proxy.pid = status.pid;
    scene->proxy.generation = status.generation;
    return true;
}

static void put_binary_back(const struct scene *scene)
{
    copy_file(proxy_binary(), scene->proxy.program, 0755);
}

/* One more generation, unless the trap is still set, one more session, and the end. */
static void scene_end(struct scene *scene, bool trapped)
{
    if (!trapped) {
        put_binary_back(scene);
        proxy_reload(&scene->proxy);
    }
    streams_open(scene->streams, &scene->front, 1);
    streams_finish(scene->streams);
    wait_until(one_is_left, scene, "the others have drained");
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(&scene->proxy, &outcome, "stop", NULL), 0);
    unlink(scene->proxy.file);
    unlink(scene->proxy.log);
    unlink(scene->trap.trace);
}

static bool expected_sessions_are_lost(void *argument)
{
    const struct scene *scene = argument;
    return streams_lost(scene->streams) >= scene->lost;
}

/* All other sessions go on. */
static void expect_lost(struct scene *scene, unsigned lost)
{
    scene->lost = lost;
    wait_until(expected_sessions_are_lost, scene, "sessions of the killed process are lost");
    streams_wait_progress(scene->streams, 2);
    ck_assert_msg(streams_lost(scene->streams) == lost,
                  "%s: %u sessions are lost, where %u should be", scene->name,
                  streams_lost(scene->streams), lost);
}

/* At most as many as the survivor reports: a session under way may be counted though it lives. */
static void expect_lost_at_most(struct scene *scene, unsigned told)
{
    streams_wait_progress(scene->streams, 2);
    ck_assert_msg(streams_lost(scene->streams) <= told,
                  "%s: %u sessions are lost; the survivor says %u", scene->name,
                  streams_lost(scene->streams), told);
}

/* What the log says of the new process's end. */
static bool read_note(const struct scene *scene, unsigned *sessions)
{
    char text[96], line[1024];
    bool found = false;
    snprintf(text, sizeof text, "(pid %d) was killed by signal 9, and ", (int)scene->second);
    FILE *log = fopen(scene->proxy.log, "re");
    while (log != NULL && !found && fgets(line, sizeof line, log) != NULL) {
        const char *note = strstr(line, text);
        found = note != NULL && sscanf(note + strlen(text), "%u", sessions) == 1;
    }
    if (log != NULL) {
        fclose(log);
    }
    return found;
}

/* The serving process reports the crash, or no other process is left. */
static bool is_noted_or_alone(void *argument)
{
    unsigned sessions;
    const struct scene *scene = argument;
    return read_note(scene, &sessions) || !process_alive(scene->first);
}

/* The new process is dead, or has noticed the end of the old one. */
static bool handoff_is_over(void *argument)
{
    struct scene *scene = argument;
    return !process_alive(scene->second) ||
           (one_is_left(scene) && scene->proxy.pid == scene->second);
}

/* What the serving process reports of the last crash. */
static unsigned crash_of(const struct scene *scene, pid_t crashed)
{
    struct status status;
    ck_assert(proxy_status(&scene->proxy, &status));
    ck_assert_int_eq(status.last_crash.pid, crashed);
    return (unsigned)status.last_crash.sessions;
}

/* Returns false when the process lived through the reload. */
static bool successor_killed_at(const char *call, unsigned step)
{
    struct scene scene;
    struct outcome outcome;
    unsigned lost = SESSIONS; /* no process was there to report the number */
    scene_start(&scene, "", "successor", call, step, "SIGKILL");
    streams_may_be_lost(scene.streams);
    trap_successor(&scene.trap, &scene.proxy);
    proxy_command(&scene.proxy, &outcome, "reload", NULL);
    scene.second = trap_caught(&scene.trap);
    wait_until(handoff_is_over, &scene, "the handoff is over");
    bool killed = !process_alive(scene.second);
    if (killed) {
        wait_until(is_noted_or_alone, &scene, "the predecessor says what went with its successor");
    }
    bool noted = killed && read_note(&scene, &lost);
    struct status status;
    bool served = proxy_status(&scene.proxy, &status);
    if (!served) { /* the old process drains the sessions that it kept, or is gone */
        put_binary_back(&scene);
        proxy_start(&scene.proxy);
    }
    wait_until(one_is_left, &scene, "one serves");
    unsigned told = crash_of(&scene, killed ? scene.second : 0);
    ck_assert(!noted || !served || told == lost);
    lost = killed ? lost : 0;
    printf("     successor killed at %s %u: %u lost, %s\n", call, step, lost,
           !killed ? "it lived" : (served ? "rolled back" : "no process serves"));
    expect_lost_at_most(&scene, lost);
    scene_end(&scene, !killed);
    wait_gone(scene.first);
    return killed;
}

static bool predecessor_killed_at(const char *call, unsigned step)
{
    struct scene scene;
    struct outcome outcome;
    struct status status;
    scene_start(&scene, "", "predecessor", call, step, "SIGKILL");
    streams_may_be_lost(scene.streams);
    pid_t strace = trap_process(&scene.trap, scene.first);
    proxy_command(&scene.proxy, &outcome, "reload", NULL);
    wait_gone(scene.first);
    wait_gone(strace);
    bool killed = file_mentions(scene.trap.trace, "killed by SIGKILL") > 0;
    wait_until(one_is_left, &scene, "the successor is alone");
    ck_assert(proxy_status(&scene.proxy, &status));
    unsigned told = (unsigned)status.last_crash.sessions;
    printf("     predecessor killed at %s %u: %u lost%s\n", call, step, told,
           killed ? "" : ", it lived");
    ck_assert_int_eq(status.last_crash.pid, told > 0 ? scene.first : 0);
    ck_assert(killed || told == 0);
    expect_lost_at_most(&scene, told);
    scene_end(&scene, false);
    return killed;
}

/* A reload that is not disturbed. Returns the first step of its handoff in either process, and the
 * last one in *last. */
static unsigned find_handoff(const char *call, bool successor, unsigned *last)
{
    struct scene scene;
    pid_t strace = -1;
    scene_start(&scene, "", successor ? "s" : "p", call, 0, "");
    if (successor) {
        trap_successor(&scene.trap, &scene.proxy);
    } else {
        strace = trap_process(&scene.trap, scene.first);
    }
    proxy_reload(&scene.proxy);
    wait_gone(scene.first);
    if (!successor) {
        wait_gone(strace);
    }
    unsigned step = trap_first(&scene.trap, TRAP_HANDOFF, TRAP_TAKEN);
    *last = trap_calls(&scene.trap);
    ck_assert_msg(step > 0, "no handoff in %s", scene.trap.trace);
    scene_end(&scene, false);
    return step;
}

static void kill_at_each(bool (*killed_at)(const char *call, unsigned step), bool successor)
{
    if (!trap_works()) {
        skip_test("strace cannot trace here");
    }
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        unsigned last, step = find_handoff(calls[i], successor, &last);
        unsigned stride = (last - step) / scaled(STEPS, 4) + 1;
        ck_assert_msg(last >= step + SESSIONS / 16, "%u to %u is no handoff", step, last);
        while (killed_at(calls[i], step)) {
            step += stride;
            ck_assert_uint_lt(step, STEPS_MAX);
        }
    }
}

START_TEST(successor_killed_in_the_handoff)
{
    kill_at_each(successor_killed_at, true);
}
END_TEST

START_TEST(predecessor_killed_in_the_handoff)
{
    kill_at_each(predecessor_killed_at, false);
}
END_TEST

/* Two processes that are halted when they have sent or received so many messages of a handoff. */
struct halts {
    struct scene *scene;
    struct trap *sender;
    unsigned sent;
};

static bool both_are_halted(void *argument)
{
    const struct halts *halts = argument;
    struct scene *scene = halts->scene;
    bool sends = strcmp(scene->trap.call, "sendmsg") == 0;
    bool receiver =
        file_mentions(scene->trap.trace, "stopped by SIGSTOP") > 0 &&
        trap_halts(&scene->trap, trap_caught(&scene->trap), sends ? TRAP_TAKEN : TRAP_HANDOFF, 1);
    bool sender = trap_halts(halts->sender, scene->first, TRAP_HANDOFF, halts->sent);
    return sender && receiver;
}

/* The new process is halted at its first message of the handoff, and the old one is killed when it
 * has sent some. The sessions in all messages that were sent live, though none was answered. */
static void sender_killed_unanswered(const char *call, unsigned sent)
{
    struct scene scene;
    struct trap killer;
    char name[48];
    snprintf(name, sizeof name, "sender-%u", sent);
    scene_start(&scene, "", name, call, 1, "SIGSTOP");
    scene.trap.each = true;
    streams_may_be_lost(scene.streams);
    trap_successor(&scene.trap, &scene.proxy);
    snprintf(name, sizeof name, "killer-%s-%u", call, sent);
    trap_init(&killer, name, "sendmsg", 1, "SIGSTOP");
    killer.each = true;
    pid_t strace = trap_process(&killer, scene.first);
    pid_t reload = proxy_reload_start(&scene.proxy);
    wait_until(both_are_halted, &(struct halts){&scene, &killer, sent},
               "both processes are halted in the handoff");
    ck_assert_int_eq(kill(scene.first, SIGKILL), 0);
    wait_gone(scene.first);
    wait_gone(strace);
    wait_gone(reload);
    sent = trap_carried(&killer, TRAP_HANDOFF);
    unsigned lost = SESSIONS - sent * A_MESSAGE;
    printf("     %u messages in the socket when their sender was killed, %s halted\n", sent, call);

    scene.second = trap_caught(&scene.trap);
    trap_release(scene.second);
    wait_until(one_is_left, &scene, "the successor is alone");
    ck_assert_int_eq(scene.proxy.pid, scene.second);
    ck_assert_uint_ge(crash_of(&scene, scene.first), lost);
    expect_lost(&scene, lost);
    unlink(killer.trace);
    scene_end(&scene, false);
}

START_TEST(messages_of_a_killed_sender)
{
    if (!trap_works()) {
        skip_test("strace cannot trace here");
    }
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        for (unsigned sent = 1; sent <= QUEUED_MOST; sent += 2) {
            sender_killed_unanswered(calls[i], sent);
        }
    }
}
END_TEST

/* --- three generations ---------------------------------------------------------------------- */

static bool has_arrived(void *argument)
{
    const struct scene *scene = argument;
    struct status status;
    return proxy_status(&scene->proxy, &status) && status.count == 2 &&
           status.generations[1].sessions == SESSIONS - scene->lost;
}

static bool crash_is_reported(void *argument)
{
    const struct scene *scene = argument;
    struct status status;
    return proxy_status(&scene->proxy, &status) && status.last_crash.pid == scene->first &&
           status.last_crash.sessions >= scene->lost;
}

struct halt {
    struct scene *scene;
    bool receiver; /* at a TAKEN; else the sender, at a HANDOFF */
    unsigned count;
};

static bool is_halted(void *argument)
{
    const struct halt *halt = argument;
    struct scene *scene = halt->scene;
    if (file_mentions(scene->trap.trace, "stopped by SIGSTOP") == 0) {
        return false;
    }
    return trap_halts(&scene->trap, halt->receiver ? trap_caught(&scene->trap) : scene->first,
                      halt->receiver ? TRAP_TAKEN : TRAP_HANDOFF, halt->count);
}

/* Starts a proxy, and a reload in which a process is halted when it has sent so many messages of
 * the handoff. options: of the old process, and of the new one. */
static void halt(struct scene *scene, const char *name, const char *options[2], bool receiver,
                 unsigned count)
{
    scene_start(scene, options[0], name, "sendmsg", 1, "SIGSTOP");
    scene->trap.each = true;
    if (receiver) {
        trap_successor(&scene->trap, &scene->proxy);
    } else {
        scene->strace = trap_process(&scene->trap, scene->first);
    }
    configure(scene, options[1]);
    pid_t reload = proxy_reload_start(&scene->proxy);
    wait_until(is_halted, &(struct halt){scene, receiver, count}, "a process is halted");
    proxy_reload_end(&scene->proxy, reload);
    scene->second = scene->proxy.pid;
}

/* The first process is halted when it has sent some of its sessions, and killed while the third
 * runs. It never learned that the second has these sessions. standby: before the second process
 * closes; else when that one is gone. */
static void first_of_three_killed(bool standby)
{
    struct scene scene;
    const char *options[] = {"", standby ? "probation = 10m\n" : ""};
    halt(&scene, standby ? "standby" : "gone", options, false, 1);
    streams_may_be_lost(scene.streams);
    unsigned sent = trap_carried(&scene.trap, TRAP_HANDOFF);
    scene.lost = SESSIONS - sent * A_MESSAGE;
    wait_until(has_arrived, &scene, "the second generation has what was sent");

    proxy_reload(&scene.proxy);
    if (!standby) {
        wait_gone(scene.second);
    }
    kill(scene.first, SIGKILL);
    wait_gone(scene.first);
    wait_gone(scene.strace);
    if (standby) {
        configure(&scene, "");
        proxy_reload(&scene.proxy);
    }
    wait_until(crash_is_reported, &scene,
               "status reports the sessions lost with the first process");
    expect_lost(&scene, scene.lost);
    scene_end(&scene, false);
}

START_TEST(first_of_three)
{
    if (!trap_works()) {
        skip_test("strace cannot trace here");
    }
    first_of_three_killed(false);
    first_of_three_killed(true);
}
END_TEST

/* --- told to stop --------------------------------------------------------------------------- */

#define LONG_STOP "stop-timeout = 10m\n"

struct midst {
    const char *name, *options;
    bool successor_halts; /* at a TAKEN; else the old process is halted, at a HANDOFF */
    void (*stop)(struct scene *scene, pid_t halted);
};

static void stop_at_each(const struct midst *midst)
{
    if (!trap_works()) {
        skip_test("strace cannot trace here");
    }
    setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* LeakSanitizer does not work under strace */
    const char *options[] = {midst->options, midst->options};
    for (unsigned part = 0; part < 3; part++) {
        struct scene scene;
        unsigned count = 1 + part * (SESSIONS / A_MESSAGE) * 3 / 8;
        char name[32];
        snprintf(name, sizeof name, "%s-%u", midst->name, count);
        halt(&scene, name, options, midst->successor_halts, count);
        midst->stop(&scene, midst->successor_halts ? scene.second : scene.first);
        wait_gone(scene.second);
        ck_assert_uint_eq(orphans_failed(), 0);
        expect_clean_log(scene.proxy.log);
        printf("     %s at message %u\n", midst->name, count);
    }
}

static void wait_stopping(const struct scene *scene)
{
    wait_mentioned(scene->proxy.log, "stopping: no new connections are accepted");
}

/* The test can wait for the status only after strace has had it. */
static void expect_first_ends(const struct scene *scene)
{
    if (scene->strace != 0) {
        wait_gone(scene->strace);
    }
    ck_assert_int_eq(wait_gone(scene->first), 0);
}

static void let_all_end(struct scene *scene)
{
    streams_wait_progress(scene->streams, 2);
    streams_finish(scene->streams);
    expect_first_ends(scene);
}

/* The new process waits for the old one to close. It takes no more sessions once it knows of the
 * stop. Every session lives on in the process where it is then. */
static void stop_by_command(struct scene *scene, pid_t halted)
{
    pid_t command = proxy_command_start(&scene->proxy, NULL, "stop", NULL);
    trap_release(halted);
    wait_stopping(scene);
    let_all_end(scene);
    ck_assert_int_eq(wait_gone(command), 0);
}

START_TEST(stop_in_the_handoff)
{
    stop_at_each(&(struct midst){"stop", LONG_STOP, false, stop_by_command});
}
END_TEST

/* Sessions that do not end by themselves. */
static void stop_and_cut(struct scene *scene, pid_t halted)
{
    streams_may_be_lost(scene->streams);
    pid_t command = proxy_command_start(&scene->proxy, NULL, "stop", NULL);
    trap_release(halted);
    wait_stopping(scene);
    expect_first_ends(scene);
    wait_gone(command);
    scene->lost = SESSIONS;
    wait_until(expected_sessions_are_lost, scene, "every session is closed, on both sides");
    streams_finish(scene->streams);
}

START_TEST(stop_in_the_handoff_is_in_time)
{
    stop_at_each(&(struct midst){"cut", "stop-timeout = 1s\n", false, stop_and_cut});
}
END_TEST

/* The signal is pending when the new process continues in the middle of an answer. */
static void stop_by_signal(struct scene *scene, pid_t halted)
{
    kill(halted, SIGTERM);
    trap_release(halted);
    wait_stopping(scene);
    let_all_end(scene);
}

START_TEST(sigterm_in_the_handoff)
{
    stop_at_each(&(struct midst){"sigterm", LONG_STOP, true, stop_by_signal});
}
END_TEST

static bool each_is_somewhere(void *argument)
{
    const struct scene *scene = argument;
    struct status status;
    return proxy_status(&scene->proxy, &status) && status.sessions == SESSIONS + 1;
}

/* The new process takes the sessions that were sent. The others end in the old process, and the new
 * one serves on. */
static void stop_the_predecessor(struct scene *scene, pid_t halted)
{
    kill(scene->first, SIGTERM);
    trap_release(halted);
    streams_open(scene->streams, &scene->front, 1);
    streams_wait_progress(scene->streams, 2);
    wait_until(each_is_somewhere, scene, "each session is in one of the processes");
    let_all_end(scene);
    struct outcome outcome;
    wait_until(one_is_left, scene, "the successor is alone");
    ck_assert_int_eq(scene->proxy.pid, scene->second);
    ck_assert_int_eq(proxy_command(&scene->proxy, &outcome, "stop", NULL), 0);
}

START_TEST(sigterm_to_the_sender)
{
    stop_at_each(&(struct midst){"sender", LONG_STOP, true, stop_the_predecessor});
}
END_TEST

Suite *handoff_kills_suite(void)
{
    Suite *suite = suite_create("handoff_kills");
    scenario_add(suite, successor_killed_in_the_handoff, 1200);
    scenario_add(suite, predecessor_killed_in_the_handoff, 1200);
    scenario_add(suite, messages_of_a_killed_sender, 600);
    scenario_add(suite, first_of_three, 300);
    scenario_add(suite, stop_in_the_handoff, 300);
    scenario_add(suite, stop_in_the_handoff_is_in_time, 300);
    scenario_add(suite, sigterm_in_the_handoff, 300);
    scenario_add(suite, sigterm_to_the_sender, 300);
    return suite;
}
