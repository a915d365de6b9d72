#include "proxy/balance.h"
#include "tests/unit/suites.h"

#include <check.h>
#include <stdlib.h>

#define MOST 64

static struct server_conf servers[MOST];

static struct balancer open_with(const unsigned *weights, size_t count, unsigned offset)
{
    static struct backend_conf backend;
    for (size_t i = 0; i < count; i++)
        servers[i].weight = weights[i];
    backend = (struct backend_conf){.servers = servers, .server_count = count};
    struct balancer balancer;
    ck_assert_int_eq(balancer_open(&balancer, &backend, offset), 0);
    return balancer;
}

START_TEST(equal_weights_take_turns)
{
    struct balancer balancer = open_with((const unsigned[]){1, 1, 1}, 3, 0);
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < 3; i++)
            ck_assert_uint_eq(balancer_next(&balancer, NULL, 0), i);
    balancer_close(&balancer);
}
END_TEST

START_TEST(weights_are_shares)
{
    const unsigned weights[] = {5, 1, 256, 16, 7};
    struct balancer balancer = open_with(weights, 5, 0);
    unsigned got[5] = {0}, sum = 0;
    for (size_t i = 0; i < 5; i++)
        sum += weights[i];
    for (unsigned i = 0; i < 100 * sum; i++)
        got[balancer_next(&balancer, NULL, 0)]++;
    for (size_t i = 0; i < 5; i++) {
        ck_assert_uint_ge(got[i], 100 * weights[i] - 1 - weights[i] / 10);
        ck_assert_uint_le(got[i], 100 * weights[i] + 1 + weights[i] / 10);
    }
    balancer_close(&balancer);
}
END_TEST

START_TEST(turns_interleave)
{
    struct balancer balancer = open_with((const unsigned[]){4, 2}, 2, 0);
    unsigned in_a_row = 0;
    for (unsigned i = 0; i < 60; i++) {
        in_a_row = balancer_next(&balancer, NULL, 0) == 0 ? in_a_row + 1 : 0;
        ck_assert_uint_le(in_a_row, 3);
    }
    balancer_close(&balancer);
}
END_TEST

START_TEST(weight_zero_is_never_chosen)
{
    struct balancer balancer = open_with((const unsigned[]){0, 3, 0}, 3, 1);
    for (unsigned i = 0; i < 20; i++)
        ck_assert_uint_eq(balancer_next(&balancer, NULL, 0), 1);
    balancer_close(&balancer);

    balancer = open_with((const unsigned[]){0}, 1, 3);
    ck_assert_uint_eq(balancer_next(&balancer, NULL, 0), BALANCE_NONE);
    balancer_close(&balancer);
}
END_TEST

START_TEST(tried_servers_are_passed_over_and_keep_their_turn)
{
    struct balancer balancer = open_with((const unsigned[]){1, 1, 1, 1}, 4, 0);
    const uint32_t tried[] = {0, 1, 2, 3};
    ck_assert_uint_eq(balancer_next(&balancer, tried, 2), 2);
    ck_assert_uint_eq(balancer_next(&balancer, tried, 3), 3);
    ck_assert_uint_eq(balancer_next(&balancer, tried, 4), BALANCE_NONE);
    ck_assert_uint_eq(balancer_next(&balancer, NULL, 0), 0);
    ck_assert_uint_eq(balancer_next(&balancer, NULL, 0), 1);
    balancer_close(&balancer);
}
END_TEST

START_TEST(offset_staggers)
{
    struct balancer first = open_with((const unsigned[]){1, 1, 1}, 3, 0);
    struct balancer second;
    ck_assert_int_eq(balancer_open(&second, first.backend, 1), 0);
    ck_assert_uint_eq(balancer_next(&first, NULL, 0), 0);
    ck_assert_uint_eq(balancer_next(&second, NULL, 0), 1);
    balancer_close(&first);
    balancer_close(&second);
}
END_TEST

Suite *balance_suite(void)
{
    Suite *suite = suite_create("balance");
    TCase *tcase = tcase_create("roundrobin");
    tcase_add_test(tcase, equal_weights_take_turns);
    tcase_add_test(tcase, weights_are_shares);
    tcase_add_test(tcase, turns_interleave);
    tcase_add_test(tcase, weight_zero_is_never_chosen);
    tcase_add_test(tcase, tried_servers_are_passed_over_and_keep_their_turn);
    tcase_add_test(tcase, offset_staggers);
    suite_add_tcase(suite, tcase);
    return suite;
}
