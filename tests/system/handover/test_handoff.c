/* Live sessions move to the new process. Either process may die meanwhile. */
#include "tests/system/scenarios.h"
#include "tests/system/support/churn.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/origin.h"
#include "tests/system/support/scene.h"
#include "tests/system/support/streams.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    RELOADS = 100,
    SESSIONS = 500, /* busy ones */
    ALL_SESSIONS = 9000,
    MEGABYTE = 1 << 20,
    ROLLBACKS = 50,
    CHURN_RATE = 3000, /* connections a second, for each of them */
    CHURN_MOST = 1500,
    LIVE_SESSIONS = 1000,
    CALM_TICK_MS = 50,
    SOME_PAGES_KB = 64, /* of buffers, for bytes that are under way at that moment */
    EVENTS_KB = 160,    /* of 512 events at most, which each process passes to the next */
};

static void reload_and_wait(struct proxy *proxy)
{
    pid_t old = proxy->pid;
    proxy_reload(proxy);
    wait_gone(old);
}

/* By the descriptors of the test, which has both ends of each session. The proxy's limit is the
 * same. */
static unsigned most_sessions(void)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    unsigned fit = (unsigned)(limit.rlim_cur - 600) / 2;
    return fit < ALL_SESSIONS ? fit : ALL_SESSIONS;
}

/* In kilobytes, without memory that is shared with other processes, such as the program's file:
 * that share changes when an old process ends. */
static unsigned own_memory(pid_t pid)
{
    static const char field[] = "\nAnonymous:";
    char path[64], text[4096];
    unsigned kilobytes = 0;
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    ck_assert_uint_gt(read_file(path, text, sizeof text), 0);
    const char *line = strstr(text, field);
    ck_assert_msg(line != NULL && sscanf(line + strlen(field), " %u", &kilobytes) == 1, "%s", text);
    return kilobytes;
}

/* The first generation has accepted its sessions; the last one got them from others. No generation
 * may leave memory of its own to the next, but for what it tells of events, and a session costs the
 * same wherever it began. */
START_TEST(back_to_back)
{
    struct streams *streams = streams_create();
    struct scene scene;
    struct proxy *proxy = &scene.proxy;
    scene_start_before(&scene, streams_port(streams), "", "");
    unsigned reloads = scaled(RELOADS, 10), sessions = scaled(LIVE_SESSIONS, 100);
    streams_slow_down(streams, CALM_TICK_MS);
    streams_open(streams, &scene.front, sessions);
    streams_wait_progress(streams, 1);
    streams_wait_progress(streams, 20);
    unsigned before = process_descriptors(proxy->pid), memory_before = own_memory(proxy->pid);
    (void)streams_pauses(streams);
    for (unsigned i = 0; i < reloads; i++)
        reload_and_wait(proxy);
    struct pauses pauses = streams_pauses(streams);
    streams_wait_progress(streams, 20);
    struct status status;
    ck_assert(proxy_status(proxy, &status));
    ck_assert_uint_eq(status.count, 1);
    ck_assert_uint_eq(status.sessions, sessions);
    unsigned after = process_descriptors(proxy->pid);
    unsigned memory = own_memory(proxy->pid);
    printf("     %u reloads of %u busy sessions; longest pause %.0f ms; %u descriptors became %u, "
           "%u KB %u KB\n",
           reloads, sessions, pauses.longest, before, after, memory_before, memory);
    ck_assert_uint_le(after, before + before / 50 + 40); /* one or two pipes for each worker */
    if (!sanitized())
        ck_assert_uint_le(memory, memory_before + memory_before / 50 + SOME_PAGES_KB + EVENTS_KB);
    streams_finish(streams);
    proxy_wait_drained(proxy);
    proxy_stop(proxy);
}
END_TEST

static void print_pauses(const char *what, const struct pauses *pauses)
{
    printf("     %s: longest pause %.1f ms, 99.9 %% of all at most %.1f ms, of each end's longest "
           "all but one in 1,000 at most %.1f ms\n",
           what, pauses->longest, pauses->percentile, pauses->one_in_1000);
}

struct idle {
    const struct scene *scene;
    unsigned count;
};

static bool only_idle_ones(void *argument)
{
    const struct idle *idle = argument;
    struct status status;
    return proxy_status(&idle->scene->proxy, &status) && status.sessions == idle->count;
}

/* Moves busy sessions beside that many idle ones. Sessions that send as fast as they can fill the
 * machine and wait for it; paced ones wait for the proxy. */
static void move_busy(struct scene *scene, struct streams *streams, const struct endpoint *front,
                      unsigned busy, unsigned idle)
{
    struct outcome outcome;
    struct status status;
    streams_open(streams, front, busy);
    streams_wait_progress(streams, 5);
    (void)streams_pauses(streams);
    streams_wait_progress(streams, 100);
    struct pauses usual = streams_pauses(streams);
    pid_t old = scene->proxy.pid;
    int64_t begin = now_ms();
    ck_assert_int_eq(proxy_command(&scene->proxy, &outcome, "reload", "--wait=drained", NULL), 0);
    int64_t end = now_ms();
    ck_assert(!process_alive(old));
    streams_wait_progress(streams, 10); /* a pause is known when it is over */
    struct pauses pauses = streams_pauses(streams);
    printf("     %u sessions moved, %u of them busy, in %d ms\n", idle + busy, busy,
           (int)(end - begin));
    print_pauses("before", &usual);
    print_pauses("meanwhile", &pauses);
    ck_assert(proxy_status(&scene->proxy, &status));
    ck_assert_uint_eq(status.count, 1);
    ck_assert_uint_eq(status.sessions, idle + busy);
    scene->proxy.pid = status.pid;
    streams_finish(streams);
    wait_until(only_idle_ones, &(struct idle){scene, idle}, "the busy sessions have ended");
}

START_TEST(as_many_as_fit)
{
    unsigned most = most_sessions();
    struct streams *streams = streams_create(), *paced = streams_create();
    streams_pace(paced);
    struct scene scene;
    scene_start(&scene, "", "");
    uint16_t busy_port = port_reserve(getuid()), paced_port = port_reserve(getuid());
    struct endpoint busy_front = endpoint_loopback(busy_port);
    struct endpoint paced_front = endpoint_loopback(paced_port);
    proxy_configure(&scene.proxy,
                    "workers = 2\n[listen main]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n"
                    "[listen busy]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n"
                    "[listen paced]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n",
                    scene.port, scene.server_port, busy_port, streams_port(streams), paced_port,
                    streams_port(paced));
    reload_and_wait(&scene.proxy);
    unsigned busy = scaled(SESSIONS, 50), idle = scaled(most, 500) - busy;
    struct session *sessions = calloc(idle, sizeof *sessions);
    ck_assert_ptr_nonnull(sessions);
    for (unsigned i = 0; i < idle; i++)
        sessions[i] = session_open(&scene);
    move_busy(&scene, streams, &busy_front, busy, idle);
    move_busy(&scene, paced, &paced_front, busy, idle);
    for (unsigned i = 0; i < idle; i++) {
        session_works(&sessions[i]);
        session_close(&sessions[i]);
    }
    free(sessions);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

/* Sends until neither the kernel nor the proxy takes more. Returns how much that was. */
static size_t stuff(int socket, uint64_t id)
{
    static unsigned char bytes[MEGABYTE];
    size_t sent = 0;
    struct pollfd room = {.fd = socket, .events = POLLOUT};
    while (poll(&room, 1, 300) == 1) {
        pattern_fill(id, sent, bytes, sizeof bytes);
        ssize_t n = send(socket, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n > 0)
            sent += (size_t)n;
    }
    return sent;
}

static void expect_stuffing(int socket, uint64_t id, size_t length)
{
    static unsigned char bytes[MEGABYTE];
    for (size_t done = 0; done < length;) {
        size_t part = length - done < sizeof bytes ? length - done : sizeof bytes;
        receive_exactly(socket, bytes, part);
        ck_assert_uint_eq(pattern_mismatch(id, done, bytes, part), part);
        done += part;
    }
    ck_assert(!readable_within(socket, 0));
}

/* Bytes that were sent and not read yet move with the session, in both directions, and so does a
 * half-close. */
START_TEST(bytes_on_their_way)
{
    char text[10];
    struct scene scene;
    scene_start(&scene, "", "");
    struct session stalled = session_open(&scene), half = session_open(&scene);
    size_t to_client = stuff(stalled.server, 1), to_server = stuff(stalled.client, 2);
    send_all(half.client, "last words", 10);
    ck_assert_int_eq(shutdown(half.client, SHUT_WR), 0);
    receive_exactly(half.server, text, 10);
    expect_eof(half.server);

    for (int i = 0; i < 3; i++)
        reload_and_wait(&scene.proxy);

    expect_stuffing(stalled.client, 1, to_client);
    expect_stuffing(stalled.server, 2, to_server);
    session_works(&stalled);
    send_all(half.server, "the answer", 10);
    receive_exactly(half.client, text, 10);
    close(half.server);
    expect_eof(half.client);
    close(half.client);
    session_close(&stalled);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

/* The server's backlog is full, so the session has no server yet when the reload comes. It moves
 * later. */
START_TEST(still_connecting)
{
    enum { CLIENTS = 4 };
    struct scene scene;
    scene_start(&scene, "", "");
    ck_assert_int_eq(listen(scene.listener, 0), 0);
    int clients[CLIENTS];
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i] = connect_to(&scene.front);
        send_all(clients[i], "x", 1);
    }
    pid_t old = scene.proxy.pid;
    proxy_reload(&scene.proxy);
    int servers[CLIENTS];
    for (unsigned i = 0; i < CLIENTS; i++) {
        servers[i] = accept_from(scene.listener);
        send_all(servers[i], "y", 1);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        char byte;
        receive_exactly(clients[i], &byte, 1);
        receive_exactly(servers[i], &byte, 1);
    }
    wait_gone(old);
    for (unsigned i = 0; i < CLIENTS; i++) {
        close(clients[i]);
        close(servers[i]);
    }
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

static void remove_server(const char *on_removed, bool lives)
{
    struct scene scene;
    char options[64];
    snprintf(options, sizeof options, "on-removed = %s\ndrain-timeout = %s\n", on_removed,
             strcmp(on_removed, "drain") == 0 ? "1s" : "1h");
    scene_start(&scene, options, "");
    struct session session = session_open(&scene);
    uint16_t other_port;
    int other = listen_loopback(&other_port);
    proxy_configure(&scene.proxy,
                    "%s[listen main]\nbind = 127.0.0.1:%u\nserver = b 127.0.0.1:%u\n"
                    "access-log = yes\n",
                    options, scene.port, other_port);
    reload_and_wait(&scene.proxy);
    if (lives) {
        session_works(&session);
        session_close(&session);
    } else {
        session_is_cut(&session);
    }
    close(other);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
    /* The log still names the server as it was called when the session began. */
    wait_mentions(scene.proxy.log, "server=main/a", 1);
}

START_TEST(removed_server_keep)
{
    remove_server("keep", true);
}
END_TEST

START_TEST(removed_server_drain)
{
    remove_server("drain", false);
}
END_TEST

START_TEST(removed_server_close)
{
    remove_server("close", false);
}
END_TEST

/* The session's idle time moves with it: it counts from the last byte, however often the session
 * moves. */
START_TEST(idle_time_goes_on)
{
    struct scene scene;
    scene_start(&scene, "[defaults]\nidle-timeout = 3s\n", "");
    struct session session = session_open(&scene);
    session_works(&session);
    int64_t end = now_ms() + PATIENCE_MS / 4;
    while (!readable_within(session.client, 0)) {
        ck_assert_msg(now_ms() < end, "reloads keep an idle session");
        reload_and_wait(&scene.proxy);
    }
    expect_eof(session.client);
    expect_eof(session.server);
    close(session.client);
    close(session.server);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

/* --- probation ----------------------------------------------------------------------------- */

struct crash {
    const struct proxy *proxy; /* that is to serve again */
    pid_t killed;
};

static bool crash_is_over(void *argument)
{
    const struct crash *crash = argument;
    struct status status;
    return proxy_status(crash->proxy, &status) && status.pid == crash->proxy->pid &&
           status.count == 1 && status.last_crash.pid == crash->killed;
}

/* Sessions that the killed process had accepted are lost, and their number is reported. Clients in
 * the queues of its listeners are served by the old process, which has the same queues. */
START_TEST(crash_on_probation)
{
    struct origin *origin = origin_start(ORIGIN_ANSWER);
    struct streams *streams = streams_create();
    uint16_t port = port_reserve(getuid()), long_port = port_reserve(getuid());
    struct endpoint long_front = endpoint_loopback(long_port);
    struct proxy proxy;
    proxy_init(&proxy, "proxy");
    proxy_configure(&proxy,
                    "workers = 2\nprobation = 10m\n"
                    "[listen main]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n"
                    "[listen long]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n",
                    port, origin_port(origin), long_port, streams_port(streams));
    proxy_start(&proxy);
    streams_slow_down(streams, CALM_TICK_MS);
    streams_open(streams, &long_front, scaled(LIVE_SESSIONS, 50));
    struct churn *churn = churn_start(&(struct churn_options){.target = endpoint_loopback(port),
                                                              .in_flight = CHURN_MOST,
                                                              .rate = scaled(CHURN_RATE, 500)});
    unsigned rollbacks = scaled(ROLLBACKS, 5);
    uint64_t accepted = 0;
    for (unsigned i = 0; i < rollbacks; i++) {
        struct proxy first = proxy;
        proxy_reload(&proxy);
        churn_wait(churn, churn_ended(churn) + i * 37 % 200);
        kill(proxy.pid, SIGKILL);
        wait_gone(proxy.pid);
        struct crash crash = {.proxy = &first, .killed = proxy.pid};
        proxy = first;
        wait_until(crash_is_over, &crash, "the predecessor is active again");
        ck_assert_int_eq(proxy_pidfile(&proxy), proxy.pid);
        struct status status;
        ck_assert(proxy_status(&proxy, &status));
        accepted += status.last_crash.sessions;
        streams_wait_progress(streams, 1);
        churn_wait(churn, churn_ended(churn) + 100);
    }
    struct churn_result result;
    churn_stop(churn, &result);
    churn_print(&result, "successors that crash on probation");
    printf("     %u roll-backs; %llu sessions went with the killed processes, %llu clients lost "
           "theirs\n",
           rollbacks, (unsigned long long)accepted, (unsigned long long)churn_lost(&result));
    ck_assert_uint_le(churn_lost(&result), accepted);
    ck_assert_uint_eq(result.lost[LOSS_REFUSED] + result.lost[LOSS_WRONG], 0);
    wait_mentions(proxy.log, "serves again", rollbacks);
    streams_finish(streams);
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(&proxy, &outcome, "stop", NULL), 0);
}
END_TEST

/* A reload that waits for the drain reports the crash by exit status 5. */
START_TEST(a_waiting_reload_reports_the_crash)
{
    struct scene scene;
    scene_start(&scene, "probation = 10m\n", "");
    char path[PATH_MAX];
    const char *argv[] = {proxy_binary(), "reload", "-f", scene.proxy.file, "--wait=drained", NULL};
    pid_t reload =
        program_start(&(struct program){.argv = argv, .err = test_path(path, "reload.err")});
    struct status status;
    do {
        ck_assert(proxy_status(&scene.proxy, &status));
    } while (status.generation == 1);
    kill(status.pid, SIGKILL);
    int outcome = wait_gone(reload);
    ck_assert_msg(outcome == 5 << 8, "wait status %x", (unsigned)outcome);
    ck_assert_uint_eq(file_mentions(path, "rolled back"), 1);
    struct crash crash = {.proxy = &scene.proxy, .killed = status.pid};
    wait_until(crash_is_over, &crash, "the predecessor is active again");
    ck_assert_int_eq(proxy_command(&scene.proxy, &(struct outcome){0}, "stop", NULL), 0);
}
END_TEST

/* Neither another reload nor a stop waits for the probation. */
START_TEST(probation_ends_early)
{
    struct scene scene;
    scene_start(&scene, "probation = 10m\n", "");
    struct session session = session_open(&scene);
    pid_t first = scene.proxy.pid;
    proxy_reload(&scene.proxy);
    pid_t second = scene.proxy.pid;
    ck_assert(process_alive(first));
    proxy_reload(&scene.proxy);
    wait_gone(first);
    ck_assert(process_alive(second));
    session_works(&session);
    session_close(&session);
    proxy_stop(&scene.proxy);
    wait_gone(second);
}
END_TEST

Suite *handoff_suite(void)
{
    Suite *suite = suite_create("handoff");
    scenario_add(suite, back_to_back, 1200);
    scenario_add(suite, as_many_as_fit, 600);
    scenario_add(suite, bytes_on_their_way, 300);
    scenario_add(suite, still_connecting, 300);
    scenario_add(suite, removed_server_keep, 300);
    scenario_add(suite, removed_server_drain, 300);
    scenario_add(suite, removed_server_close, 300);
    scenario_add(suite, idle_time_goes_on, 300);
    scenario_add(suite, crash_on_probation, 1200);
    scenario_add(suite, a_waiting_reload_reports_the_crash, 300);
    scenario_add(suite, probation_ends_early, 300);
    return suite;
}
