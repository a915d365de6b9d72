/* A listener at a full limit, and a listener with a failing socket. The worker has no thread: the
 * test runs the turns of its loop. */
#include "proxy/listen/listener.h"

#include "config/load.h"
#include "proxy/proxy.h"
#include "proxy/session/lifecycle.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"
#include "tests/unit/support/loopback.h"

#include <event2/event.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS = 5 };

static struct event_base *base;
static struct config *config;
static struct proxy *proxy;
static struct worker *worker;
static struct listener *listener;
static struct address front, back;
static int servers, socket_fd, clients[CLIENTS];

static void ignore(void *arg)
{
    (void)arg;
}

/* max_sessions: the limit of the process. */
static void start(int fd, bool shared, unsigned max_sessions)
{
    char text[256], server[ADDRESS_TEXT_MAX];
    folder_make();
    ck_assert(loopback_bind(0, &back));
    servers = loopback_listen(&back);
    snprintf(text, sizeof text, "[listen a]\nbind = 127.0.0.1:1\nserver = s %s\n",
             address_format(&back, server));
    config = load_good(text);
    base = event_base_new();
    const struct proxy_events events = {.on_quiet = ignore, .on_empty = ignore};
    ck_assert_int_eq(proxy_new(config, 1, 1, max_sessions, base, &events, &proxy), 0);
    ck_assert_ptr_nonnull(proxy);
    worker = &proxy->workers[0];
    socket_fd = fd;
    ck_assert_int_eq(
        proxy_add_listener(proxy, 0, fd, shared, NULL, 0, &config->frontends[0].binds[0]), 0);
    listener = TAILQ_FIRST(&worker->acceptor.group.listeners);
    worker->acceptor.listening = LISTENING_OPEN;
    listener_resume(listener);
}

static void teardown(void)
{
    proxy_free(proxy);
    event_base_free(base);
    config_free(config);
    close(socket_fd);
    close(servers);
    folder_remove();
}

static void turn(void)
{
    worker->sessions.loop.now = 0;
    engine_turn(&worker->sessions.loop.engine, 0);
}

static unsigned used(void)
{
    ck_assert_uint_eq(atomic_load(&proxy->service.frontends[0].places.limit->used),
                      proxy_live(proxy));
    return proxy_live(proxy);
}

/* When the function returns, all clients are in the backlog. */
static void connect_clients(void)
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i] = loopback_connect(&front);
        loopback_await(clients[i], POLLOUT);
    }
    loopback_await(socket_fd, POLLIN);
}

static void reset_clients(void)
{
    for (unsigned i = 0; i < CLIENTS; i++)
        loopback_reset(clients[i]);
}

static void end_first_session(void)
{
    session_close(session_of(TAILQ_FIRST(&worker->sessions.lists[0].list)), SESSION_STOPPED);
    grants_deliver(&worker->acceptor.group.grants, CLIENTS);
}

START_TEST(clients_wait_at_a_full_limit)
{
    ck_assert(loopback_bind(0, &front));
    start(loopback_listen(&front), false, 2);
    connect_clients();
    while (listener->queued_count < CLIENTS - 2)
        turn();
    ck_assert_uint_eq(used(), 2);
    ck_assert_int_eq(listener->watching, WATCHING_ARRIVALS);
    for (unsigned i = CLIENTS - 2; i > 0; i--) {
        ck_assert_uint_eq(listener->queued_count, i);
        end_first_session();
        ck_assert_uint_eq(used(), 2);
    }
    ck_assert_int_eq(listener->watching, WATCHING_QUEUE);
    end_first_session();
    end_first_session();
    ck_assert_uint_eq(used(), 0);
    reset_clients();
}
END_TEST

START_TEST(paused_listener_has_no_waiters)
{
    ck_assert(loopback_bind(0, &front));
    start(loopback_listen(&front), false, 1);
    connect_clients();
    while (listener->queued_count < CLIENTS - 1)
        turn();
    session_close(session_of(TAILQ_FIRST(&worker->sessions.lists[0].list)), SESSION_STOPPED);
    ck_assert_uint_eq(used(), 1); /* given to a waiter, but not used yet */
    listener_pause(listener);
    ck_assert_uint_eq(used(), 0);
    ck_assert_uint_eq(listener->queued_count, 0);
    listener_resume(listener);
    while (listener->queued_count < CLIENTS - 2)
        turn();
    ck_assert_uint_eq(used(), 1);
    reset_clients();
}
END_TEST

/* Meanwhile another worker has accepted the client. */
START_TEST(place_without_a_client_goes_to_the_next_waiter)
{
    ck_assert(loopback_bind(0, &front));
    start(loopback_listen(&front), true, 1);
    ck_assert(place_take(&proxy->service.frontends[0].places));
    connect_clients();
    while (listener->queued_count == 0)
        turn();
    for (unsigned i = 0; i < CLIENTS; i++)
        close(accept(socket_fd, NULL, NULL));
    service_release_place(&proxy->service, &proxy->service.frontends[0]);
    grants_deliver(&worker->acceptor.group.grants, CLIENTS);
    ck_assert_uint_eq(used(), 0);
    ck_assert_uint_eq(listener->queued_count, 0);
    ck_assert_int_eq(listener->watching, WATCHING_QUEUE);
    reset_clients();
}
END_TEST

/* A datagram socket can be readable, but accept(2) fails. */
static int datagram_socket(void)
{
    ck_assert(loopback_bind(0, &front));
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_eq(bind(fd, &front.any, front.length), 0);
    ck_assert_int_eq(getsockname(fd, &front.any, &front.length), 0);
    ck_assert_int_eq(sendto(fd, "x", 1, 0, &front.any, front.length), 1);
    loopback_await(fd, POLLIN);
    return fd;
}

static unsigned lines_logged(const char *path)
{
    char text[4096];
    unsigned lines = 0;
    FILE *file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    while (fgets(text, sizeof text, file))
        lines++;
    fclose(file);
    return lines;
}

START_TEST(failing_socket_is_paused_and_logged_once)
{
    char path[] = "/tmp/rpproxy-unit-XXXXXX";
    int log = mkstemp(path), standard_error = dup(STDERR_FILENO);
    start(datagram_socket(), false, 0);
    ck_assert(log >= 0 && standard_error >= 0);
    dup2(log, STDERR_FILENO);
    unsigned rests[4];
    for (unsigned i = 0; i < 4; i++) {
        turn();
        ck_assert_int_eq(listener->watching, WATCHING_NOTHING);
        ck_assert_uint_eq(used(), 0);
        ck_assert(worker->acceptor.listen_at > 0 &&
                  worker->acceptor.listen_at <= listener->rests_until);
        rests[i] = listener->rest_ms;
        ck_assert(i == 0 || rests[i] == 2 * rests[i - 1]);
        listener_resume(listener);
        ck_assert_int_eq(listener->watching, WATCHING_NOTHING); /* the pause is not over */
        worker->sessions.loop.now = 1000 * listener->rests_until;
        listener_resume(listener);
        ck_assert_int_eq(listener->watching, WATCHING_QUEUE);
    }
    dup2(standard_error, STDERR_FILENO);
    ck_assert_uint_eq(lines_logged(path), 1);

    /* A process that retires empties its backlogs; the failing socket counts as empty. */
    listener_pause(listener);
    worker->acceptor.listening = LISTENING_OVER;
    ck_assert(!listener_accept(listener, 64));

    /* The socket works again. */
    worker->acceptor.listening = LISTENING_OPEN;
    ck_assert(loopback_bind(0, &front));
    int good = loopback_listen(&front);
    dup2(good, socket_fd);
    close(good);
    connect_clients();
    worker->sessions.loop.now = 1000 * listener->rests_until;
    listener_resume(listener);
    turn();
    ck_assert_uint_gt(used(), 0);
    ck_assert_uint_eq(listener->rest_ms, 0);
    reset_clients();
    close(log);
    close(standard_error);
    unlink(path);
}
END_TEST

Suite *listener_suite(void)
{
    Suite *suite = suite_create("listener");
    TCase *tcase = tcase_create("listener");
    tcase_add_checked_fixture(tcase, NULL, teardown);
    tcase_add_test(tcase, clients_wait_at_a_full_limit);
    tcase_add_test(tcase, paused_listener_has_no_waiters);
    tcase_add_test(tcase, place_without_a_client_goes_to_the_next_waiter);
    tcase_add_test(tcase, failing_socket_is_paused_and_logged_once);
    suite_add_tcase(suite, tcase);
    return suite;
}
