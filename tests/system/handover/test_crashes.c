/* What later processes report of a process that crashed. */
#include "tests/system/scenarios.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/net.h"
#include "tests/system/support/proxy.h"
#include "tests/system/support/trap.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINES = 5 };

struct scene {
    struct proxy proxy;
    struct endpoint front;
    int listener, clients[LINES], servers[LINES];
};

static void scene_start(struct scene *scene, const char *options)
{
    uint16_t port = port_reserve(getuid()), server_port;
    scene->listener = listen_loopback(&server_port);
    scene->front = endpoint_loopback(port);
    proxy_init(&scene->proxy, "proxy");
    proxy_configure(&scene->proxy,
                    "workers = 2\n%s[listen main]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n",
                    options, port, server_port);
    proxy_start(&scene->proxy);
    for (unsigned i = 0; i < LINES; i++) {
        scene->clients[i] = connect_to(&scene->front);
        scene->servers[i] = accept_from(scene->listener);
    }
}

static void lines_close(const struct scene *scene)
{
    for (unsigned i = 0; i < LINES; i++) {
        close(scene->clients[i]);
        close(scene->servers[i]);
    }
}

static struct status status_of(const struct proxy *proxy)
{
    struct status status;
    ck_assert(proxy_status(proxy, &status));
    return status;
}

static void expect_crash(const struct proxy *proxy, pid_t pid, unsigned generation, int signal,
                         uint64_t sessions)
{
    struct outcome outcome;
    char text[128];
    const struct status status = status_of(proxy);
    ck_assert_int_eq(status.last_crash.pid, pid);
    ck_assert_uint_eq(status.last_crash.generation, generation);
    ck_assert_int_eq((int)status.last_crash.signal, signal);
    ck_assert_uint_eq(status.last_crash.sessions, sessions);
    ck_assert_int_eq(proxy_command(proxy, &outcome, "status", NULL), 0);
    const char *line = strstr(outcome.out, "\nlast-crash ");
    ck_assert_msg(line != NULL, "status says: %s", outcome.out);
    snprintf(text, sizeof text, ": generation %u (pid %d) ", generation, (int)pid);
    ck_assert_ptr_nonnull(strstr(line, text));
    snprintf(text, sizeof text, "and %u session%s went with it", (unsigned)sessions,
             sessions == 1 ? "" : "s");
    ck_assert_ptr_nonnull(strstr(line, text));
    wait_mentioned(proxy->log, text);
}

struct life {
    char path[PATH_MAX + 8];
    uint64_t sessions;
};

/* The layout of the record: two words of 32 bits, the time, the sessions. */
static bool life_file_has_sessions(void *argument)
{
    const struct life *life = argument;
    char bytes[64];
    uint64_t sessions;
    size_t length = read_file(life->path, bytes, sizeof bytes);
    if (length < 24)
        return false;
    memcpy(&sessions, bytes + 16, sizeof sessions);
    return sessions == life->sessions;
}

static void wait_for_life_file(const struct proxy *proxy, uint64_t sessions)
{
    struct life life = {.sessions = sessions};
    snprintf(life.path, sizeof life.path, "%s.life", proxy->control);
    wait_until(life_file_has_sessions, &life, "the life file has the number of sessions");
}

/* The old process has handed its sessions off and is gone. The next start learns of the crash from
 * the life file. */
START_TEST(no_process_survives)
{
    struct scene scene;
    scene_start(&scene, "");
    pid_t first = scene.proxy.pid;
    ck_assert_int_eq(status_of(&scene.proxy).last_crash.pid, 0);
    proxy_reload(&scene.proxy);
    wait_gone(first);
    wait_for_life_file(&scene.proxy, LINES);
    pid_t second = scene.proxy.pid;
    kill(second, SIGKILL);
    wait_gone(second);
    lines_close(&scene);

    proxy_start(&scene.proxy);
    expect_crash(&scene.proxy, second, 2, 0, LINES);
    for (unsigned i = 0; i < 2; i++)
        proxy_reload(&scene.proxy);
    expect_crash(&scene.proxy, second, 2, 0, LINES);
    proxy_stop(&scene.proxy);
    proxy_start(&scene.proxy);
    ck_assert_int_eq(status_of(&scene.proxy).last_crash.pid, 0);
    proxy_stop(&scene.proxy);
}
END_TEST

/* The old process drains its remaining sessions and does not serve again. The next start learns of
 * the crash from the life file. */
START_TEST(a_draining_predecessor_survives)
{
    struct scene scene;
    scene_start(&scene, "drain = wait\n");
    pid_t first = scene.proxy.pid;
    proxy_reload(&scene.proxy);
    int client = connect_to(&scene.front), server = accept_from(scene.listener);
    pid_t second = scene.proxy.pid;
    struct status status;
    do {
        status = status_of(&scene.proxy);
    } while (strcmp(status.generations[0].state, "draining") != 0);
    wait_for_life_file(&scene.proxy, 1);
    kill(second, SIGKILL);
    wait_mentioned(scene.proxy.log, "was killed by signal 9, and ");
    close(client);
    close(server);

    proxy_start(&scene.proxy);
    expect_crash(&scene.proxy, second, 2, 0, 1);
    lines_close(&scene);
    wait_gone(first);
    ck_assert_int_eq(proxy_command(&scene.proxy, &(struct outcome){0}, "stop", NULL), 0);
}
END_TEST

static bool is_active_again(void *argument)
{
    const struct proxy *proxy = argument;
    struct status status;
    return proxy_status(proxy, &status) && status.pid == proxy->pid && status.count == 1 &&
           status.last_crash.pid != 0;
}

START_TEST(a_predecessor_on_standby_survives)
{
    struct scene scene;
    scene_start(&scene, "probation = 10m\n");
    struct proxy first = scene.proxy;
    proxy_reload(&scene.proxy);
    pid_t second = scene.proxy.pid;
    int client = connect_to(&scene.front), server = accept_from(scene.listener);
    kill(second, SIGKILL);
    scene.proxy = first;
    wait_until(is_active_again, &scene.proxy, "the predecessor is active again");
    expect_crash(&scene.proxy, second, 2, SIGKILL, 1);
    close(client);
    close(server);
    lines_close(&scene);
    ck_assert_int_eq(proxy_command(&scene.proxy, &(struct outcome){0}, "stop", NULL), 0);
}
END_TEST

/* The new process exits by itself, with a status, and is rolled back as after a fatal signal. */
START_TEST(a_successor_on_probation_fails)
{
    if (!trap_works()) {
        skip_test("strace cannot trace here");
    }
    setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* LeakSanitizer does not work under strace */
    struct scene scene;
    struct trap trap;
    scene_start(&scene, "probation = 10m\n");
    struct proxy first = scene.proxy;
    proxy_reload(&scene.proxy);
    pid_t second = scene.proxy.pid;
    int client = connect_to(&scene.front), server = accept_from(scene.listener);
    trap_init(&trap, "second", "", 0, "");
    (void)trap_failure(&trap, second);
    scene.proxy = first;
    wait_until(is_active_again, &scene.proxy, "the predecessor is active again");
    expect_crash(&scene.proxy, second, 2, 0, 1);
    ck_assert_uint_eq(status_of(&scene.proxy).last_crash.status, 1);
    wait_mentioned(scene.proxy.log, "ended with status 1 on probation");
    close(client);
    close(server);
    lines_close(&scene);
    ck_assert_int_eq(proxy_command(&scene.proxy, &(struct outcome){0}, "stop", NULL), 0);
}
END_TEST

/* The only process exits by itself. The next start reports it, with its status. */
START_TEST(the_only_process_fails)
{
    if (!trap_works()) {
        skip_test("strace cannot trace here");
    }
    setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
    struct scene scene;
    struct trap trap;
    scene_start(&scene, "");
    pid_t first = scene.proxy.pid;
    trap_init(&trap, "first", "", 0, "");
    pid_t strace = trap_failure(&trap, first);
    wait_gone(first);
    wait_gone(strace);
    wait_mentions(scene.proxy.log, "the main loop has failed", 1);
    lines_close(&scene);
    proxy_start(&scene.proxy);
    expect_crash(&scene.proxy, first, 1, 0, LINES);
    ck_assert_uint_eq(status_of(&scene.proxy).last_crash.status, 1);
    ck_assert_int_eq(proxy_command(&scene.proxy, &(struct outcome){0}, "stop", NULL), 0);
}
END_TEST

/* The new process has not served anybody yet. */
START_TEST(a_successor_fails_before_it_serves)
{
    struct scene scene;
    scene_start(&scene, "");
    struct outcome outcome;
    char wrapper[PATH_MAX], program[PATH_MAX];
    lines_close(&scene);
    proxy_stop(&scene.proxy);
    proxy_own_binary(&scene.proxy);
    proxy_start(&scene.proxy);
    test_path(wrapper, "crashing");
    snprintf(program, sizeof program, "%s", scene.proxy.program);
    write_file(wrapper, 0755, "#!/bin/sh\nkill -SEGV $$\n");
    ck_assert_int_eq(rename(wrapper, program), 0);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 5);
    const struct status status = status_of(&scene.proxy);
    ck_assert_int_eq((int)status.last_crash.signal, SIGSEGV);
    expect_crash(&scene.proxy, status.last_crash.pid, 2, SIGSEGV, 0);
    write_file(wrapper, 0755, "#!/bin/sh\nexit 2\n");
    ck_assert_int_eq(rename(wrapper, program), 0);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 2);
    expect_crash(&scene.proxy, status.last_crash.pid, 2, SIGSEGV, 0);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "stop", NULL), 0);
}
END_TEST

static bool predecessor_is_informed(void *argument)
{
    struct status status;
    return proxy_status(argument, &status) && status.last_crash.pid != 0;
}

START_TEST(a_successor_survives)
{
    struct scene scene;
    scene_start(&scene, "drain = wait\n");
    pid_t first = scene.proxy.pid;
    proxy_reload(&scene.proxy);
    kill(first, SIGKILL);
    wait_until(predecessor_is_informed, &scene.proxy, "the crash is reported");
    expect_crash(&scene.proxy, first, 1, 0, LINES);
    lines_close(&scene);
    ck_assert_int_eq(proxy_command(&scene.proxy, &(struct outcome){0}, "stop", NULL), 0);
}
END_TEST

/* The channel of a draining process was passed on by a successor that has crashed since. The
 * draining process names the last owner of its channel. It does not report the other crash, which
 * the serving process has reported. */
START_TEST(a_draining_process_names_the_owner_of_its_channel)
{
    struct scene scene;
    char text[96];
    scene_start(&scene, "drain = wait\n");
    pid_t first = scene.proxy.pid;
    proxy_reload(&scene.proxy);
    pid_t second = scene.proxy.pid;
    int client = connect_to(&scene.front), server = accept_from(scene.listener);
    proxy_reload(&scene.proxy);
    pid_t third = scene.proxy.pid;
    wait_mentioned(scene.proxy.log, "generation 2 drains: ");
    kill(second, SIGKILL);
    wait_until(predecessor_is_informed, &scene.proxy, "the crash is reported");
    expect_crash(&scene.proxy, second, 2, 0, 1);
    kill(third, SIGKILL);
    snprintf(text, sizeof text, "pid %d is gone, with 0 sessions that it had received", (int)third);
    wait_mentioned(scene.proxy.log, text);
    lines_close(&scene);
    wait_gone(first);
    snprintf(text, sizeof text, "(pid %d) was killed by signal", (int)second);
    ck_assert_uint_eq(file_mentions(scene.proxy.log, text), 0);
    close(client);
    close(server);
}
END_TEST

/* An end at once is not a crash, for later processes and for older ones. */
START_TEST(an_end_at_once_is_no_crash)
{
    struct scene scene;
    scene_start(&scene, "drain = wait\n");
    pid_t first = scene.proxy.pid;
    proxy_reload(&scene.proxy);
    kill(first, SIGINT);
    wait_gone(first);
    proxy_wait_drained(&scene.proxy);
    ck_assert_int_eq(status_of(&scene.proxy).last_crash.pid, 0);
    kill(scene.proxy.pid, SIGINT);
    wait_gone(scene.proxy.pid);
    lines_close(&scene);
    proxy_start(&scene.proxy);
    ck_assert_int_eq(status_of(&scene.proxy).last_crash.pid, 0);
    proxy_stop(&scene.proxy);
}
END_TEST

/* A symbolic link in the place of the life file is not followed. It is reported and replaced. */
START_TEST(a_link_in_the_place_of_the_file)
{
    struct scene scene;
    scene_start(&scene, "");
    char life[PATH_MAX + 8];
    snprintf(life, sizeof life, "%s.life", scene.proxy.control);
    lines_close(&scene);
    proxy_stop(&scene.proxy);
    ck_assert_int_eq(symlink(scene.proxy.file, life), 0);
    proxy_start(&scene.proxy);
    wait_mentions(scene.proxy.log, ".life is ignored: ", 1);
    ck_assert_int_eq(status_of(&scene.proxy).last_crash.pid, 0);
    proxy_stop(&scene.proxy);
    ck_assert_int_eq(access(life, F_OK), -1);
    ck_assert_uint_gt(file_mentions(scene.proxy.file, "[global]"), 0);
}
END_TEST

Suite *crashes_suite(void)
{
    Suite *suite = suite_create("crashes");
    scenario_add(suite, no_process_survives, 300);
    scenario_add(suite, a_draining_predecessor_survives, 300);
    scenario_add(suite, a_predecessor_on_standby_survives, 300);
    scenario_add(suite, a_successor_on_probation_fails, 300);
    scenario_add(suite, the_only_process_fails, 300);
    scenario_add(suite, a_successor_fails_before_it_serves, 300);
    scenario_add(suite, a_successor_survives, 300);
    scenario_add(suite, a_draining_process_names_the_owner_of_its_channel, 300);
    scenario_add(suite, an_end_at_once_is_no_crash, 300);
    scenario_add(suite, a_link_in_the_place_of_the_file, 300);
    return suite;
}
