#include "config/lists/prefix_tree.h"
#include "tests/unit/suites.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* --- prefixes ------------------------------------------------------------------------------ */

START_TEST(prefixes_are_read_and_written)
{
    static const char *const pairs[][2] = {
        {"10.0.0.0/8", "10.0.0.0/8"},
        {"10.1.2.3/8", "10.0.0.0/8"},
        {"10.1.2.3", "10.1.2.3"},
        {"10.1.2.3/32", "10.1.2.3"},
        {"0.0.0.0/0", "0.0.0.0/0"},
        {"192.168.1.7/255.255.255.0", "192.168.1.0/24"},
        {"192.168.1.7/0.0.0.0", "0.0.0.0/0"},
        {"1.2.3.4/255.255.255.255", "1.2.3.4"},
        {"2001:db8::/32", "2001:db8::/32"},
        {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
        {"[2001:db8::1]", "2001:db8::1"},
        {"[2001:db8::1]/64", "2001:db8::/64"},
        {"2001:db8::1/65", "2001:db8::/65"},
        {"::/0", "::/0"},
        {"::1", "::1"},
        {"::ffff:10.1.2.3", "10.1.2.3"},
        {"::ffff:10.1.2.3/104", "10.0.0.0/8"},
        {"::ffff:0:0/96", "0.0.0.0/0"},
        {"::ffff:0:0/95", "::fffe:0:0/95"},
        {"::10.1.2.3", "::10.1.2.3"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct prefix prefix;
        char text[PREFIX_TEXT_MAX];
        ck_assert_msg(!prefix_parse(pairs[i][0], &prefix), "%s", pairs[i][0]);
        ck_assert_str_eq(prefix_format(&prefix, text), pairs[i][1]);
    }
}
END_TEST

START_TEST(what_is_no_prefix_is_refused)
{
    static const char *const texts[] = {
        "",
        "/",
        "10",
        "10.0.0",
        "10.0.0.0/",
        "10.0.0/8",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/+1",
        "10.0.0.0/8 ",
        " 10.0.0.0",
        "10.0.0.256",
        "::/129",
        "::/",
        "::1%lo",
        "[::1",
        "::1]",
        "[]",
        "[10.0.0.1]",
        "10.0.0.0/255.0.255.0",
        "any",
        "localhost",
        "10.0.0.0/08x",
        "10.0.0.0/8/8",
        "10.0.0.0/0.0.0.255",
        "1:2:3:4:5:6:7:8:9:10:11:12:13:14:15:16:17:18:19:20",
        "10.0.0.0/0000",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct prefix prefix = {.bits = 77};
        ck_assert_msg(prefix_parse(texts[i], &prefix) != NULL, "'%s'", texts[i]);
        ck_assert_uint_eq(prefix.bits, 77);
    }
}
END_TEST

/* --- the tree ------------------------------------------------------------------------------ */

static void add(struct prefix_entries *entries, const char *text, uint32_t value)
{
    struct prefix prefix;
    ck_assert_msg(!prefix_parse(text, &prefix), "%s", text);
    prefix_entries_add(entries, &prefix, value);
}

static uint32_t find(const struct prefix_tree *tree, const char *text)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(1234)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(1234)};
    if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
        return prefix_tree_find(tree, (const struct sockaddr *)&in);
    ck_assert_int_eq(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
    return prefix_tree_find(tree, (const struct sockaddr *)&in6);
}

START_TEST(the_longest_prefix_gives_the_value)
{
    struct prefix_entries entries = {0};
    add(&entries, "10.1.0.0/16", 2);
    add(&entries, "10.0.0.0/8", 1);
    add(&entries, "10.1.2.3", 3);
    add(&entries, "10.1.2.3", 4); /* the first counts */
    add(&entries, "255.255.255.255", 5);
    add(&entries, "0.0.0.0", 6);
    add(&entries, "2001:db8::/32", 7);
    add(&entries, "2001:db8::1", 8);
    add(&entries, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 9);
    struct prefix_tree *tree = prefix_tree_make(&entries, PREFIX_LONGEST);
    ck_assert_uint_eq(find(tree, "10.0.0.0"), 1);
    ck_assert_uint_eq(find(tree, "10.255.255.255"), 1);
    ck_assert_uint_eq(find(tree, "10.1.0.0"), 2);
    ck_assert_uint_eq(find(tree, "10.1.2.2"), 2);
    ck_assert_uint_eq(find(tree, "10.1.2.3"), 3);
    ck_assert_uint_eq(find(tree, "10.1.2.4"), 2);
    ck_assert_uint_eq(find(tree, "10.2.0.0"), 1);
    ck_assert_uint_eq(find(tree, "9.255.255.255"), PREFIX_NO_VALUE);
    ck_assert_uint_eq(find(tree, "11.0.0.0"), PREFIX_NO_VALUE);
    ck_assert_uint_eq(find(tree, "0.0.0.0"), 6);
    ck_assert_uint_eq(find(tree, "0.0.0.1"), PREFIX_NO_VALUE);
    ck_assert_uint_eq(find(tree, "255.255.255.255"), 5);
    ck_assert_uint_eq(find(tree, "255.255.255.254"), PREFIX_NO_VALUE);
    ck_assert_uint_eq(find(tree, "::ffff:10.1.2.3"), 3);
    ck_assert_uint_eq(find(tree, "::ffff:11.1.2.3"), PREFIX_NO_VALUE);
    ck_assert_uint_eq(find(tree, "2001:db8::"), 7);
    ck_assert_uint_eq(find(tree, "2001:db8::1"), 8);
    ck_assert_uint_eq(find(tree, "2001:db8::2"), 7);
    ck_assert_uint_eq(find(tree, "2001:db9::"), PREFIX_NO_VALUE);
    ck_assert_uint_eq(find(tree, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), 9);
    prefix_tree_free(tree);
    free(entries.items);
}
END_TEST

START_TEST(the_lowest_value_wins_where_a_list_has_an_order)
{
    struct prefix_entries entries = {0};
    add(&entries, "10.1.0.0/16", 0);
    add(&entries, "10.1.2.0/24", 1); /* never reached */
    add(&entries, "10.3.3.3", 2);
    add(&entries, "10.0.0.0/8", 3);
    add(&entries, "::/0", 4);
    struct prefix_tree *tree = prefix_tree_make(&entries, PREFIX_LOWEST);
    ck_assert_uint_eq(find(tree, "10.1.2.3"), 0);
    ck_assert_uint_eq(find(tree, "10.3.3.3"), 2);
    ck_assert_uint_eq(find(tree, "10.3.3.4"), 3);
    ck_assert_uint_eq(find(tree, "11.0.0.0"), PREFIX_NO_VALUE);
    ck_assert_uint_eq(find(tree, "::ffff:11.0.0.0"), PREFIX_NO_VALUE); /* IPv4, and not of ::/0 */
    ck_assert_uint_eq(find(tree, "::"), 4);
    prefix_tree_free(tree);
    free(entries.items);
}
END_TEST

START_TEST(an_empty_tree_and_other_families_have_no_value)
{
    struct prefix_entries entries = {0};
    struct prefix_tree *tree = prefix_tree_make(&entries, PREFIX_LONGEST);
    const struct sockaddr_storage local = {.ss_family = AF_UNIX};
    ck_assert_uint_eq(find(tree, "10.0.0.1"), PREFIX_NO_VALUE);
    ck_assert_uint_eq(find(tree, "::1"), PREFIX_NO_VALUE);
    ck_assert_uint_eq(prefix_tree_find(tree, (const struct sockaddr *)&local), PREFIX_NO_VALUE);
    prefix_tree_free(tree);
}
END_TEST

/* --- against a list that is searched from its beginning to its end ------------------------- */

static uint64_t random_bits(void)
{
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* Few different bits, so that prefixes often contain and touch each other. */
static struct address_bits random_address(bool is_ipv6, bool crowded)
{
    struct address_bits bits = {random_bits(), random_bits()};
    if (crowded) {
        bits.high = random_bits() % 4 ? bits.high & 0x0300000100000000u : UINT64_MAX;
        bits.low = random_bits() % 4 ? bits.low & 0x8000000000000003u : UINT64_MAX;
    }
    if (!is_ipv6)
        bits = (struct address_bits){.high = bits.high & ~UINT64_C(0xffffffff)};
    return bits;
}

static bool contains(const struct prefix *prefix, struct address_bits bits, bool is_ipv6)
{
    struct address_bits masked = address_bits_mask(bits, prefix->bits);
    return prefix->is_ipv6 == is_ipv6 && masked.high == prefix->first.high &&
           masked.low == prefix->first.low;
}

static uint32_t find_naively(const struct prefix_entry *list, size_t count, enum prefix_rule rule,
                             struct address_bits bits, bool is_ipv6)
{
    const struct prefix_entry *best = NULL;
    for (size_t i = 0; i < count; i++)
        if (contains(&list[i].prefix, bits, is_ipv6) &&
            (!best || (rule == PREFIX_LONGEST ? list[i].prefix.bits > best->prefix.bits
                                              : list[i].value < best->value)))
            best = &list[i];
    return best ? best->value : PREFIX_NO_VALUE;
}

static uint32_t find_bits(const struct prefix_tree *tree, struct address_bits bits, bool is_ipv6)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl((uint32_t)(bits.high >> 32))};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    uint64_t halves[2] = {htobe64(bits.high), htobe64(bits.low)};
    memcpy(&in6.sin6_addr, halves, sizeof halves);
    return prefix_tree_find(tree,
                            is_ipv6 ? (const struct sockaddr *)&in6 : (const struct sockaddr *)&in);
}

START_TEST(random_prefixes_give_what_a_naive_search_gives)
{
    static struct prefix_entry list[600];
    for (int round = 0; round < 400; round++) {
        struct prefix_entries entries = {0};
        enum prefix_rule rule = round % 2 ? PREFIX_LONGEST : PREFIX_LOWEST;
        bool crowded = round % 3 != 0;
        size_t count = random_bits() % (round % 8 ? 40 : 600);
        for (size_t i = 0; i < count; i++) {
            struct prefix prefix = {.is_ipv6 = random_bits() % 2};
            prefix.bits = (unsigned char)(random_bits() % (prefix.is_ipv6 ? 129 : 33));
            prefix.first = address_bits_mask(random_address(prefix.is_ipv6, crowded), prefix.bits);
            list[i] =
                (struct prefix_entry){.prefix = prefix, .value = (uint32_t)(random_bits() % 1000)};
            prefix_entries_add(&entries, &prefix, list[i].value);
        }
        struct prefix_tree *tree = prefix_tree_make(&entries, rule);
        for (int i = 0; i < 400; i++) {
            bool is_ipv6 = random_bits() % 2;
            struct address_bits bits = random_address(is_ipv6, crowded);
            if (count > 0 && i % 4 == 0) { /* the edges of what is in the list */
                const struct prefix *prefix = &list[random_bits() % count].prefix;
                is_ipv6 = prefix->is_ipv6;
                bits = prefix->first;
                if (i % 8 == 0 && is_ipv6)
                    bits.high -= bits.low-- == 0;
                else if (i % 8 == 0)
                    bits.high -= UINT64_C(1) << 32;
            }
            if (is_ipv6 && bits.high == 0 && bits.low >> 32 == 0xffff)
                continue; /* IPv4-mapped */
            ck_assert_uint_eq(find_bits(tree, bits, is_ipv6),
                              find_naively(list, count, rule, bits, is_ipv6));
        }
        prefix_tree_free(tree);
        free(entries.items);
    }
}
END_TEST

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

START_TEST(a_hundred_thousand_entries)
{
    enum { ENTRIES = 100000, SEARCHES = 1000000 };
    for (int ipv6 = 0; ipv6 < 2; ipv6++) {
        struct prefix_entries entries = {0};
        for (int i = 0; i < ENTRIES; i++) {
            struct prefix prefix = {.is_ipv6 = ipv6};
            prefix.bits = (unsigned char)((ipv6 ? 32 : 12) + random_bits() % (ipv6 ? 97 : 21));
            prefix.first = address_bits_mask(random_address(ipv6, false), prefix.bits);
            prefix_entries_add(&entries, &prefix, (uint32_t)i);
        }
        double begin = now();
        struct prefix_tree *tree = prefix_tree_make(&entries, PREFIX_LOWEST);
        double made = now();
        unsigned found = 0;
        for (int i = 0; i < SEARCHES; i++)
            found += find_bits(tree, random_address(ipv6, false), ipv6) != PREFIX_NO_VALUE;
        printf("prefix_tree: %d IPv%d entries: made in %.1f ms, %.0f ns a search (%u %% "
               "found)\n",
               ENTRIES, ipv6 ? 6 : 4, (made - begin) * 1e3, (now() - made) * 1e9 / SEARCHES,
               found / (SEARCHES / 100));
        prefix_tree_free(tree);
        free(entries.items);
    }
}
END_TEST

Suite *prefix_tree_suite(void)
{
    Suite *suite = suite_create("prefix_tree");
    TCase *tcase = tcase_create("prefix_tree");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, prefixes_are_read_and_written);
    tcase_add_test(tcase, what_is_no_prefix_is_refused);
    tcase_add_test(tcase, the_longest_prefix_gives_the_value);
    tcase_add_test(tcase, the_lowest_value_wins_where_a_list_has_an_order);
    tcase_add_test(tcase, an_empty_tree_and_other_families_have_no_value);
    tcase_add_test(tcase, random_prefixes_give_what_a_naive_search_gives);
    tcase_add_test(tcase, a_hundred_thousand_entries);
    suite_add_tcase(suite, tcase);
    return suite;
}
