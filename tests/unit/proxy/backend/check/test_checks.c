/* Checks of servers that listen, that do not listen, and that do not answer. */
#include "proxy/backend/backend.h"
#include "proxy/backend/check/checks.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/loopback.h"

#include <check.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 600 };

static char name_app[] = "app";
static struct server_conf servers[MOST];
static struct backend_conf conf;
static struct backend backend;
static struct reclaimer reclaimer; /* without readers */
static struct event_base *base;
static struct task_queue tasks; /* of the main thread */
static struct event bell;
static struct checks *checks;
static bool known;

static struct server *at(size_t place)
{
    return backend_servers(&backend)->list[place];
}

static void on_tasks(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    task_queue_run(&tasks);
}

static const struct config whole = {.backend_count = 1};

static void setup(void)
{
    base = event_base_new();
    ck_assert_ptr_nonnull(base);
    ck_assert_int_eq(task_queue_open(&tasks), 0);
    event_assign(&bell, base, tasks.fd, EV_READ | EV_PERSIST, on_tasks, NULL);
    event_add(&bell, NULL);
    conf = (struct backend_conf){.name = name_app,
                                 .servers = servers,
                                 .check.kind = CHECK_TCP,
                                 .check.interval = 10,
                                 .check.timeout = 60000,
                                 .check.rise = 2,
                                 .check.fall = 3};
    known = false;
}

static void teardown(void)
{
    checks_free(checks);
    backend_close(&backend);
    event_del(&bell);
    task_queue_close(&tasks);
    event_base_free(base);
}

static void open_with(size_t count)
{
    conf.server_count = count;
    for (size_t i = 0; i < count; i++) {
        servers[i].name = name_app;
        servers[i].weight = 1;
    }
    ck_assert_int_eq(backend_open(&backend, &conf, 1, &reclaimer), 0);
    ck_assert_int_eq(checks_new(&backend, &whole, base, &tasks, 1, &checks), 0);
    ck_assert_ptr_nonnull(checks);
}

static void on_known(void *arg)
{
    ck_assert_ptr_eq(arg, base);
    ck_assert(!known);
    known = true;
}

static void check_all(void)
{
    checks_begin_unknown_first(checks, 60000, on_known, base);
    while (!known)
        event_base_loop(base, EVLOOP_ONCE);
}

static void await_state(const struct server *server, enum check_state state)
{
    while (server->now.check != state)
        event_base_loop(base, EVLOOP_ONCE);
}

/* A bound port without a listener refuses connections. */
START_TEST(a_server_that_listens_is_up_and_others_are_down)
{
    loopback_bind(0, &servers[0].address);
    servers[1].address = servers[0].address;
    int listening = loopback_listen(&servers[0].address);
    int bound = loopback_bound(&servers[1].address);
    open_with(2);
    check_all();
    ck_assert_int_eq(at(0)->now.check, CHECK_UP);
    ck_assert_int_eq(at(0)->now.last_error, 0);
    ck_assert_int_eq(at(1)->now.check, CHECK_DOWN);
    ck_assert_int_eq(at(1)->now.last_error, ECONNREFUSED);

    ck_assert_int_eq(listen(bound, 16), 0);
    await_state(at(1), CHECK_UP);
    close(listening);
    await_state(at(0), CHECK_DOWN);
    close(bound);
}
END_TEST

/* A full backlog drops the SYN. TCP_DEFER_ACCEPT does not help here, because the client's side
 * becomes connected. */
static int fill_backlog(struct address *address, int clients[static 8])
{
    int listener = loopback_bound(address);
    ck_assert_int_eq(listen(listener, 0), 0);
    for (unsigned i = 0; i < 8; i++)
        clients[i] = loopback_connect(address);
    return listener;
}

START_TEST(a_server_that_does_not_answer_in_time_has_failed)
{
    int clients[8];
    conf.check.timeout = 1;
    loopback_bind(0, &servers[0].address);
    int listener = fill_backlog(&servers[0].address, clients);
    open_with(1);
    check_all();
    ck_assert_int_eq(at(0)->now.check, CHECK_DOWN);
    ck_assert_int_eq(at(0)->now.last_error, ETIMEDOUT);
    for (unsigned i = 0; i < 8; i++)
        loopback_reset(clients[i]);
    close(listener);
}
END_TEST

START_TEST(a_server_that_never_answers_is_not_waited_for)
{
    int clients[8];
    loopback_bind(0, &servers[0].address);
    int listener = fill_backlog(&servers[0].address, clients);
    open_with(1);
    checks_begin_unknown_first(checks, 1, on_known, base);
    while (!known)
        event_base_loop(base, EVLOOP_ONCE);
    ck_assert_int_eq(at(0)->now.check, CHECK_UP);
    for (unsigned i = 0; i < 8; i++)
        loopback_reset(clients[i]);
    close(listener);
}
END_TEST

static int accept_check(int listener)
{
    int fd;
    loopback_await(listener, POLLIN);
    fd = accept(listener, NULL, NULL);
    ck_assert_int_ge(fd, 0);
    return fd;
}

START_TEST(a_server_in_maint_is_not_connected_to)
{
    loopback_bind(0, &servers[0].address);
    servers[1].address = servers[0].address;
    int listening = loopback_listen(&servers[0].address);
    int other = loopback_listen(&servers[1].address);
    open_with(2);
    server_set_admin(at(0), ADMIN_MAINT);
    check_all();
    for (unsigned i = 0; i < 5; i++)
        close(accept_check(other));
    ck_assert_int_eq(accept(listening, NULL, NULL), -1);
    ck_assert_int_eq(errno, EAGAIN);
    server_set_admin(at(0), ADMIN_READY);
    close(accept_check(listening));
    close(listening);
    close(other);
}
END_TEST

/* A check leaves no socket in TIME-WAIT. */
START_TEST(a_check_ends_by_a_reset)
{
    char byte;
    errno = 0;
    loopback_bind(0, &servers[0].address);
    int listening = loopback_listen(&servers[0].address);
    open_with(1);
    checks_begin(checks);
    int fd = accept_check(listening);
    ck_assert_int_eq(recv(fd, &byte, 1, 0), -1);
    ck_assert_int_eq(errno, ECONNRESET);
    close(fd);
    close(listening);
}
END_TEST

/* ... or as a client ends that has nothing to say, also where the server has spoken. */
START_TEST(a_check_ends_by_a_fin_where_that_is_wanted)
{
    char byte;
    conf.check.close = CHECK_CLOSE_FIN;
    conf.check.interval = 60000; /* the next check would cut this one short */
    loopback_bind(0, &servers[0].address);
    int listening = loopback_listen(&servers[0].address);
    open_with(1);
    check_all();
    int fd = accept_check(listening);
    ck_assert_int_eq(send(fd, "220 hello\r\n", 11, MSG_NOSIGNAL), 11);
    ck_assert_int_eq(recv(fd, &byte, 1, 0), 0);
    ck_assert_int_eq(send(fd, "bye", 3, MSG_NOSIGNAL), 3);
    close(fd);
    close(listening);
}
END_TEST

START_TEST(a_server_that_ends_the_handshake_of_tls_has_a_reason)
{
    conf.check.kind = CHECK_TLS;
    conf.check.interval = 60000;
    loopback_bind(0, &servers[0].address);
    int listening = loopback_listen(&servers[0].address);
    open_with(1);
    checks_begin(checks);
    int fd = accept_check(listening);
    ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
    await_state(at(0), CHECK_DOWN);
    ck_assert_str_eq(at(0)->now.reason, "TLS: the server ended the connection");
    close(fd);
    close(listening);
}
END_TEST

/* A check that does not end in time does not hold up the next one, once its verdict is known. */
START_TEST(a_server_that_does_not_close_is_checked_on)
{
    conf.check.close = CHECK_CLOSE_FIN;
    loopback_bind(0, &servers[0].address);
    int listening = loopback_listen(&servers[0].address);
    int fds[5];
    open_with(1);
    checks_begin(checks);
    for (unsigned i = 0; i < 5; i++)
        fds[i] = accept_check(listening);
    for (unsigned i = 0; i < 5; i++)
        close(fds[i]);
    close(listening);
}
END_TEST

/* There are more servers than probes at a time: all are checked. The probe of a Unix socket ends at
 * once.
 */
START_TEST(many_servers)
{
    struct address unix_address = {.length = sizeof(struct sockaddr_un)};
    unix_address.un.sun_family = AF_UNIX;
    strcpy(unix_address.un.sun_path, "/nowhere/at/all");
    struct address address;
    loopback_bind(0, &address);
    int bound = loopback_bound(&address);
    for (size_t i = 0; i < MOST; i++)
        servers[i].address = i % 2 ? address : unix_address;
    conf.check.interval = 60000;
    open_with(MOST);
    check_all();
    ck_assert_uint_eq(backend.usable, 0);
    for (size_t i = 0; i < MOST; i++)
        ck_assert_int_eq(at(i)->now.last_error, i % 2 ? ECONNREFUSED : ENOENT);
    close(bound);
}
END_TEST

static unsigned descriptors(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < 4 * MOST; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

START_TEST(number_of_probes_is_limited)
{
    int clients[8];
    loopback_bind(0, &servers[0].address);
    int listener = fill_backlog(&servers[0].address, clients);
    for (size_t i = 1; i < MOST; i++)
        servers[i].address = servers[0].address;
    open_with(MOST);
    unsigned before = descriptors();
    checks_begin_unknown_first(checks, 60000, on_known, base);
    while (descriptors() < before + CHECKS_MOST)
        sched_yield();
    for (unsigned i = 0; i < 1000; i++)
        ck_assert_uint_le(descriptors(), before + CHECKS_MOST);
    ck_assert(!known);
    for (unsigned i = 0; i < 8; i++)
        loopback_reset(clients[i]);
    close(listener);
}
END_TEST

/* A server with a planned check keeps the plan; others are spread over the interval. */
START_TEST(first_checks_are_spread)
{
    enum { PARTS = 8 };
    unsigned in_part[PARTS] = {0};
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t start = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    conf.check.interval = 3600000;
    loopback_bind(0, &servers[0].address);
    open_with(400);
    uint64_t planned = start + 1234567;
    atomic_store(&at(7)->check_due, planned);
    checks_begin(checks);
    ck_assert_uint_eq(atomic_load(&at(7)->check_due), planned);
    for (size_t i = 0; i < 400; i++) {
        uint64_t part = (atomic_load(&at(i)->check_due) - start) / (3600000 / PARTS);
        in_part[part < PARTS ? part : PARTS - 1]++;
    }
    for (size_t i = 0; i < PARTS; i++) {
        ck_assert_uint_ge(in_part[i], 400 / PARTS - 5);
        ck_assert_uint_le(in_part[i], 400 / PARTS + 5);
    }
}
END_TEST

START_TEST(descriptors_are_needed_for_checked_servers_only)
{
    static struct server_conf many[900];
    struct backend_conf two[2] = {{.servers = many, .server_count = 3, .check.kind = CHECK_TCP},
                                  {.servers = many, .server_count = 900}};
    struct config config = {.backends = two, .backend_count = 2};
    ck_assert_uint_eq(checks_descriptors(&config), 3 + SCHEDULE_DESCRIPTORS);
    two[1].check.kind = CHECK_TCP;
    ck_assert_uint_eq(checks_descriptors(&config), CHECKS_MOST + SCHEDULE_DESCRIPTORS);
    conf.check.kind = CHECK_OFF;
    open_with(2);
    check_all();
    ck_assert_uint_eq(backend.usable, 2);
}
END_TEST

START_TEST(new_address_is_checked)
{
    struct address bound_address;
    loopback_bind(0, &servers[0].address);
    bound_address = servers[0].address;
    int listening = loopback_listen(&servers[0].address);
    int bound = loopback_bound(&bound_address);
    open_with(1);
    check_all();
    ck_assert_int_eq(at(0)->now.check, CHECK_UP);
    ck_assert_int_eq(server_set_address(at(0), &bound_address), 0);
    await_state(at(0), CHECK_DOWN); /* after one failure, although fall is 3 */
    ck_assert_int_eq(server_set_address(at(0), &servers[0].address), 0);
    await_state(at(0), CHECK_UP);
    close(listening);
    close(bound);
}
END_TEST

/* A probe ends when the server gets another address; its result does not count. */
START_TEST(a_result_for_an_earlier_address_does_not_count)
{
    int clients[8];
    conf.check.timeout = 1;
    loopback_bind(0, &servers[0].address);
    int listener = fill_backlog(&servers[0].address, clients);
    open_with(1);
    unsigned before = descriptors();
    checks_begin(checks);
    while (descriptors() == before)
        sched_yield();
    ck_assert_int_eq(server_set_address(at(0), NULL), 0);
    while (descriptors() > before)
        sched_yield();
    event_base_loop(base, EVLOOP_NONBLOCK);
    ck_assert_int_eq(at(0)->now.last_error, SERVER_UNCHECKED);
    ck_assert_int_eq(at(0)->now.check, CHECK_UP);
    for (unsigned i = 0; i < 8; i++)
        loopback_reset(clients[i]);
    close(listener);
}
END_TEST

START_TEST(a_server_that_is_added_is_checked)
{
    loopback_bind(0, &servers[0].address);
    struct address bound_address = servers[0].address;
    int listening = loopback_listen(&servers[0].address);
    int bound = loopback_bound(&bound_address);
    conf.check.interval = 3600000;
    open_with(1);
    check_all();
    struct server *added = backend_add(&backend, &servers[0], "added", &bound_address);
    ck_assert_ptr_nonnull(added);
    ck_assert_int_eq(checks_add(checks, added), 0);
    await_state(added, CHECK_DOWN);
    ck_assert_uint_eq(backend.usable, 1);
    close(listening);
    close(bound);
}
END_TEST

Suite *checks_suite(void)
{
    Suite *suite = suite_create("checks");
    TCase *tcase = tcase_create("checks");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_server_that_listens_is_up_and_others_are_down);
    tcase_add_test(tcase, a_server_that_does_not_answer_in_time_has_failed);
    tcase_add_test(tcase, a_server_that_never_answers_is_not_waited_for);
    tcase_add_test(tcase, a_server_in_maint_is_not_connected_to);
    tcase_add_test(tcase, a_check_ends_by_a_reset);
    tcase_add_test(tcase, a_check_ends_by_a_fin_where_that_is_wanted);
    tcase_add_test(tcase, a_server_that_ends_the_handshake_of_tls_has_a_reason);
    tcase_add_test(tcase, a_server_that_does_not_close_is_checked_on);
    tcase_add_test(tcase, many_servers);
    tcase_add_test(tcase, number_of_probes_is_limited);
    tcase_add_test(tcase, first_checks_are_spread);
    tcase_add_test(tcase, descriptors_are_needed_for_checked_servers_only);
    tcase_add_test(tcase, new_address_is_checked);
    tcase_add_test(tcase, a_result_for_an_earlier_address_does_not_count);
    tcase_add_test(tcase, a_server_that_is_added_is_checked);
    suite_add_tcase(suite, tcase);
    return suite;
}
