#include "proxy/backend/backend.h"
#include "tests/unit/suites.h"

#include <check.h>
#include <stdlib.h>

#define MOST 64

static char name[] = "b";
static struct server_conf servers[MOST];
static struct backend_conf conf;
static struct backend backend;
static struct reclaimer reclaimer;

#define NONE UINT32_MAX

static struct server *at(size_t place)
{
    return backend_servers(&backend)->list[place];
}

/* Returns the index of the chosen server, which is not one of `tried`, or NONE. */
static uint32_t next(struct balancer *balancer, const uint32_t *tried, size_t tried_count)
{
    struct server *list[MOST];
    for (size_t i = 0; i < tried_count; i++)
        list[i] = at(tried[i]);
    const struct choice choice = {.tried = list, .tried_count = tried_count};
    const struct server *server = balancer_next(balancer, &choice);
    return server ? server->place : NONE;
}

static struct balancer *open_with(const unsigned *weights, size_t count, unsigned offset)
{
    for (size_t i = 0; i < count; i++)
        servers[i] = (struct server_conf){.name = name, .weight = weights[i]};
    conf = (struct backend_conf){
        .name = name, .servers = servers, .server_count = count, .check.rise = 1, .check.fall = 1};
    backend_close(&backend);
    ck_assert_int_eq(backend_open(&backend, &conf, 1, &reclaimer), 0);
    struct balancer *balancer = balancer_new(&backend, offset);
    ck_assert_ptr_nonnull(balancer);
    return balancer;
}

START_TEST(equal_weights_take_turns)
{
    struct balancer *balancer = open_with((const unsigned[]){1, 1, 1}, 3, 0);
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < 3; i++)
            ck_assert_uint_eq(next(balancer, NULL, 0), i);
    balancer_free(balancer);
}
END_TEST

START_TEST(weights_are_shares)
{
    const unsigned weights[] = {5, 1, 256, 16, 7};
    struct balancer *balancer = open_with(weights, 5, 0);
    unsigned got[5] = {0}, sum = 0;
    for (size_t i = 0; i < 5; i++)
        sum += weights[i];
    for (unsigned i = 0; i < 100 * sum; i++)
        got[next(balancer, NULL, 0)]++;
    for (size_t i = 0; i < 5; i++) {
        ck_assert_uint_ge(got[i], 100 * weights[i] - 1 - weights[i] / 10);
        ck_assert_uint_le(got[i], 100 * weights[i] + 1 + weights[i] / 10);
    }
    balancer_free(balancer);
}
END_TEST

/* After each cycle (so many turns as the sum of the weights) each server has had exactly as many as
 * its weight, wherever the cycle begins. */
START_TEST(each_cycle_is_exact)
{
    srand(1);
    for (unsigned n = 0; n < 60; n++) {
        unsigned weights[MOST], got[MOST] = {0}, turns[2048], sum = 0;
        size_t count = 1 + (size_t)rand() % 12;
        for (size_t i = 0; i < count; i++)
            sum += weights[i] = n % 4 == 0 ? 1 + (unsigned)rand() % 100 : 1 + (unsigned)rand() % 9;
        struct balancer *balancer = open_with(weights, count, n % 5);
        for (unsigned i = 0; i < sum; i++)
            got[turns[i] = next(balancer, NULL, 0)]++;
        bool exact = true;
        for (unsigned i = 0; i < 5 * sum; i++) {
            for (size_t j = 0; j < count; j++)
                exact &= got[j] == weights[j];
            got[turns[i % sum]]--;
            got[turns[i % sum] = next(balancer, NULL, 0)]++;
        }
        ck_assert(exact);
        balancer_free(balancer);
    }
}
END_TEST

START_TEST(turns_interleave)
{
    struct balancer *balancer = open_with((const unsigned[]){4, 2}, 2, 0);
    unsigned in_a_row = 0;
    for (unsigned i = 0; i < 60; i++) {
        in_a_row = next(balancer, NULL, 0) == 0 ? in_a_row + 1 : 0;
        ck_assert_uint_le(in_a_row, 3);
    }
    balancer_free(balancer);
}
END_TEST

START_TEST(weight_zero_is_never_chosen)
{
    struct balancer *balancer = open_with((const unsigned[]){0, 3, 0}, 3, 1);
    for (unsigned i = 0; i < 20; i++)
        ck_assert_uint_eq(next(balancer, NULL, 0), 1);
    balancer_free(balancer);

    balancer = open_with((const unsigned[]){0}, 1, 3);
    ck_assert_uint_eq(next(balancer, NULL, 0), NONE);
    balancer_free(balancer);
}
END_TEST

START_TEST(tried_servers_are_skipped_and_keep_their_turn)
{
    struct balancer *balancer = open_with((const unsigned[]){1, 1, 1, 1}, 4, 0);
    const uint32_t tried[] = {0, 1, 2, 3};
    ck_assert_uint_eq(next(balancer, tried, 2), 2);
    ck_assert_uint_eq(next(balancer, tried, 3), 3);
    ck_assert_uint_eq(next(balancer, tried, 4), NONE);
    ck_assert_uint_eq(next(balancer, NULL, 0), 0);
    ck_assert_uint_eq(next(balancer, NULL, 0), 1);
    balancer_free(balancer);
}
END_TEST

START_TEST(offset_staggers)
{
    struct balancer *first = open_with((const unsigned[]){1, 1, 1}, 3, 0);
    struct balancer *second = balancer_new(&backend, 1);
    ck_assert_ptr_nonnull(second);
    ck_assert_uint_eq(next(first, NULL, 0), 0);
    ck_assert_uint_eq(next(second, NULL, 0), 1);
    balancer_free(first);
    balancer_free(second);
}
END_TEST

/* Counts how often each server is chosen. */
static void count_choices(struct balancer *balancer, unsigned choices, unsigned got[static MOST])
{
    for (size_t i = 0; i < MOST; i++)
        got[i] = 0;
    for (unsigned i = 0; i < choices; i++) {
        uint32_t place = next(balancer, NULL, 0);
        ck_assert_uint_lt(place, MOST);
        got[place]++;
    }
}

START_TEST(unusable_servers_are_skipped)
{
    unsigned got[MOST];
    struct balancer *balancer = open_with((const unsigned[]){1, 1, 1, 1}, 4, 0);
    count_choices(balancer, 6, got);
    server_set_admin(at(1), ADMIN_MAINT);
    server_set_admin(at(2), ADMIN_DRAIN);
    count_choices(balancer, 100, got);
    ck_assert_uint_eq(got[0], 50);
    ck_assert_uint_eq(got[3], 50);
    ck_assert_uint_eq(next(balancer, (const uint32_t[]){0, 3}, 2), NONE);
    ck_assert(!balancer_is_empty(balancer));

    server_set_admin(at(0), ADMIN_MAINT);
    server_set_admin(at(3), ADMIN_MAINT);
    ck_assert_uint_eq(next(balancer, NULL, 0), NONE);
    ck_assert(balancer_is_empty(balancer));
    server_set_admin(at(2), ADMIN_READY);
    ck_assert_uint_eq(next(balancer, NULL, 0), 2);
    balancer_free(balancer);
}
END_TEST

START_TEST(a_server_that_returns_does_not_catch_up)
{
    unsigned got[MOST];
    struct balancer *balancer = open_with((const unsigned[]){1, 1, 1}, 3, 0);
    server_set_admin(at(1), ADMIN_MAINT);
    count_choices(balancer, 10000, got);
    server_set_admin(at(1), ADMIN_READY);
    for (unsigned round = 0; round < 10; round++) {
        count_choices(balancer, 3, got);
        for (unsigned i = 0; i < 3; i++)
            ck_assert_uint_eq(got[i], 1);
    }
    balancer_free(balancer);
}
END_TEST

START_TEST(weights_change_at_run_time)
{
    unsigned got[MOST];
    struct balancer *balancer = open_with((const unsigned[]){1, 1}, 2, 0);
    count_choices(balancer, 4, got);
    server_set_weight(at(0), 256);
    count_choices(balancer, 257 * 4, got);
    ck_assert_uint_ge(got[1], 3);
    ck_assert_uint_le(got[1], 5);
    server_set_weight(at(0), 3);
    count_choices(balancer, 400, got);
    ck_assert_uint_ge(got[0], 298);
    ck_assert_uint_le(got[0], 302);
    server_set_weight(at(1), 0);
    count_choices(balancer, 20, got);
    ck_assert_uint_eq(got[0], 20);
    balancer_free(balancer);
}
END_TEST

/* Half of the servers leave and return repeatedly: the others get equal shares. */
START_TEST(fair_to_servers_that_stay)
{
    unsigned weights[MOST], got[MOST] = {0};
    for (size_t i = 0; i < MOST; i++)
        weights[i] = 1;
    struct balancer *balancer = open_with(weights, MOST, 0);
    for (unsigned i = 0; i < 64 * MOST; i++) {
        struct server *flapping = at(MOST / 2 + i % (MOST / 2));
        server_set_admin(flapping, flapping->now.admin == ADMIN_READY ? ADMIN_MAINT : ADMIN_READY);
        uint32_t place = next(balancer, NULL, 0);
        ck_assert_uint_gt(server_share(at(place)), 0);
        got[place]++;
    }
    for (size_t i = 1; i < MOST / 2; i++) {
        ck_assert_uint_ge(got[i] + 1, got[0]);
        ck_assert_uint_le(got[i], got[0] + 1);
    }
    balancer_free(balancer);
}
END_TEST

/* An added server takes part from then on, and does not catch up. */
START_TEST(a_server_that_is_added_takes_part)
{
    unsigned got[MOST];
    struct balancer *balancer = open_with((const unsigned[]){1, 1}, 2, 0);
    count_choices(balancer, 100, got);
    ck_assert_ptr_eq(backend_add(&backend, &servers[0], "new", &servers[0].address), at(2));
    count_choices(balancer, 300, got);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_uint_ge(got[i], 99);
        ck_assert_uint_le(got[i], 101);
    }
    balancer_free(balancer);
}
END_TEST

Suite *balance_suite(void)
{
    Suite *suite = suite_create("balance");
    TCase *tcase = tcase_create("roundrobin");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, equal_weights_take_turns);
    tcase_add_test(tcase, weights_are_shares);
    tcase_add_test(tcase, each_cycle_is_exact);
    tcase_add_test(tcase, turns_interleave);
    tcase_add_test(tcase, weight_zero_is_never_chosen);
    tcase_add_test(tcase, tried_servers_are_skipped_and_keep_their_turn);
    tcase_add_test(tcase, offset_staggers);
    suite_add_tcase(suite, tcase);
    TCase *changes = tcase_create("changes");
    tcase_add_test(changes, unusable_servers_are_skipped);
    tcase_add_test(changes, a_server_that_returns_does_not_catch_up);
    tcase_add_test(changes, weights_change_at_run_time);
    tcase_add_test(changes, a_server_that_is_added_takes_part);
    tcase_add_test(changes, fair_to_servers_that_stay);
    suite_add_tcase(suite, changes);
    return suite;
}
