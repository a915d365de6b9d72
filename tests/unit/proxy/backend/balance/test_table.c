/* The tables of the algorithms with keys: shares, and what moves when servers change. */
#include "proxy/backend/balance/draw.h"
#include "proxy/backend/balance/key.h"
#include "proxy/backend/balance/table.h"
#include "tests/unit/suites.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 1000 };

static char names[MOST][32];
static struct table_server servers[MOST];

static void name_servers(size_t count, uint32_t weight)
{
    for (size_t i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "server-%zu", i);
        servers[i] = (struct table_server){names[i], weight};
    }
}

/* Counts the slots of each server. */
static void count_slots(const struct balance_table *table, unsigned got[static MOST])
{
    memset(got, 0, MOST * sizeof *got);
    for (uint32_t i = 0; i < table->size; i++) {
        if (table->slots[i] >= MOST)
            ck_abort_msg("slot %u has no server", i);
        got[table->slots[i]]++;
    }
}

static struct balance_table *maglev(size_t count, uint32_t size)
{
    struct balance_table *table = table_maglev(servers, count, size);
    ck_assert_ptr_nonnull(table);
    ck_assert_uint_eq(table->size, size);
    return table;
}

/* The worst server has as many slots as the best, but for a few: each takes its turn. */
START_TEST(maglev_gives_equal_shares)
{
    unsigned got[MOST];
    const size_t counts[] = {1, 2, 3, 7, 100, 655};
    for (size_t n = 0; n < sizeof counts / sizeof *counts; n++) {
        name_servers(counts[n], 7);
        struct balance_table *table = maglev(counts[n], 65537);
        count_slots(table, got);
        for (size_t i = 0; i < counts[n]; i++) {
            ck_assert_uint_ge(got[i], (unsigned)(65537 / counts[n]));
            ck_assert_uint_le(got[i], (unsigned)(65537 / counts[n] + 1));
        }
        free(table);
    }
}
END_TEST

START_TEST(maglev_gives_weighted_shares)
{
    unsigned got[MOST];
    const unsigned weights[] = {1, 2, 0, 16, 256};
    name_servers(5, 0);
    for (size_t i = 0; i < 5; i++)
        servers[i].weight = weights[i];
    uint32_t size = table_maglev_size(servers, 5);
    struct balance_table *table = maglev(5, size);
    count_slots(table, got);
    for (size_t i = 0; i < 5; i++) {
        ck_assert_uint_ge((uint64_t)got[i] * 275 + 275, (uint64_t)weights[i] * size);
        ck_assert_uint_le((uint64_t)got[i] * 275, (uint64_t)weights[i] * size + 2 * 275);
    }
    free(table);
}
END_TEST

/* Slots whose server is another one, by names. */
static unsigned count_moved(const struct balance_table *before, const struct table_server *old,
                            const struct balance_table *after, const char *but)
{
    unsigned moved = 0;
    for (uint32_t i = 0; i < before->size; i++) {
        const char *from = old[before->slots[i]].name, *to = servers[after->slots[i]].name;
        moved += strcmp(from, but) != 0 && strcmp(to, but) != 0 && strcmp(from, to) != 0;
    }
    return moved;
}

/* One of N goes: its slots go to the others, and of the rest few move (the paper's figure 12: about
 * two of a hundred at this size). */
START_TEST(maglev_moves_little)
{
    static struct table_server old[MOST];
    const size_t counts[] = {3, 10, 100, 600};
    for (size_t n = 0; n < sizeof counts / sizeof *counts; n++) {
        size_t count = counts[n], gone = count / 2;
        name_servers(count, 1);
        memcpy(old, servers, sizeof old);
        struct balance_table *before = maglev(count, 65537);
        memmove(&servers[gone], &servers[gone + 1], (count - gone - 1) * sizeof *servers);
        struct balance_table *after = maglev(count - 1, 65537);
        ck_assert_uint_le(count_moved(before, old, after, old[gone].name), 65537 * 4 / 100);
        free(before);
        free(after);
    }
}
END_TEST

START_TEST(maglev_does_not_depend_on_the_order)
{
    name_servers(50, 3);
    struct balance_table *one = maglev(50, 16381);
    struct table_server reversed[50];
    for (size_t i = 0; i < 50; i++)
        reversed[i] = servers[49 - i];
    struct balance_table *other = table_maglev(reversed, 50, 16381);
    ck_assert_ptr_nonnull(other);
    unsigned others = 0;
    for (uint32_t i = 0; i < 16381; i++)
        others += strcmp(servers[one->slots[i]].name, reversed[other->slots[i]].name) != 0;
    ck_assert_uint_eq(others, 0);
    free(one);
    free(other);
}
END_TEST

/* Tables of other builds of this program, and of other machines, are the same as this one. */
START_TEST(maglev_is_the_same_everywhere)
{
    static const char *const known[] = {"a", "b", "c"};
    for (size_t i = 0; i < 3; i++)
        servers[i] = (struct table_server){known[i], (uint32_t)i + 1};
    struct balance_table *table = maglev(3, 1021);
    char begin[33] = "";
    for (size_t i = 0; i < 32; i++)
        begin[i] = known[table->slots[i]][0];
    ck_assert_str_eq(begin, "bcbacbcbccaaaccbcaccbbcbccbcbccb");
    free(table);
}
END_TEST

START_TEST(maglev_sizes_are_primes_with_room)
{
    name_servers(MOST, 1);
    for (size_t count = 0; count <= MOST; count = 3 * count + 1) {
        uint32_t size = table_maglev_size(servers, count);
        for (uint32_t i = 2; i * i <= size; i++)
            ck_assert_uint_ne(size % i, 0);
        ck_assert_uint_ge(size, 100 * count);
    }
    name_servers(2, 256); /* weights are compared, not counted */
    ck_assert_uint_eq(table_maglev_size(servers, 2), 1021);
}
END_TEST

START_TEST(nobody_has_a_weight)
{
    name_servers(3, 0);
    struct balance_table *table = table_maglev(servers, 3, 1021);
    ck_assert_uint_eq(table->size, 0);
    free(table);
    table = table_map(servers, 3);
    ck_assert_uint_eq(table->size, 0);
    free(table);
    table = table_map(NULL, 0);
    ck_assert_uint_eq(table->size, 0);
    free(table);
}
END_TEST

START_TEST(a_map_has_exact_shares)
{
    unsigned got[MOST];
    name_servers(3, 0);
    servers[0].weight = 100;
    servers[2].weight = 700;
    struct balance_table *table = table_map(servers, 3);
    ck_assert_uint_eq(table->size, 8);
    count_slots(table, got);
    ck_assert_uint_eq(got[0], 1);
    ck_assert_uint_eq(got[1], 0);
    ck_assert_uint_eq(got[2], 7);
    free(table);

    name_servers(MOST, 25600);
    servers[0].weight = 1; /* what it has in common with the others is little */
    table = table_map(servers, MOST);
    ck_assert_uint_le(table->size, TABLE_MAP_MOST + MOST);
    count_slots(table, got);
    for (size_t i = 0; i < MOST; i++)
        ck_assert_uint_ge(got[i], 1);
    free(table);
}
END_TEST

/* A server with a part of its weight has a part of its keys, and keeps them when it has more. */
START_TEST(a_map_gives_parts)
{
    name_servers(1, 400);
    struct balance_table *table = table_map(servers, 1);
    for (uint64_t i = 1; i <= 1000; i++) {
        uint64_t key = i * UINT64_C(0x9e3779b97f4a7c15);
        bool given = false;
        for (uint32_t share = 0; share <= 400; share += 40) {
            bool gives = table_gives(table, 0, key, share);
            ck_assert(gives || !given);
            given = gives;
        }
        ck_assert(given);
        ck_assert(!table_gives(table, 0, key, 0));
    }
    free(table);
}
END_TEST

static uint64_t source_key(const char *host, unsigned prefix)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = (in_port_t)rand()};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = (in_port_t)rand()};
    if (inet_pton(AF_INET, host, &in.sin_addr) == 1)
        return key_of_source((struct sockaddr *)&in, prefix);
    ck_assert_int_eq(inet_pton(AF_INET6, host, &in6.sin6_addr), 1);
    return key_of_source((struct sockaddr *)&in6, prefix);
}

START_TEST(keys_of_sources)
{
    ck_assert_uint_eq(source_key("192.0.2.1", 64), source_key("192.0.2.1", 1));
    ck_assert_uint_ne(source_key("192.0.2.1", 64), source_key("192.0.2.2", 64));
    ck_assert_uint_eq(source_key("192.0.2.1", 64), source_key("::ffff:192.0.2.1", 64));
    ck_assert_uint_eq(source_key("2001:db8::1", 64), source_key("2001:db8::ffff:0:0:2", 64));
    ck_assert_uint_ne(source_key("2001:db8::1", 64), source_key("2001:db8:0:1::1", 64));
    ck_assert_uint_ne(source_key("2001:db8::1", 128), source_key("2001:db8::2", 128));
    ck_assert_uint_eq(source_key("2001:db8::1", 127), source_key("2001:db8::", 127));
    ck_assert_uint_eq(source_key("2001:db8::1", 61), source_key("2001:db8:0:7::1", 61));
    ck_assert_uint_ne(source_key("2001:db8::1", 61), source_key("2001:db8:0:8::1", 61));
    const struct sockaddr unknown = {.sa_family = AF_UNIX};
    ck_assert_uint_eq(key_of_source(&unknown, 64), 0);
    ck_assert_uint_eq(key_of_destination(&unknown), 0);
}
END_TEST

START_TEST(keys_of_destinations_and_names)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = 80}, b = a;
    ck_assert_uint_eq(key_of_destination((struct sockaddr *)&a),
                      key_of_destination((struct sockaddr *)&b));
    b.sin_port = 81;
    ck_assert_uint_ne(key_of_destination((struct sockaddr *)&a),
                      key_of_destination((struct sockaddr *)&b));
    ck_assert_uint_eq(key_of_name("a.example"), key_of_name("a.example"));
    ck_assert_uint_ne(key_of_name("a.example"), key_of_name("b.example"));
    ck_assert_uint_ne(key_of_name(""), 0);
}
END_TEST

START_TEST(draws_are_in_proportion)
{
    const uint32_t weights[] = {1, 5, 25600, 7000, 100, 2};
    enum { DRAWS = 1000000 };
    uint64_t sum = 0;
    unsigned got[6] = {0};
    struct draw draw = {.state = 42};
    ck_assert(draw_set(&draw, weights, 6));
    for (size_t i = 0; i < 6; i++)
        sum += weights[i];
    for (unsigned i = 0; i < DRAWS; i++)
        got[draw_one(&draw)]++;
    for (size_t i = 0; i < 6; i++) {
        double expected = (double)weights[i] * DRAWS / (double)sum;
        double off = (double)got[i] - expected;
        ck_assert_double_lt(off * off, 36 * expected + 36); /* six times the standard deviation */
    }
    ck_assert(draw_set(&draw, weights, 1));
    ck_assert_uint_eq(draw_one(&draw), 0);
    draw_free(&draw);
}
END_TEST

START_TEST(two_drawn_ones_differ)
{
    const uint32_t weights[] = {25600, 1, 1};
    struct draw draw = {.state = 42};
    size_t items[2];
    ck_assert(draw_set(&draw, weights, 3));
    unsigned wrong = 0;
    for (unsigned i = 0; i < 10000; i++) {
        draw_two(&draw, items);
        wrong += items[0] == items[1] || items[0] >= 3 || items[1] >= 3;
    }
    ck_assert_uint_eq(wrong, 0);
    ck_assert(draw_set(&draw, weights, 1));
    draw_two(&draw, items);
    ck_assert(items[0] == 0 && items[1] == 0);
    draw_free(&draw);
}
END_TEST

Suite *balance_table_suite(void)
{
    Suite *suite = suite_create("balance_table");
    TCase *tcase = tcase_create("tables");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, maglev_gives_equal_shares);
    tcase_add_test(tcase, maglev_gives_weighted_shares);
    tcase_add_test(tcase, maglev_moves_little);
    tcase_add_test(tcase, maglev_does_not_depend_on_the_order);
    tcase_add_test(tcase, maglev_is_the_same_everywhere);
    tcase_add_test(tcase, maglev_sizes_are_primes_with_room);
    tcase_add_test(tcase, nobody_has_a_weight);
    tcase_add_test(tcase, a_map_has_exact_shares);
    tcase_add_test(tcase, a_map_gives_parts);
    suite_add_tcase(suite, tcase);
    TCase *keys = tcase_create("keys");
    tcase_add_test(keys, keys_of_sources);
    tcase_add_test(keys, keys_of_destinations_and_names);
    tcase_add_test(keys, draws_are_in_proportion);
    tcase_add_test(keys, two_drawn_ones_differ);
    suite_add_tcase(suite, keys);
    return suite;
}
