/* The proxy's counters: sums over all generations, including those that are gone. */
#include "tests/system/scenarios.h"
#include "tests/system/support/churn.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/net.h"
#include "tests/system/support/origin.h"
#include "tests/system/support/proxy.h"
#include "tests/system/support/scene.h"
#include "tests/system/support/streams.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { RELOADS = 50, IN_FLIGHT = 100, STREAM_RELOADS = 20, STREAMS = 60 };

static void expect_no_fall(const struct status *before, const struct status *now)
{
    ck_assert_uint_ge(now->total.sessions, before->total.sessions);
    ck_assert_uint_ge(now->total.connect_errors, before->total.connect_errors);
    ck_assert_uint_ge(now->total.failed, before->total.failed);
    ck_assert_uint_ge(now->total.cut, before->total.cut);
    ck_assert_uint_ge(now->total.client_bytes, before->total.client_bytes);
    ck_assert_uint_ge(now->total.server_bytes, before->total.server_bytes);
}

static void read_on(const struct proxy *proxy, struct status *last)
{
    struct status now;
    ck_assert_msg(proxy_status(proxy, &now), "status was not answered");
    expect_no_fall(last, &now);
    *last = now;
}

static bool has_settled(void *argument)
{
    struct status status;
    return proxy_status(argument, &status) && status.sessions == 0 && status.count == 1;
}

/* Of all backends; sessions are connections that were begun. */
struct parts {
    uint64_t sessions, connections, failures, in[2], out[2];
};

/* What the status has of frontends (0) and servers (1). */
static struct parts read_parts(const struct proxy *proxy)
{
    struct parts parts = {0};
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(proxy, &outcome, "status", "--json", NULL), 0);
    json_t *status = json_loads(outcome.out, 0, NULL), *item, *server;
    size_t i, j;
    json_array_foreach(json_object_get(status, "frontends"), i, item)
    {
        json_int_t sessions = 0, in = 0, out = 0;
        ck_assert_int_eq(json_unpack(item, "{s:I, s:I, s:I}", "sessions_total", &sessions,
                                     "client_bytes", &in, "server_bytes", &out),
                         0);
        parts.sessions += (uint64_t)sessions;
        parts.in[0] += (uint64_t)in;
        parts.out[0] += (uint64_t)out;
    }
    json_array_foreach(json_object_get(status, "backends"), i, item)
        json_array_foreach(json_object_get(item, "servers"), j, server)
    {
        json_int_t sessions = 0, in = 0, out = 0, refused = 0;
        ck_assert_int_eq(json_unpack(server, "{s:I, s:I, s:I, s:{s:I}}", "sessions_total",
                                     &sessions, "client_bytes", &in, "server_bytes", &out,
                                     "connect_failures", "refused", &refused),
                         0);
        parts.connections += (uint64_t)sessions;
        parts.failures += (uint64_t)refused;
        parts.in[1] += (uint64_t)in;
        parts.out[1] += (uint64_t)out;
    }
    json_decref(status);
    return parts;
}

/* While nothing moves: the sums are those of the frontends, and those of the servers. */
static void expect_parts(const struct proxy *proxy, const struct status *status)
{
    const struct parts parts = read_parts(proxy);
    ck_assert_uint_eq(parts.sessions, status->total.sessions);
    ck_assert_uint_ge(parts.connections, status->total.sessions - status->total.failed);
    ck_assert_uint_eq(parts.failures, status->total.connect_errors);
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_uint_eq(parts.in[i], status->total.client_bytes);
        ck_assert_uint_eq(parts.out[i], status->total.server_bytes);
    }
}

/* Reads the status during the reloads, at least once. Returns how often. */
static unsigned read_on_while_reloading(const struct proxy *proxy, struct status *last,
                                        const char *option)
{
    unsigned reads = 0;
    pid_t reload = proxy_command_start(proxy, NULL, "reload", option, NULL);
    do {
        read_on(proxy, last);
        reads++;
    } while (process_alive(reload));
    ck_assert_int_eq(wait_gone(reload), 0);
    return reads;
}

/* The status is read without a pause, and no counter ever falls. At the end the counters are what
 * the clients have counted. One of two servers refuses, for connect_errors. */
START_TEST(counters_over_many_reloads)
{
    struct origin *origin = origin_start(ORIGIN_ANSWER);
    uint16_t port = port_reserve(getuid()), closed = port_reserve(getuid());
    struct proxy proxy;
    proxy_init(&proxy, "proxy");
    proxy_configure(&proxy,
                    "workers = 2\n[listen main]\nbind = 127.0.0.1:%u\n"
                    "server = a 127.0.0.1:%u\nserver = b 127.0.0.1:%u\n",
                    port, origin_port(origin), closed);
    proxy_start(&proxy);
    struct churn *churn = churn_start(
        &(struct churn_options){.target = endpoint_loopback(port), .in_flight = IN_FLIGHT});
    struct status last = {0};
    unsigned reloads = 0, reads = 0;
    while (reloads < scaled(RELOADS, 5)) {
        churn_wait(churn, churn_ended(churn) + 20);
        reads += read_on_while_reloading(&proxy, &last, NULL);
        reloads++;
    }
    struct churn_result result;
    churn_stop(churn, &result);
    churn_print(&result, "counted by clients");
    printf("     %u reloads, %u times read\n", reloads, reads);
    ck_assert_uint_eq(churn_lost(&result), 0);
    wait_until(has_settled, &proxy, "every session has ended");
    read_on(&proxy, &last);
    ck_assert_uint_eq(last.total.sessions, result.completed);
    ck_assert_uint_eq(last.total.client_bytes, result.sent);
    ck_assert_uint_eq(last.total.server_bytes, result.received);
    ck_assert_uint_gt(last.total.connect_errors, 0);
    ck_assert_uint_eq(last.total.failed, 0);
    ck_assert_uint_eq(last.generation, reloads + 1);
    expect_parts(&proxy, &last);
    proxy.pid = last.pid;
    proxy_stop(&proxy);
}
END_TEST

static void byte_each_way(int client, int server)
{
    char byte = 'x';
    send_all(client, &byte, 1);
    receive_exactly(server, &byte, 1);
    send_all(server, &byte, 1);
    receive_exactly(client, &byte, 1);
}

/* A session with one byte in each direction, which ends. */
static void short_session(const struct endpoint *front, int listener)
{
    int client = connect_to(front), server = accept_from(listener);
    byte_each_way(client, server);
    close(client);
    expect_eof(server);
    close(server);
}

/* A reset by either side cuts a session. A normal end, a timeout and a refusal do not. */
START_TEST(cut_sessions)
{
    uint16_t port = port_reserve(getuid()), server_port, idle_port = port_reserve(getuid()),
             no_port = port_reserve(getuid());
    int listener = listen_loopback(&server_port);
    struct endpoint front = endpoint_loopback(port), idle = endpoint_loopback(idle_port),
                    refusing = endpoint_loopback(no_port);
    struct proxy proxy;
    proxy_init(&proxy, "proxy");
    proxy_configure(&proxy,
                    "workers = 2\n[listen main]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n"
                    "[listen idle]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n"
                    "idle-timeout = 50ms\n"
                    "[listen none]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\nretries = 0\n",
                    port, server_port, idle_port, server_port, no_port, port_reserve(getuid()));
    proxy_start(&proxy);
    short_session(&front, listener);
    int client = connect_to(&idle), server = accept_from(listener);
    expect_eof(client);
    expect_eof(server);
    close(client);
    close(server);
    expect_reset_at(&refusing);
    struct status status;
    wait_until(has_settled, &proxy, "every session has ended");
    ck_assert(proxy_status(&proxy, &status));
    ck_assert_uint_eq(status.total.cut, 0);
    ck_assert_uint_eq(status.total.failed, 1);
    for (unsigned i = 0; i < 2; i++) {
        client = connect_to(&front);
        server = accept_from(listener);
        /* A reset before the server is connected would be a failed connect. */
        byte_each_way(client, server);
        send_reset(i == 0 ? client : server);
        expect_reset(i == 0 ? server : client);
        close(i == 0 ? server : client);
    }
    wait_until(has_settled, &proxy, "every session has ended");
    ck_assert(proxy_status(&proxy, &status));
    ck_assert_uint_eq(status.total.cut, 2);
    ck_assert_uint_eq(status.total.failed, 1);
    proxy_stop(&proxy);
}
END_TEST

struct expected {
    const struct proxy *proxy;
    uint64_t bytes;
    unsigned count, sessions;
};

static bool is_as_expected(void *argument)
{
    const struct expected *expected = argument;
    struct status status;
    return proxy_status(expected->proxy, &status) && status.total.client_bytes == expected->bytes &&
           status.count == expected->count && status.sessions == expected->sessions;
}

static void expect_status(const struct proxy *proxy, uint64_t bytes, unsigned count,
                          unsigned sessions, const char *what)
{
    struct expected expected = {proxy, bytes, count, sessions};
    wait_until(is_as_expected, &expected, what);
}

/* Two generations drain, with a session each. The older one is killed, and the other one ends after
 * the next reload. */
START_TEST(killed_while_draining)
{
    uint16_t port = port_reserve(getuid()), server_port;
    int listener = listen_loopback(&server_port), clients[2], servers[2];
    struct endpoint front = endpoint_loopback(port);
    struct proxy proxy;
    pid_t pids[2];
    proxy_init(&proxy, "proxy");
    proxy_configure(
        &proxy,
        "workers = 2\ndrain = wait\n[listen main]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n",
        port, server_port);
    proxy_start(&proxy);
    for (unsigned i = 0; i < 2; i++) {
        short_session(&front, listener);
        clients[i] = connect_to(&front);
        servers[i] = accept_from(listener);
        pids[i] = proxy.pid;
        proxy_reload(&proxy);
    }
    short_session(&front, listener);
    expect_status(&proxy, 3, 3, 2, "two generations drain, with a session each");
    struct status last = {0};
    read_on(&proxy, &last);
    ck_assert_uint_eq(last.total.sessions, 5);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_uint_eq(last.generations[i].sessions_total, i < 2 ? 2 : 1);
        ck_assert_uint_ge(last.generations[0].age_ms, last.generations[i].age_ms);
    }

    kill(pids[0], SIGKILL);
    wait_gone(pids[0]);
    read_on(&proxy, &last);
    expect_status(&proxy, 3, 2, 1, "the killed one is gone, and its figures are not");
    read_on(&proxy, &last);
    ck_assert_uint_eq(last.total.sessions, 5);
    expect_parts(&proxy, &last);
    close(clients[0]);
    close(servers[0]);

    proxy_reload(&proxy);
    read_on(&proxy, &last);
    close(clients[1]);
    expect_eof(servers[1]);
    close(servers[1]);
    expect_status(&proxy, 3, 1, 0, "only the last generation is left");
    read_on(&proxy, &last);
    ck_assert_uint_eq(last.total.sessions, 5);
    ck_assert_uint_eq(last.total.server_bytes, 3);
    expect_parts(&proxy, &last);
    close(listener);
    proxy_stop(&proxy);
}
END_TEST

static bool serves_again(void *argument)
{
    const struct proxy *proxy = argument;
    struct status status;
    return proxy_status(proxy, &status) && status.pid == proxy->pid && status.count == 1;
}

/* What a new process did before it crashed on probation is counted, too. */
START_TEST(killed_on_probation)
{
    uint16_t port = port_reserve(getuid()), server_port;
    int listener = listen_loopback(&server_port);
    struct endpoint front = endpoint_loopback(port);
    struct proxy proxy;
    proxy_init(&proxy, "proxy");
    proxy_configure(&proxy,
                    "workers = 2\nprobation = 10m\n[listen main]\nbind = 127.0.0.1:%u\n"
                    "server = a 127.0.0.1:%u\n",
                    port, server_port);
    proxy_start(&proxy);
    pid_t first = proxy.pid;
    short_session(&front, listener);
    proxy_reload(&proxy);
    short_session(&front, listener);
    int client = connect_to(&front), server = accept_from(listener);
    expect_status(&proxy, 2, 2, 1, "the successor has served");
    struct status last = {0};
    read_on(&proxy, &last);
    ck_assert_uint_eq(last.total.sessions, 3);
    kill(proxy.pid, SIGKILL);
    wait_gone(proxy.pid);
    proxy.pid = first;
    proxy.generation = 1;
    wait_until(serves_again, &proxy, "the predecessor serves again");
    read_on(&proxy, &last);
    ck_assert_uint_eq(last.total.sessions, 3);
    ck_assert_uint_eq(last.total.client_bytes, 2);
    ck_assert_uint_eq(last.sessions, 0);
    expect_parts(&proxy, &last);
    close(client);
    close(server);
    close(listener);
    proxy_stop(&proxy);
}
END_TEST

struct bytes {
    const struct proxy *proxy;
    uint64_t each_way;
};

static bool are_counted(void *argument)
{
    const struct bytes *bytes = argument;
    struct status status;
    return proxy_status(bytes->proxy, &status) && status.total.client_bytes == bytes->each_way &&
           status.total.server_bytes == bytes->each_way;
}

static void works_and_counts(const struct scene *scene, const struct session *session,
                             uint64_t *each_way)
{
    session_works(session);
    *each_way += 6;
    struct bytes bytes = {&scene->proxy, *each_way};
    wait_until(are_counted, &bytes, "what has passed is counted, and nothing else");
}

/* The bytes of a live session: with the process that accepted it, with the process that takes it
 * over, and with another process that only observes, until only this last one is left. */
START_TEST(bytes_are_counted_as_they_come)
{
    struct scene scene;
    uint64_t each_way = 0;
    scene_start(&scene, "", "");
    struct session session = session_open(&scene);
    for (unsigned i = 0; i < 3; i++)
        works_and_counts(&scene, &session, &each_way);
    pid_t old = scene.proxy.pid;
    scene_configure(&scene, "probation = 10m\n", "");
    proxy_reload(&scene.proxy);
    wait_gone(old);
    works_and_counts(&scene, &session, &each_way);

    old = scene.proxy.pid;
    proxy_reload(&scene.proxy);
    struct status last = {0};
    for (unsigned i = 0; i < 3; i++) {
        works_and_counts(&scene, &session, &each_way);
        read_on(&scene.proxy, &last);
        ck_assert_uint_eq(last.sessions, 1);
    }
    kill(old, SIGKILL);
    wait_gone(old);
    expect_status(&scene.proxy, each_way, 1, 0, "the killed one is gone, and its figures are not");
    read_on(&scene.proxy, &last);
    ck_assert_uint_eq(last.total.server_bytes, each_way);
    close(session.client);
    close(session.server);
    proxy_stop(&scene.proxy);
}
END_TEST

/* A session, and the interval in which it began. */
struct aged {
    struct session session;
    int64_t from, to; /* now_ms() */
};

static bool is_past(void *argument)
{
    return now_ms() > *(const int64_t *)argument;
}

/* Opens a session. It begins late enough after the first one that the ages of the two are distinct.
 */
static struct aged open_aged(const struct endpoint *front, int listener, const struct aged *first)
{
    struct aged aged = {.from = now_ms()};
    aged.session = session_through(front, listener);
    aged.to = now_ms();
    int64_t later = 2 * aged.to - aged.from + (first ? first->to - first->from : 0) + 4;
    wait_until(is_past, &later, "time passes");
    return aged;
}

/* The age of the oldest session of a generation or of one of its frontends; -1: not reported. */
static json_int_t oldest_ms(json_t *generation, const char *frontend)
{
    size_t i;
    json_t *one;
    const json_t *lasted = frontend ? NULL : json_object_get(generation, "oldest_ms");
    json_array_foreach(json_object_get(generation, "frontends"), i, one)
    {
        if (frontend && strcmp(json_string_value(json_object_get(one, "name")), frontend) == 0)
            lasted = json_object_get(one, "oldest_ms");
    }
    return lasted ? json_integer_value(lasted) : -1;
}

/* A status reports all ages at one moment: this is the difference to the oldest session of all. */
struct younger {
    const struct proxy *proxy;
    unsigned generation;
    const char *frontend;
    const struct aged *first, *expected; /* NULL: no age is reported */
};

static bool is_younger(void *argument)
{
    const struct younger *younger = argument;
    const struct aged *first = younger->first, *expected = younger->expected;
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(younger->proxy, &outcome, "status", "--json", NULL), 0);
    json_t *status = json_loads(outcome.out, 0, NULL), *generation;
    json_int_t most = -1, its = -1;
    size_t i;
    json_array_foreach(json_object_get(status, "generations"), i, generation)
    {
        json_int_t oldest = oldest_ms(generation, NULL);
        most = oldest > most ? oldest : most;
        if (json_integer_value(json_object_get(generation, "generation")) == younger->generation)
            its = oldest_ms(generation, younger->frontend);
    }
    json_decref(status);
    if (!expected)
        return its == -1;
    return its >= 0 && most - its >= expected->from - first->to - 1 &&
           most - its <= expected->to - first->from + 1;
}

static void expect_oldest(const struct proxy *proxy, unsigned generation, const char *frontend,
                          const struct aged *first, const struct aged *expected)
{
    struct younger younger = {proxy, generation, frontend, first, expected};
    wait_until(is_younger, &younger, "the age of the oldest session is reported");
}

/* Starts a scene with a second frontend before the same server. Returns the address of that
 * frontend. */
static struct endpoint start_with_other(struct scene *scene, const char *global)
{
    char other[160];
    uint16_t port = port_reserve(getuid());
    scene_init(scene);
    snprintf(other, sizeof other, "[listen other]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n",
             port, scene->server_port);
    scene_configure(scene, global, other);
    proxy_start(&scene->proxy);
    return endpoint_loopback(port);
}

/* The ages for each process and frontend: for sessions that a process has accepted, and for older
 * ones that are handed to it later. */
START_TEST(oldest_sessions)
{
    struct scene scene;
    struct endpoint front = start_with_other(&scene, "workers = 1\nprobation = 10m\n");
    expect_oldest(&scene.proxy, 1, NULL, NULL, NULL);
    struct aged first = open_aged(&front, scene.listener, NULL), mine[4];
    for (unsigned i = 0; i < 3; i++)
        mine[i] = open_aged(&scene.front, scene.listener, &first);
    expect_oldest(&scene.proxy, 1, "main", &first, &mine[0]);
    expect_oldest(&scene.proxy, 1, "other", &first, &first);

    pid_t old = scene.proxy.pid;
    proxy_reload(&scene.proxy);
    mine[3] = open_aged(&scene.front, scene.listener, &first);
    expect_oldest(&scene.proxy, 1, "main", &first, &mine[0]);
    expect_oldest(&scene.proxy, 1, NULL, &first, &first);
    expect_oldest(&scene.proxy, 2, "main", &first, &mine[3]);
    expect_oldest(&scene.proxy, 2, NULL, &first, &mine[3]);

    proxy_reload(&scene.proxy); /* the second generation gets the sessions of the first */
    wait_gone(old);
    expect_oldest(&scene.proxy, 2, NULL, &first, &first);
    static const unsigned ends[] = {1, 0, 2, 3}, next[] = {0, 2, 3};
    for (unsigned i = 0; i < 4; i++) {
        session_close(&mine[ends[i]].session);
        expect_oldest(&scene.proxy, 2, "main", &first, i < 3 ? &mine[next[i]] : NULL);
    }
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "status", NULL), 0);
    ck_assert_msg(strstr(outcome.out, "other 1 (") != NULL, "%s", outcome.out);
    session_close(&first.session);
    expect_oldest(&scene.proxy, 2, NULL, NULL, NULL);
    expect_oldest(&scene.proxy, 3, NULL, NULL, NULL);
    proxy_stop(&scene.proxy);
}
END_TEST

/* A frontend that is not in the process's own file is reported with its oldest session as well. */
START_TEST(oldest_session_of_a_frontend_that_is_gone)
{
    struct scene scene;
    struct endpoint front = start_with_other(&scene, "on-removed = keep\n");
    struct aged first = open_aged(&front, scene.listener, NULL);
    struct aged second = open_aged(&scene.front, scene.listener, &first);
    pid_t old = scene.proxy.pid;
    scene_configure(&scene, "on-removed = keep\n", "");
    proxy_reload(&scene.proxy);
    wait_gone(old);
    expect_oldest(&scene.proxy, 2, NULL, &first, &first);
    expect_oldest(&scene.proxy, 2, "main", &first, &second);
    session_close(&first.session);
    expect_oldest(&scene.proxy, 2, NULL, &second, &second);
    session_close(&second.session);
    expect_oldest(&scene.proxy, 2, NULL, NULL, NULL);
    proxy_stop(&scene.proxy);
}
END_TEST

struct growth {
    const struct proxy *proxy;
    struct status last;
};

static bool has_grown(void *argument)
{
    struct growth *growth = argument;
    uint64_t in = growth->last.total.client_bytes, out = growth->last.total.server_bytes;
    read_on(growth->proxy, &growth->last);
    return growth->last.total.client_bytes > in && growth->last.total.server_bytes > out;
}

/* No session ends while the status is read, some send in bulk, and each reload hands all of them
 * off. */
START_TEST(bytes_of_long_streams)
{
    struct streams *streams = streams_create();
    struct scene scene;
    struct proxy *proxy = &scene.proxy;
    scene_start_before(&scene, streams_port(streams), "", "");
    streams_open(streams, &scene.front, STREAMS);
    struct growth growth = {.proxy = proxy};
    for (unsigned i = 0; i < scaled(STREAM_RELOADS, 3); i++) {
        streams_wait_progress(streams, 1);
        wait_until(has_grown, &growth, "bytes are counted in sessions that go on");
        read_on_while_reloading(proxy, &growth.last, "--wait=drained");
    }
    const struct streamed came = streams_finish(streams);
    wait_until(has_settled, proxy, "every session has ended");
    read_on(proxy, &growth.last);
    ck_assert_uint_eq(growth.last.total.sessions, STREAMS);
    ck_assert_uint_eq(growth.last.total.client_bytes, came.from_clients);
    ck_assert_uint_eq(growth.last.total.server_bytes, came.from_servers);
    proxy_follow(proxy);
    proxy_stop(proxy);
}
END_TEST

static const char *const limits[][2] = {{"max-sessions = 3\n", ""}, {"", "max-sessions = 3\n"}};

static void expect_wait(int listener)
{
    ck_assert_msg(!readable_within(listener, 100), "more sessions than max-sessions");
}

/* The limit counts the sessions of all generations: three sessions are three. */
static void limit_over_reloads(const char *of_all, const char *of_frontend)
{
    enum { LIMIT = 3 };
    uint16_t port = port_reserve(getuid()), server_port;
    int listener = listen_loopback(&server_port), clients[LIMIT], servers[LIMIT];
    struct endpoint front = endpoint_loopback(port);
    struct proxy proxy;
    proxy_init(&proxy, of_all[0] ? "all" : "frontend");
    proxy_configure(&proxy,
                    "workers = 2\ndrain = wait\n%s[listen main]\nbind = 127.0.0.1:%u\n%sserver = a "
                    "127.0.0.1:%u\n",
                    of_all, port, of_frontend, server_port);
    proxy_start(&proxy);
    for (unsigned i = 0; i < LIMIT; i++) {
        clients[i] = connect_to(&front);
        servers[i] = accept_from(listener);
    }
    pid_t first = proxy.pid;
    proxy_reload(&proxy);
    int late = connect_to(&front);
    expect_wait(listener);
    close(clients[0]);
    expect_eof(servers[0]);
    close(servers[0]);
    clients[0] = late;
    servers[0] = accept_from(listener);

    proxy_reload(&proxy);
    late = connect_to(&front);
    expect_wait(listener);
    send_reset(clients[0]);
    expect_reset(servers[0]);
    close(servers[0]);
    clients[0] = late;
    servers[0] = accept_from(listener);

    late = connect_to(&front);
    expect_wait(listener);
    kill(first, SIGKILL);
    wait_gone(first);
    int server = accept_from(listener);
    short_session(&front, listener);
    for (unsigned i = 0; i < LIMIT; i++) {
        close(clients[i]);
        close(servers[i]);
    }
    close(late);
    close(server);
    close(listener);
    proxy_stop(&proxy);
}

START_TEST(max_sessions_over_reloads)
{
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        limit_over_reloads(limits[i][0], limits[i][1]);
    }
}
END_TEST

Suite *figures_suite(void)
{
    Suite *suite = suite_create("figures");
    scenario_add(suite, cut_sessions, 300);
    scenario_add(suite, counters_over_many_reloads, 1200);
    scenario_add(suite, killed_while_draining, 300);
    scenario_add(suite, killed_on_probation, 300);
    scenario_add(suite, bytes_are_counted_as_they_come, 300);
    scenario_add(suite, bytes_of_long_streams, 600);
    scenario_add(suite, oldest_sessions, 300);
    scenario_add(suite, oldest_session_of_a_frontend_that_is_gone, 300);
    scenario_add(suite, max_sessions_over_reloads, 300);
    return suite;
}
