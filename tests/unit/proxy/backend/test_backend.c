/* Servers that change while workers choose and read them. To be run under ThreadSanitizer as well.
 */
#include "config/base/log.h"
#include "proxy/backend/backend.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/readers.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { CHANGES = 2000, ADDED = 200 };

static char name_a[] = "a", name_app[] = "app";
static struct server_conf server_conf = {.name = name_a, .weight = 1};
static struct backend_conf conf = {
    .name = name_app, .servers = &server_conf, .server_count = 1, .check.rise = 1, .check.fall = 1};
static struct backend backend;
static struct readers readers;

static struct server *at(size_t place)
{
    return backend_servers(&backend)->list[place];
}

/* Returns the n-th address. Two of these addresses differ in all their bytes, and the port
 * determines the host. */
static struct address address_of(uint16_t n)
{
    struct address address = {.length = sizeof address.in};
    address.in.sin_family = AF_INET;
    address.in.sin_port = n;
    address.in.sin_addr.s_addr = n * UINT32_C(0x10001);
    return address;
}

static bool is_whole(const struct address *address)
{
    const struct address whole = address_of(address->in.sin_port);
    return address_equal(address, &whole);
}

static bool has_address(const struct server *server, const struct address *address)
{
    const struct address *now = server_address(server);
    return now && address_equal(now, address);
}

/* Each reader has its own worker number, in the order of the first reads. */
static atomic_uint workers_begun;
static _Thread_local unsigned worker = READERS;

static bool choose_and_read(void *arg)
{
    const struct choice any = {0};
    (void)arg;
    if (worker == READERS)
        worker = atomic_fetch_add(&workers_begun, 1);
    const struct server *server = balancer_next(backend.balancers[worker], &any);
    const struct address *address = server ? server_address(server) : NULL;
    return !address || is_whole(address);
}

static void start(void)
{
    ck_assert_int_eq(
        log_open(&(struct log_conf){.target = LOG_TO_STDERR, .level = LOG_LEVEL_ERROR}),
        0); /* without a line for each change */
    server_conf.address = address_of(1);
    ck_assert_int_eq(backend_open(&backend, &conf, READERS, &readers.reclaimer), 0);
    readers_start(&readers, choose_and_read, NULL);
}

START_TEST(an_address_changes_while_workers_read_it)
{
    start();
    for (uint16_t i = 2; i < CHANGES; i++) {
        const struct address address = address_of(i);
        ck_assert_int_eq(server_set_address(at(0), &address), 0);
        if (i % 64 == 0)
            readers_await_turns(&readers, 1);
        task_queue_run(&readers.owner);
    }
    ck_assert(readers_stop(&readers));
    const struct address last = address_of(CHANGES - 1);
    ck_assert(has_address(at(0), &last));
    backend_close(&backend);
}
END_TEST

START_TEST(servers_are_added_while_workers_choose)
{
    char name[16];
    start();
    for (uint16_t i = 1; i <= ADDED; i++) {
        const struct address address = address_of(i);
        snprintf(name, sizeof name, "a-%u", i);
        ck_assert_ptr_eq(backend_add(&backend, &server_conf, name, &address), at(i));
        ck_assert_ptr_eq(backend_find(&backend, name), at(i));
        if (i % 64 == 0)
            readers_await_turns(&readers, 1);
        task_queue_run(&readers.owner);
    }
    ck_assert_uint_eq(backend.usable, ADDED + 1);
    readers_await_turns(&readers, 2);
    ck_assert(readers_stop(&readers));
    for (unsigned i = 0; i < READERS; i++)
        ck_assert_uint_eq(backend.balancers[i]->usable, ADDED + 1);
    backend_close(&backend);
}
END_TEST

static const enum balance balances[] = {BALANCE_ROUNDROBIN, BALANCE_LEASTCONN, BALANCE_RANDOM,
                                        BALANCE_FIRST,      BALANCE_SOURCE,    BALANCE_MAGLEV};

static bool choose_by_key(void *arg)
{
    static _Thread_local uint64_t key;
    key += UINT64_C(0x9e3779b97f4a7c15);
    const struct choice choice = {.key = key};
    (void)arg;
    if (worker == READERS)
        worker = atomic_fetch_add(&workers_begun, 1);
    struct server *server = balancer_next(backend.balancers[worker], &choice);
    if (!server)
        return true;
    atomic_fetch_add_explicit(&server->used, 1, memory_order_relaxed);
    if (key % 7 == 0)
        server_count_failure(server);
    atomic_fetch_sub_explicit(&server->used, 1, memory_order_relaxed);
    return server->backend == &backend;
}

/* Servers go down and come up, fail, get other weights, and are added, while workers choose. */
START_TEST(servers_come_and_go_while_workers_choose)
{
    char name[16];
    conf.balance = balances[_i];
    conf.max_fails = 3;
    conf.fail_window = 1000;
    conf.eject_time = 10;
    conf.max_ejected = 50;
    conf.slow_start = 20;
    ck_assert_int_eq(
        log_open(&(struct log_conf){.target = LOG_TO_STDERR, .level = LOG_LEVEL_ERROR}), 0);
    const struct address address = server_conf.address = address_of(1);
    ck_assert_int_eq(backend_open(&backend, &conf, READERS, &readers.reclaimer), 0);
    readers_start(&readers, choose_by_key, NULL);
    for (uint16_t i = 1; i <= ADDED; i++) {
        if (i % 10 == 0) {
            snprintf(name, sizeof name, "a-%u", i);
            ck_assert_ptr_nonnull(backend_add(&backend, &server_conf, name, &address));
        }
        struct server *server = at(i % backend_servers(&backend)->count);
        server_set_weight(server, i % 5);
        server_set_admin(server, i % 3 ? ADMIN_READY : ADMIN_MAINT);
        if (i % 16 == 0)
            readers_await_turns(&readers, 1);
        task_queue_run(&readers.owner);
    }
    ck_assert(readers_stop(&readers));
    backend_close(&backend);
}
END_TEST

START_TEST(a_server_without_address_gets_no_connection)
{
    const struct choice any = {0};
    struct reclaimer reclaimer = {0};
    const struct address address = address_of(7);
    ck_assert_int_eq(backend_open(&backend, &conf, 1, &reclaimer), 0);
    struct server *server = at(0);
    ck_assert_ptr_eq(balancer_next(backend.balancers[0], &any), server);
    ck_assert_int_eq(server_set_address(server, NULL), 0);
    ck_assert_uint_eq(backend.usable, 0);
    ck_assert_ptr_null(balancer_next(backend.balancers[0], &any));
    ck_assert(balancer_is_empty(backend.balancers[0]));
    ck_assert_int_eq(server_set_address(server, &address), 0);
    ck_assert_ptr_eq(balancer_next(backend.balancers[0], &any), server);
    ck_assert(has_address(server, &address));

    ck_assert_ptr_nonnull(backend_add(&backend, &server_conf, "later", NULL));
    ck_assert_uint_eq(backend.usable, 1);
    ck_assert_ptr_eq(balancer_next(backend.balancers[0], &any), server);
    ck_assert_int_eq(server_set_address(at(1), &address), 0);
    ck_assert_uint_eq(backend.usable, 2);
    backend_close(&backend);
}
END_TEST

START_TEST(sessions_are_the_sum_over_workers)
{
    struct reclaimer reclaimer = {0};
    const struct config config = {.backends = &conf, .backend_count = 1};
    ck_assert_int_eq(backend_open(&backend, &conf, 3, &reclaimer), 0);
    struct stats stats;
    ck_assert_int_eq(stats_open(&stats, &config, 1, 3), 0);
    backend_count(&backend, &stats.tally, 0);
    for (unsigned i = 0; i < 3; i++) {
        atomic_uint_fast64_t *record = tally_server(&stats.tally, i, at(0)->record);
        counter_add(&record[COUNTER_OF(server_figures, live)], i);
        counter_add(&record[COUNTER_OF(server_figures, sessions)], 10 * i);
    }
    struct server_sessions sessions = server_count_sessions(at(0));
    ck_assert_uint_eq(sessions.live, 3);
    ck_assert_uint_eq(sessions.all, 30);
    backend_close(&backend);
    stats_close(&stats);
}
END_TEST

Suite *backend_suite(void)
{
    Suite *suite = suite_create("backend");
    TCase *tcase = tcase_create("backend");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, an_address_changes_while_workers_read_it);
    tcase_add_test(tcase, servers_are_added_while_workers_choose);
    tcase_add_loop_test(tcase, servers_come_and_go_while_workers_choose, 0,
                        sizeof balances / sizeof *balances);
    tcase_add_test(tcase, a_server_without_address_gets_no_connection);
    tcase_add_test(tcase, sessions_are_the_sum_over_workers);
    suite_add_tcase(suite, tcase);
    return suite;
}
