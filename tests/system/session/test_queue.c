/* Servers with maxconn: the order in which waiting sessions get places, who leaves the queue, and
 * what a reload changes. */
#include "tests/system/scenarios.h"
#include "tests/system/support/daemons.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/net.h"
#include "tests/system/support/proxy.h"
#include "tests/system/support/scene.h"
#include "tests/system/support/server_state.h"
#include "tests/system/support/tls_peer.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- what the status says --- */

struct wanted {
    const struct proxy *proxy;
    const char *name;
    long long value;
};

static bool says(void *argument)
{
    const struct wanted *wanted = argument;
    return backend_figure(wanted->proxy, wanted->name) == wanted->value;
}

/* The proxy looks once in a second. */
static void wait_most(const struct scene *scene, unsigned count)
{
    wait_until(says, &(struct wanted){&scene->proxy, "most_waiting", count},
               "so many sessions have been seen in the queue");
}

/* --- numbered clients --- */

enum { CLIENTS = 24 };

static int connect_numbered(const struct endpoint *front, uint16_t number)
{
    int client = connect_to(front);
    send_all(client, &number, sizeof number);
    return client;
}

static struct session serve(int listener, const int *clients, uint16_t expected)
{
    uint16_t number;
    struct session session = {.server = accept_from(listener)};
    receive_exactly(session.server, &number, sizeof number);
    ck_assert_uint_eq(number, expected);
    session.client = clients[number];
    return session;
}

/* One by one, each after the one before has come to the queue. */
static void queue_up(const struct scene *scene, int *clients, unsigned from, unsigned to,
                     unsigned before)
{
    for (unsigned i = from; i < to; i++) {
        clients[i] = connect_numbered(&scene->front, (uint16_t)i);
        wait_waiting(&scene->proxy, before + i - from + 1);
    }
}

static void start(struct scene *scene, const char *global, const char *attributes, const char *rest)
{
    /* Nobody who waits is to give up on a slow machine. */
    const char *patience = strstr(rest, "queue-timeout") ? "" : "queue-timeout = 0s\n";
    proxy_configure(&scene->proxy,
                    "workers = 4\n%s[listen main]\nbind = 127.0.0.1:%u\naccess-log = yes\n"
                    "server = a 127.0.0.1:%u %s\n%s%s",
                    global, scene->port, scene->server_port, attributes, patience, rest);
    proxy_start(&scene->proxy);
}

/* --- scenarios --- */

START_TEST(served_in_order)
{
    struct scene scene;
    int clients[CLIENTS];
    scene_init(&scene);
    start(&scene, "", "maxconn=1", "");
    clients[0] = connect_numbered(&scene.front, 0);
    struct session session = serve(scene.listener, clients, 0);
    queue_up(&scene, clients, 1, CLIENTS, 0);
    wait_most(&scene, CLIENTS - 1);
    for (uint16_t i = 1; i < CLIENTS; i++) {
        session_works(&session);
        session_close(&session);
        session = serve(scene.listener, clients, i);
        ck_assert_int_eq(backend_figure(&scene.proxy, "waiting"), CLIENTS - 1 - i);
    }
    session_close(&session);
    ck_assert_int_eq(backend_figure(&scene.proxy, "queued"), CLIENTS - 1);
    ck_assert_int_eq(backend_figure(&scene.proxy, "most_waiting"), CLIENTS - 1);
    proxy_stop(&scene.proxy);
}
END_TEST

/* The server that gets a free place refuses: the session waits for the other server, and is there
 * before those that came later. */
START_TEST(a_refused_session_keeps_its_turn)
{
    struct scene scene;
    char other[128];
    int clients[6];
    uint16_t port;
    int listener = listen_loopback(&port);
    snprintf(other, sizeof other, "server = b 127.0.0.1:%u maxconn=1\nretries = 9\n", port);
    scene_init(&scene);
    start(&scene, "", "maxconn=1", other);
    clients[0] = connect_numbered(&scene.front, 0);
    clients[1] = connect_numbered(&scene.front, 1);
    int a = accept_from(scene.listener), b = accept_from(listener);
    uint16_t on_a, on_b;
    receive_exactly(a, &on_a, sizeof on_a);
    receive_exactly(b, &on_b, sizeof on_b);
    queue_up(&scene, clients, 2, 6, 0);
    close(scene.listener);
    session_close(&(struct session){.client = clients[on_a], .server = a});
    wait_waiting(&scene.proxy,
                 4); /* each of them was given the place of a, and is back in the queue */
    struct session session = {.client = clients[on_b], .server = b};
    for (uint16_t i = 2; i < 6; i++) {
        session_close(&session);
        session = serve(listener, clients, i);
    }
    session_close(&session);
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(clients_that_leave_the_queue)
{
    struct scene scene;
    int clients[5];
    scene_init(&scene);
    start(&scene, "", "maxconn=1", "");
    clients[0] = connect_numbered(&scene.front, 0);
    struct session session = serve(scene.listener, clients, 0);
    queue_up(&scene, clients, 1, 4, 0);
    int silent = connect_to(&scene.front);
    wait_waiting(&scene.proxy, 4);
    shutdown(silent, SHUT_WR); /* without a byte: it leaves */
    wait_waiting(&scene.proxy, 3);
    expect_eof(silent);
    close(silent);
    send_reset(clients[2]);
    wait_waiting(&scene.proxy, 2);
    shutdown(clients[3], SHUT_WR); /* after bytes: it waits on */
    session_close(&session);
    session = serve(scene.listener, clients, 1);
    ck_assert_int_eq(backend_figure(&scene.proxy, "waiting"), 1);
    session_close(&session);
    session = serve(scene.listener, clients, 3);
    expect_eof(session.server);
    send_all(session.server, "late", 4);
    close(session.server);
    char bytes[4];
    receive_exactly(clients[3], bytes, sizeof bytes);
    expect_eof(clients[3]);
    close(clients[3]);
    ck_assert_int_eq(backend_figure(&scene.proxy, "waiting"), 0);
    proxy_stop(&scene.proxy);
    wait_mentions(scene.proxy.log, "end=client-reset", 1);
    wait_mentions(scene.proxy.log, "end=done", 4);
}
END_TEST

/* The same by TLS, which has an end of its own. */
START_TEST(clients_by_tls_that_leave_the_queue)
{
    struct scene scene;
    char path[PATH_MAX], word[4];
    struct tls_peer clients[6];
    scene_init(&scene);
    tls_certificate("a", "DNS:a.test");
    proxy_configure(&scene.proxy,
                    "workers = 2\n[listen main]\nbind = 127.0.0.1:%u tls=yes\naccess-log = yes\n"
                    "server = a 127.0.0.1:%u maxconn=1\nqueue-timeout = 0s\ncertificate = %s\n",
                    scene.port, scene.server_port, test_path(path, "a.pem"));
    proxy_start(&scene.proxy);
    for (unsigned i = 0; i < 6; i++) {
        tls_client(&clients[i], connect_to(&scene.front), "a.test", i == 5 ? 2 : 3);
        tls_shake(&clients[i]);
        wait_waiting(&scene.proxy, i);
    }
    int server = accept_from(scene.listener);
    tls_say_end(&clients[1]); /* without a byte: it leaves, and does not close its socket yet */
    wait_waiting(&scene.proxy, 4);
    tls_say_end(&clients[5]); /* TLS 1.2 */
    wait_waiting(&scene.proxy, 3);
    shutdown(clients[2].fd, SHUT_WR); /* the end of the socket alone */
    wait_waiting(&scene.proxy, 2);
    tls_send(&clients[3], "last", 4);
    tls_say_end(&clients[3]); /* after bytes: it waits on */
    tls_send(&clients[4], "word", 4);
    tls_exchange(&clients[0], server);
    tls_close(&clients[0]);
    close(server);
    server = accept_from(scene.listener);
    receive_exactly(server, word, sizeof word);
    ck_assert_mem_eq(word, "last", sizeof word);
    expect_eof(server);
    send_all(server, "late", 4);
    close(server);
    tls_receive_exactly(&clients[3], word, sizeof word);
    ck_assert_mem_eq(word, "late", sizeof word);
    server = accept_from(scene.listener);
    receive_exactly(server, word, sizeof word);
    ck_assert_mem_eq(word, "word", sizeof word);
    tls_exchange(&clients[4], server);
    ck_assert_int_eq(backend_figure(&scene.proxy, "waiting"), 0);
    for (unsigned i = 1; i < 6; i++)
        tls_close(&clients[i]);
    close(server);
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(a_full_queue_and_one_that_takes_too_long)
{
    struct scene scene;
    int clients[3];
    scene_init(&scene);
    start(&scene, "", "maxconn=1", "max-queue = 1\n");
    clients[0] = connect_numbered(&scene.front, 0);
    struct session session = serve(scene.listener, clients, 0);
    queue_up(&scene, clients, 1, 2, 0);
    expect_reset_at(&scene.front);
    session_close(&session);
    session = serve(scene.listener, clients, 1);
    session_close(&session);
    ck_assert_int_eq(backend_figure(&scene.proxy, "queue_full"), 1);
    proxy_stop(&scene.proxy);
    wait_mentions(scene.proxy.log, "end=queue-full", 1);

    start(&scene, "", "maxconn=1", "queue-timeout = 100ms\n");
    clients[0] = connect_numbered(&scene.front, 0);
    session = serve(scene.listener, clients, 0);
    expect_reset_at(&scene.front);
    session_works(&session);
    session_close(&session);
    wait_mentions(scene.proxy.log, "end=done", 3); /* its place is free */
    clients[2] = connect_numbered(&scene.front, 2);
    session = serve(scene.listener, clients, 2);
    session_close(&session);
    ck_assert_int_eq(backend_figure(&scene.proxy, "queue_timeouts"), 1);
    proxy_stop(&scene.proxy);
    wait_mentions(scene.proxy.log, "end=queue-timeout", 1);
}
END_TEST

/* Those that wait when their server goes into maint are served when it comes back; those that come
 * meanwhile are refused. */
START_TEST(a_server_that_comes_back)
{
    struct scene scene;
    struct outcome outcome;
    int clients[4];
    scene_init(&scene);
    start(&scene, "", "maxconn=2", "");
    clients[0] = connect_numbered(&scene.front, 0);
    struct session first = serve(scene.listener, clients, 0);
    clients[1] = connect_numbered(&scene.front, 1);
    struct session second = serve(scene.listener, clients, 1);
    queue_up(&scene, clients, 2, 4, 0);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "server", "main/a", "maint", NULL), 0);
    session_close(&first);
    session_close(&second);
    expect_reset_at(&scene.front);
    ck_assert_int_eq(backend_figure(&scene.proxy, "waiting"), 2);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "server", "main/a", "ready", NULL), 0);
    int servers[2];
    uint16_t numbers[2]; /* both places are given at once, to two workers */
    for (unsigned i = 0; i < 2; i++) {
        servers[i] = accept_from(scene.listener);
        receive_exactly(servers[i], &numbers[i], sizeof numbers[i]);
        ck_assert(numbers[i] == 2 || numbers[i] == 3);
    }
    for (unsigned i = 0; i < 2; i++)
        session_close(&(struct session){.client = clients[numbers[i]], .server = servers[i]});
    proxy_stop(&scene.proxy);
}
END_TEST

/* With an algorithm that goes by a key a session waits for its server, while the other one is free;
 * when its server goes down it takes the other one. */
START_TEST(a_session_waits_for_the_server_of_its_key)
{
    struct scene scene;
    struct outcome outcome;
    char other[128];
    int clients[3], listeners[2];
    uint16_t port;
    scene_init(&scene);
    listeners[0] = scene.listener;
    listeners[1] = listen_loopback(&port);
    snprintf(other, sizeof other, "server = b 127.0.0.1:%u maxconn=1\nbalance = source\n", port);
    proxy_configure(&scene.proxy,
                    "[listen main]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u maxconn=1\n%s",
                    scene.port, scene.server_port, other);
    proxy_start(&scene.proxy);
    clients[0] = connect_numbered(&scene.front, 0);
    unsigned chosen = 0;
    while (!readable_within(listeners[chosen], 10))
        chosen = !chosen;
    struct session session = serve(listeners[chosen], clients, 0);
    queue_up(&scene, clients, 1, 3, 0);
    session_close(&session);
    session = serve(listeners[chosen], clients, 1);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "server", chosen ? "main/b" : "main/a",
                                   "maint", NULL),
                     0);
    struct session moved = serve(listeners[!chosen], clients, 2);
    session_close(&moved);
    session_close(&session);
    proxy_stop(&scene.proxy);
}
END_TEST

/* The clients in the queue of the old process come first, in their order, then those of the new
 * one; and there is never a second session. */
static void reload_with_a_queue(const char *global)
{
    struct scene scene;
    int clients[CLIENTS];
    scene_init(&scene);
    start(&scene, global, "maxconn=1", "queue-timeout = 0s\n");
    clients[0] = connect_numbered(&scene.front, 0);
    struct session session = serve(scene.listener, clients, 0);
    queue_up(&scene, clients, 1, CLIENTS / 3, 0);
    proxy_reload(&scene.proxy);
    queue_up(&scene, clients, CLIENTS / 3, 2 * CLIENTS / 3, 0);
    proxy_reload(&scene.proxy);
    queue_up(&scene, clients, 2 * CLIENTS / 3, CLIENTS, 0);
    for (uint16_t i = 1; i < CLIENTS; i++) {
        session_works(&session);
        ck_assert(!readable_within(scene.listener, 0));
        session_close(&session);
        session = serve(scene.listener, clients, i);
    }
    session_close(&session);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}

START_TEST(reloads_with_a_queue)
{
    reload_with_a_queue("");
}
END_TEST

START_TEST(reloads_with_a_queue_and_no_handoff)
{
    reload_with_a_queue("drain = wait\n");
}
END_TEST

START_TEST(reloads_with_a_queue_and_a_probation)
{
    reload_with_a_queue("probation = 200ms\n");
}
END_TEST

/* The next client of the server, which is checked as well. */
static struct session serve_checked(int listener, const int *clients)
{
    uint16_t number = 0;
    for (;;) {
        struct session session = {.server = accept_from(listener)};
        if (recv(session.server, &number, sizeof number, MSG_WAITALL) == sizeof number) {
            session.client = clients[number];
            return session;
        }
        close(session.server);
    }
}

struct attempt {
    struct scene *scene;
    int client;
    unsigned waiting; /* with it */
};

/* Whether one more client may wait now. */
static bool one_more_waits(void *argument)
{
    struct attempt *attempt = argument;
    const uint16_t number = 0;
    char byte;
    attempt->client = try_connect(&attempt->scene->front);
    if (attempt->client < 0) {
        ck_assert_int_eq(errno, ECONNRESET); /* the queue is full */
        return false;
    }
    (void)!send(attempt->client, &number, sizeof number, MSG_NOSIGNAL);
    for (;;) {
        if (backend_figure(&attempt->scene->proxy, "waiting") == attempt->waiting)
            return true;
        if (recv(attempt->client, &byte, 1, MSG_DONTWAIT) == 0 || errno != EAGAIN)
            break;
    }
    close(attempt->client);
    return false;
}

/* Those that wait in the old process count for max-queue, until they are served. */
START_TEST(max_queue_over_a_reload)
{
    struct scene scene;
    int clients[4];
    scene_init(&scene);
    start(&scene, "", "maxconn=1", "max-queue = 3\nqueue-timeout = 0s\n");
    clients[0] = connect_numbered(&scene.front, 0);
    struct session session = serve(scene.listener, clients, 0);
    queue_up(&scene, clients, 1, 3, 0);
    proxy_reload(&scene.proxy);
    queue_up(&scene, clients, 3, 4, 0);
    expect_reset_at(&scene.front);
    ck_assert_int_eq(backend_figure(&scene.proxy, "queue_full"), 1);
    session_close(&session);
    session = serve(scene.listener, clients, 1); /* one less waits in the old process */
    struct attempt attempt = {&scene, -1, 2};
    wait_until(one_more_waits, &attempt, "one more client may wait");
    for (uint16_t i = 2; i < 4; i++) {
        session_close(&session);
        session = serve(scene.listener, clients, i);
    }
    session_close(&session);
    clients[0] = attempt.client;
    session = serve(scene.listener, clients, 0);
    session_close(&session);
    proxy_stop(&scene.proxy);
}
END_TEST

/* A server goes down while sessions wait for it, and comes back after a reload: the old process,
 * in which they wait, has gone on with its checks. */
START_TEST(a_server_that_comes_back_after_a_reload)
{
    struct scene scene;
    int clients[3], one = 1;
    scene_init(&scene);
    start(&scene, "", "maxconn=1",
          "check = tcp\ncheck-interval = 50ms\nfall = 1\nrise = 1\nqueue-timeout = 0s\n");
    clients[0] = connect_numbered(&scene.front, 0);
    struct session session = serve_checked(scene.listener, clients);
    queue_up(&scene, clients, 1, 3, 0);
    close(scene.listener);
    wait_until(says, &(struct wanted){&scene.proxy, "usable", 0}, "the server is down");
    proxy_reload(&scene.proxy);
    session_close(&session);
    const struct endpoint where = endpoint_loopback(scene.server_port);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    ck_assert_int_eq(bind(listener, &where.any, where.length), 0);
    ck_assert_int_eq(listen(listener, 100), 0);
    for (unsigned i = 1; i < 3; i++) {
        session = serve_checked(listener, clients);
        ck_assert_int_eq(session.client, clients[i]);
        session_close(&session);
    }
    proxy_stop(&scene.proxy);
}
END_TEST

/* Sessions that have moved count. A smaller maxconn cuts no session, a larger one is filled. */
START_TEST(maxconn_changes)
{
    struct scene scene;
    struct session sessions[3];
    int clients[7];
    scene_init(&scene);
    start(&scene, "", "maxconn=3", "");
    for (uint16_t i = 0; i < 3; i++) {
        clients[i] = connect_numbered(&scene.front, i);
        sessions[i] = serve(scene.listener, clients, i);
    }
    static const char text[] = "workers = 2\n[listen main]\nbind = 127.0.0.1:%u\n"
                               "server = a 127.0.0.1:%u maxconn=%u\n";
    proxy_configure(&scene.proxy, text, scene.port, scene.server_port, 2u);
    proxy_reload(&scene.proxy);
    proxy_wait_drained(&scene.proxy);
    queue_up(&scene, clients, 3, 7, 0);
    session_works(&sessions[0]);
    session_close(&sessions[0]);
    session_works(&sessions[1]);
    session_works(&sessions[2]);
    ck_assert(!readable_within(scene.listener, 0));
    ck_assert_int_eq(backend_figure(&scene.proxy, "waiting"), 4);
    session_close(&sessions[1]);
    struct session third = serve(scene.listener, clients, 3);
    ck_assert_int_eq(backend_figure(&scene.proxy, "waiting"), 3);
    proxy_configure(&scene.proxy, text, scene.port, scene.server_port, 4u);
    proxy_reload(&scene.proxy); /* those that wait in the old process get the new places */
    struct session rest[3];
    int served[3];
    uint16_t numbers[3];
    for (unsigned i = 0; i < 2; i++) {
        served[i] = accept_from(scene.listener);
        receive_exactly(served[i], &numbers[i], sizeof numbers[i]);
        ck_assert(numbers[i] == 4 || numbers[i] == 5);
        rest[i] = (struct session){.client = clients[numbers[i]], .server = served[i]};
    }
    session_close(&third);
    rest[2] = serve(scene.listener, clients, 6);
    session_close(&sessions[2]);
    for (unsigned i = 0; i < 3; i++) {
        session_works(&rest[i]);
        session_close(&rest[i]);
    }
    proxy_stop(&scene.proxy);
}
END_TEST

/* A process that stops serves its queue. */
static void set_maxconn(const struct scene *scene, const char *setting, int code, const char *says)
{
    struct outcome outcome;
    proxy_command(&scene->proxy, &outcome, "server", "main/a", setting, NULL);
    ck_assert_msg(outcome.code == code, "%s: exit %d: %s", setting, outcome.code, outcome.err);
    ck_assert_msg(strstr(code ? outcome.err : outcome.out, says) != NULL, "%s: %s%s", setting,
                  outcome.out, outcome.err);
}

/* A command changes maxconn: those that wait get the new places, and a reload keeps it. */
START_TEST(maxconn_by_command)
{
    struct scene scene;
    struct session sessions[3];
    int clients[4];
    scene_init(&scene);
    start(&scene, "", "maxconn=1", "");
    clients[0] = connect_numbered(&scene.front, 0);
    sessions[0] = serve(scene.listener, clients, 0);
    queue_up(&scene, clients, 1, 3, 0);
    set_maxconn(&scene, "maxconn=0", 1, "must be unlimited or 1 to");
    set_maxconn(&scene, "maxconn=many", 1, "must be unlimited or 1 to");
    set_maxconn(&scene, "maxconn=3", 0, "main/a: ready");
    uint16_t number;
    for (unsigned i = 1; i < 3; i++) { /* several workers: in any order */
        int server = accept_from(scene.listener);
        receive_exactly(server, &number, sizeof number);
        ck_assert(number == 1 || number == 2);
        sessions[i] = (struct session){.client = clients[number], .server = server};
    }
    wait_mentioned(scene.proxy.log, "server main/a has maxconn 3 by command (it was 1)");
    proxy_reload(&scene.proxy);
    proxy_wait_drained(&scene.proxy);
    queue_up(&scene, clients, 3, 4, 0); /* three places are taken in the new process as well */
    session_close(&sessions[0]);
    sessions[0] = serve(scene.listener, clients, 3);
    for (unsigned i = 0; i < 3; i++) {
        session_works(&sessions[i]);
        session_close(&sessions[i]);
    }
    proxy_configure(&scene.proxy, "[listen main]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n",
                    scene.port, scene.server_port);
    proxy_reload(&scene.proxy);
    set_maxconn(&scene, "maxconn=3", 1, "backend main has no queue");
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(stopped_with_a_queue)
{
    struct scene scene;
    int clients[4];
    scene_init(&scene);
    start(&scene, "stop-timeout = 0s\n", "maxconn=1", "");
    clients[0] = connect_numbered(&scene.front, 0);
    struct session session = serve(scene.listener, clients, 0);
    queue_up(&scene, clients, 1, 4, 0);
    pid_t stop = proxy_command_start(&scene.proxy, NULL, "stop", NULL);
    for (uint16_t i = 1; i < 4; i++) {
        session_close(&session);
        session = serve(scene.listener, clients, i);
    }
    session_close(&session);
    ck_assert_int_eq(wait_gone(stop), 0);
    ck_assert_int_eq(wait_gone(scene.proxy.pid), 0);
}
END_TEST

/* The new process is killed while it stands in for the old one: the old process goes on with its
 * queue, and those that waited in the new one are lost. */
START_TEST(a_crash_with_a_queue)
{
    struct scene scene;
    int clients[6];
    scene_init(&scene);
    start(&scene, "probation = 1m\n", "maxconn=1", "");
    clients[0] = connect_numbered(&scene.front, 0);
    struct session session = serve(scene.listener, clients, 0);
    queue_up(&scene, clients, 1, 3, 0);
    pid_t old = scene.proxy.pid;
    proxy_reload(&scene.proxy);
    queue_up(&scene, clients, 3, 4, 0);
    kill(scene.proxy.pid, SIGKILL);
    expect_reset(clients[3]);
    close(clients[3]);
    wait_waiting(&scene.proxy, 2); /* the old process has its control socket again */
    proxy_follow(&scene.proxy);
    ck_assert_int_eq(scene.proxy.pid, old);
    queue_up(&scene, clients, 4, 6, 2);
    static const uint16_t left[] = {1, 2, 4, 5};
    for (unsigned i = 0; i < 4; i++) {
        session_close(&session);
        session = serve(scene.listener, clients, left[i]);
    }
    session_close(&session);
    kill(scene.proxy.pid, SIGTERM);
    ck_assert_int_eq(wait_gone(scene.proxy.pid), 0);
}
END_TEST

Suite *queue_suite(void)
{
    Suite *suite = suite_create("queue");
    scenario_add(suite, served_in_order, 120);
    scenario_add(suite, a_refused_session_keeps_its_turn, 120);
    scenario_add(suite, clients_that_leave_the_queue, 120);
    scenario_add(suite, clients_by_tls_that_leave_the_queue, 120);
    scenario_add(suite, a_full_queue_and_one_that_takes_too_long, 120);
    scenario_add(suite, a_server_that_comes_back, 120);
    scenario_add(suite, a_session_waits_for_the_server_of_its_key, 120);
    scenario_add(suite, reloads_with_a_queue, 300);
    scenario_add(suite, reloads_with_a_queue_and_no_handoff, 300);
    scenario_add(suite, reloads_with_a_queue_and_a_probation, 300);
    scenario_add(suite, max_queue_over_a_reload, 120);
    scenario_add(suite, a_server_that_comes_back_after_a_reload, 120);
    scenario_add(suite, maxconn_changes, 120);
    scenario_add(suite, maxconn_by_command, 120);
    scenario_add(suite, stopped_with_a_queue, 120);
    scenario_add(suite, a_crash_with_a_queue, 120);
    return suite;
}
