/* The seats of servers: who has one, and how many places a slow start allows. */
#include "config/load.h"
#include "proxy/backend/backend.h"
#include "proxy/backend/queue.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"

#include <check.h>

static struct config *config;
static struct stats stats;
static struct reclaimer reclaimer;
static struct backend limited, plain;

static void setup(void)
{
    folder_make();
    config = load_good("[frontend web]\nbind = 127.0.0.1:1\nbackend = limited\n"
                       "[backend limited]\nserver = a 127.0.0.1:3 maxconn=10\n"
                       "server = b 127.0.0.1:4\nmax-queue = 3\n"
                       "[backend plain]\nserver = c 127.0.0.1:5\n");
    ck_assert_int_eq(stats_open(&stats, config, 1, 1), 0);
    ck_assert_int_eq(backend_open(&limited, &config->backends[0], 1, &reclaimer), 0);
    ck_assert_int_eq(backend_open(&plain, &config->backends[1], 1, &reclaimer), 0);
    ck_assert_int_eq(queue_open(&limited, &stats), 0);
    ck_assert_int_eq(queue_open(&plain, &stats), 0);
}

static void teardown(void)
{
    queue_close(&limited);
    queue_close(&plain);
    backend_close(&limited);
    backend_close(&plain);
    stats_close(&stats);
    config_free(config);
    folder_remove();
}

START_TEST(only_a_backend_with_maxconn_has_a_queue)
{
    ck_assert_ptr_null(plain.queue);
    ck_assert_ptr_null(backend_find(&plain, "c")->seat);
    ck_assert(!server_is_full(backend_find(&plain, "c")));
    ck_assert_ptr_nonnull(limited.queue);
    ck_assert_uint_eq(limited.queue->pool.most, 3);
    const struct seat *seat = backend_find(&limited, "a")->seat;
    ck_assert_ptr_ne(seat->record, &seat->own); /* in the shared stats */
    ck_assert_uint_eq(seat->record->maxconn, 10);
    ck_assert(server_is_full(backend_find(&limited, "a"))); /* before queue_allow() */
    ck_assert_uint_eq(backend_find(&limited, "b")->seat->record->maxconn, LIMIT_NONE);
}
END_TEST

START_TEST(an_added_server_has_one_seat)
{
    const struct address *address = &config->backends[0].servers[0].address;
    struct server *server =
        backend_add(&limited, &config->backends[0].servers[0], "added", address);
    ck_assert_ptr_nonnull(server);
    ck_assert_ptr_nonnull(server->seat);
    ck_assert_ptr_eq(server->seat->record, &server->seat->own); /* the stats have no room for it */
    unsigned seats = 0;
    const struct pool_member *member;
    STAILQ_FOREACH (member, &limited.queue->pool.members, next)
        seats += member->owner == server;
    ck_assert_uint_eq(seats, 1);
    ck_assert_uint_eq(server->seat->member.limit->max, 10);
    ck_assert(server->seat->member.usable);
}
END_TEST

START_TEST(a_slow_start_allows_a_part)
{
    struct server *server = backend_find(&limited, "a");
    limited.queue->alone = true;
    queue_on_share(server, 5);
    ck_assert_uint_eq(server->seat->record->maxconn, 1);
    ck_assert_uint_eq(server->seat->member.limit->max, 1);
    queue_on_share(server, 55);
    ck_assert_uint_eq(server->seat->member.limit->max, 6);
    limited.queue->alone = false; /* another process has a share: the next look decides */
    queue_on_share(server, 100);
    ck_assert_uint_eq(server->seat->record->maxconn, 10);
    ck_assert_uint_eq(server->seat->member.limit->max, 6);
}
END_TEST

START_TEST(a_command_sets_maxconn)
{
    struct server *server = backend_find(&limited, "a");
    limited.queue->alone = true;
    ck_assert_uint_eq(server_maxconn(server), 10);
    ck_assert(server_set_maxconn(server, 3));
    ck_assert_uint_eq(server_maxconn(server), 3);
    ck_assert_uint_eq(server->seat->record->maxconn, 3);
    ck_assert_uint_eq(server->seat->member.limit->max, 3);
    ck_assert(server_set_maxconn(server, 0));
    ck_assert_uint_eq(server_maxconn(server), 0);
    ck_assert_uint_eq(server->seat->record->maxconn, LIMIT_NONE);
}
END_TEST

START_TEST(a_server_in_maint_is_not_usable)
{
    struct server *server = backend_find(&limited, "a");
    ck_assert(server->seat->member.usable);
    server_set_admin(server, ADMIN_MAINT);
    ck_assert(!server->seat->member.usable);
    server_set_admin(server, ADMIN_READY);
    ck_assert(server->seat->member.usable);
    server_set_weight(server, 0);
    ck_assert(!server->seat->member.usable);
}
END_TEST

Suite *queue_suite(void)
{
    Suite *suite = suite_create("queue");
    TCase *tcase = tcase_create("seats");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, only_a_backend_with_maxconn_has_a_queue);
    tcase_add_test(tcase, an_added_server_has_one_seat);
    tcase_add_test(tcase, a_slow_start_allows_a_part);
    tcase_add_test(tcase, a_server_in_maint_is_not_usable);
    tcase_add_test(tcase, a_command_sets_maxconn);
    suite_add_tcase(suite, tcase);
    return suite;
}
