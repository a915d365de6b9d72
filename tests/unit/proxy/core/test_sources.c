#include "proxy/core/sources.h"
#include "tests/unit/suites.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)

static struct {
    void *memory;
    size_t size;
    struct sources *sources;
} tables[3];

static void open_table(unsigned i, unsigned most)
{
    tables[i].size = sources_size(most);
    tables[i].memory = aligned_alloc(64, tables[i].size);
    ck_assert_ptr_nonnull(tables[i].memory);
    memset(tables[i].memory, 0, tables[i].size);
    tables[i].sources = sources_open(tables[i].memory, most);
    ck_assert_ptr_nonnull(tables[i].sources);
}

static void setup(void)
{
    for (unsigned i = 0; i < 3; i++)
        open_table(i, 1000);
}

static void close_table(unsigned i)
{
    sources_close(tables[i].sources);
    free(tables[i].memory);
}

static void teardown(void)
{
    for (unsigned i = 0; i < 3; i++)
        close_table(i);
}

/* Table i looks into the others. */
static void connect_tables(unsigned i)
{
    struct sources_peers *peers = sources_peers_new(2);
    ck_assert_ptr_nonnull(peers);
    for (unsigned j = 0; j < 3; j++)
        if (j != i)
            peers->views[peers->count++] = sources_view_at(tables[j].memory, tables[j].size);
    ck_assert_ptr_null(sources_publish(tables[i].sources, peers));
}

static struct source_key key_of(const char *text, uint64_t owner)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    struct source_key key;
    if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
        ck_assert(source_key_make(&key, (struct sockaddr *)&in, owner));
    } else {
        ck_assert_int_eq(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
        ck_assert(source_key_make(&key, (struct sockaddr *)&in6, owner));
    }
    return key;
}

static bool is_same_source(const char *a, const char *b)
{
    struct source_key left = key_of(a, 8), right = key_of(b, 8);
    return left.address == right.address && left.owner == right.owner;
}

static enum source_verdict enter(unsigned table, const struct source_key *key, unsigned sessions,
                                 struct rate rate, uint64_t now)
{
    const struct source_limits limits = {sessions, rate};
    return sources_enter(tables[table].sources, key, &limits, now);
}

static const struct rate no_rate;

START_TEST(a_source_is_an_ipv4_address_or_an_ipv6_network)
{
    const struct sockaddr_storage local = {.ss_family = AF_UNIX};
    struct source_key key;
    ck_assert(is_same_source("10.0.0.1", "::ffff:10.0.0.1"));
    ck_assert(!is_same_source("10.0.0.1", "10.0.0.2"));
    ck_assert(is_same_source("2001:db8:1:2::1", "2001:db8:1:2:ffff::"));
    ck_assert(!is_same_source("2001:db8:1:2::1", "2001:db8:1:3::1"));
    ck_assert(!is_same_source("a00:1::", "10.0.0.1"));
    ck_assert(!source_key_make(&key, (const struct sockaddr *)&local, 8));
}
END_TEST

START_TEST(sessions_are_counted_by_source_and_frontend)
{
    struct source_key a = key_of("10.0.0.1", 8), b = key_of("10.0.0.2", 8);
    struct source_key other = key_of("10.0.0.1", 10);
    ck_assert_int_eq(enter(0, &a, 2, no_rate, 1), SOURCE_COMES_IN);
    ck_assert_int_eq(enter(0, &a, 2, no_rate, 1), SOURCE_COMES_IN);
    ck_assert_int_eq(enter(0, &a, 2, no_rate, 1), SOURCE_HAS_MANY);
    ck_assert_int_eq(enter(0, &a, 2, no_rate, 1), SOURCE_HAS_MANY);
    ck_assert_int_eq(enter(0, &b, 2, no_rate, 1), SOURCE_COMES_IN);
    ck_assert_int_eq(enter(0, &other, 2, no_rate, 1), SOURCE_COMES_IN);
    ck_assert_uint_eq(sources_figures(tables[0].sources).live, 3);
    sources_leave(tables[0].sources, &a);
    ck_assert_int_eq(enter(0, &a, 2, no_rate, 1), SOURCE_COMES_IN);
    ck_assert_int_eq(enter(0, &a, 2, no_rate, 1), SOURCE_HAS_MANY);
    ck_assert(sources_enter_anyway(tables[0].sources, &a, 1));
    sources_leave(tables[0].sources, &a);
    ck_assert_int_eq(enter(0, &a, 2, no_rate, 1), SOURCE_HAS_MANY);
    sources_leave(tables[0].sources, &a);
    sources_leave(tables[0].sources, &a);
    sources_leave(tables[0].sources, &b);
    sources_leave(tables[0].sources, &other);
    ck_assert_uint_eq(sources_figures(tables[0].sources).live, 0);
}
END_TEST

START_TEST(a_rate_fills_and_empties_a_bucket)
{
    const struct rate rate = {3, 1000};
    struct source_key a = key_of("10.0.0.1", 8);
    uint64_t now = 50 * SECOND;
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(enter(0, &a, 0, rate, now), SOURCE_COMES_IN);
    for (int i = 0; i < 10; i++) /* refused attempts do not count */
        ck_assert_int_eq(enter(0, &a, 0, rate, now + SECOND / 4), SOURCE_TOO_FAST);
    ck_assert_int_eq(enter(0, &a, 0, rate, now + SECOND / 3 + 1), SOURCE_COMES_IN);
    ck_assert_int_eq(enter(0, &a, 0, rate, now + SECOND / 3 + 1), SOURCE_TOO_FAST);
    ck_assert_uint_eq(sources_figures(tables[0].sources).live, 0);
    now += 100 * SECOND; /* full, and no fuller */
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(enter(0, &a, 0, rate, now), SOURCE_COMES_IN);
    ck_assert_int_eq(enter(0, &a, 0, rate, now), SOURCE_TOO_FAST);
}
END_TEST

START_TEST(what_one_limit_refuses_does_not_count_in_the_other)
{
    const struct rate rate = {2, 60000};
    struct source_key a = key_of("10.0.0.1", 8);
    ck_assert_int_eq(enter(0, &a, 1, rate, 1), SOURCE_COMES_IN);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(enter(0, &a, 1, rate, 1), SOURCE_HAS_MANY);
    sources_leave(tables[0].sources, &a);
    ck_assert_int_eq(enter(0, &a, 1, rate, 1), SOURCE_COMES_IN);
    sources_leave(tables[0].sources, &a);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(enter(0, &a, 1, rate, 1), SOURCE_TOO_FAST);
    ck_assert_uint_eq(sources_figures(tables[0].sources).live, 0);
}
END_TEST

static uint64_t state = 88172645463325252u;

static uint64_t random_bits(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* In any time t no more than count and count for each period of t. */
START_TEST(no_rate_is_ever_passed)
{
    enum { EVENTS = 4000 };
    static uint64_t times[EVENTS];
    for (int round = 0; round < 30; round++) {
        const struct rate rate = {1 + (uint32_t)(random_bits() % 1000),
                                  round % 3 == 0 ? 60000 : 1000};
        uint64_t period = (uint64_t)rate.period * 1000000;
        uint64_t step = 3 * period / rate.count / (1 + random_bits() % 8), now = SECOND;
        struct source_key a = key_of("10.0.0.1", 2u * (unsigned)round + 2);
        size_t count = 0;
        for (int i = 0; i < EVENTS; i++) {
            now += random_bits() % (step + 1);
            if (enter(0, &a, 0, rate, now) == SOURCE_COMES_IN)
                times[count++] = now;
        }
        ck_assert_uint_gt(count, 0);
        uint64_t interval = (period + rate.count - 1) / rate.count;
        bool passed = false;
        for (size_t i = 0; i < count; i++)
            for (size_t j = i; j < count && j < i + 3 * rate.count; j++)
                passed |= j - i + 1 > rate.count + (times[j] - times[i]) / interval;
        ck_assert(!passed);
    }
}
END_TEST

START_TEST(idle_sources_make_room_and_those_with_sessions_stay)
{
    struct source_key kept = key_of("192.0.2.1", 8);
    ck_assert_int_eq(enter(0, &kept, 1, no_rate, 1), SOURCE_COMES_IN);
    for (unsigned i = 0; i < 100000; i++) {
        struct source_key key = {(uint64_t)i << 32, 8};
        ck_assert_int_eq(enter(0, &key, 1, no_rate, 1), SOURCE_COMES_IN);
        sources_leave(tables[0].sources, &key);
    }
    ck_assert_int_eq(enter(0, &kept, 1, no_rate, 1), SOURCE_HAS_MANY);
    ck_assert_uint_eq(sources_figures(tables[0].sources).live, 1);
    ck_assert_uint_eq(sources_figures(tables[0].sources).uncounted, 0);
}
END_TEST

START_TEST(as_many_sources_as_promised_can_have_sessions)
{
    unsigned uncounted = 0;
    for (unsigned i = 0; i < 1000; i++) {
        struct source_key key = {(uint64_t)i << 32, 8};
        ck_assert_int_eq(enter(0, &key, 1, no_rate, 1), SOURCE_COMES_IN);
        ck_assert_int_eq(enter(0, &key, 1, no_rate, 1), SOURCE_HAS_MANY);
    }
    for (unsigned i = 1000; i < 10000; i++) {
        struct source_key key = {(uint64_t)i << 32, 8};
        uncounted += enter(0, &key, 1, no_rate, 1) == SOURCE_UNCOUNTED;
    }
    ck_assert_uint_gt(uncounted, 0);
    ck_assert_uint_eq(sources_figures(tables[0].sources).uncounted, uncounted);
    ck_assert_uint_eq(sources_figures(tables[0].sources).live, 10000 - uncounted);
    for (unsigned i = 0; i < 1000; i++) {
        struct source_key key = {(uint64_t)i << 32, 8};
        ck_assert_int_eq(enter(0, &key, 1, no_rate, 1), SOURCE_HAS_MANY);
    }
}
END_TEST

START_TEST(other_processes_count)
{
    const struct rate rate = {2, 1000};
    struct source_key a = key_of("10.0.0.1", 8);
    uint64_t now = 77 * SECOND;
    for (unsigned i = 0; i < 3; i++)
        connect_tables(i);
    ck_assert_int_eq(enter(0, &a, 3, no_rate, now), SOURCE_COMES_IN);
    ck_assert_int_eq(enter(1, &a, 3, no_rate, now), SOURCE_COMES_IN);
    ck_assert_int_eq(enter(2, &a, 3, no_rate, now), SOURCE_COMES_IN);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_int_eq(enter(i, &a, 3, no_rate, now), SOURCE_HAS_MANY);
    ck_assert(sources_enter_anyway(tables[1].sources, &a, now)); /* a session moves */
    sources_leave(tables[0].sources, &a);
    ck_assert_int_eq(enter(0, &a, 3, no_rate, now), SOURCE_HAS_MANY);
    sources_leave(tables[1].sources, &a);
    ck_assert_int_eq(enter(0, &a, 3, no_rate, now), SOURCE_COMES_IN);

    ck_assert_int_eq(enter(0, &a, 0, rate, now), SOURCE_COMES_IN);
    ck_assert_int_eq(enter(1, &a, 0, rate, now), SOURCE_COMES_IN);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_int_eq(enter(i, &a, 0, rate, now), SOURCE_TOO_FAST);
    ck_assert_int_eq(enter(2, &a, 0, rate, now + SECOND / 2), SOURCE_COMES_IN);
    ck_assert_int_eq(enter(0, &a, 0, rate, now + SECOND / 2), SOURCE_TOO_FAST);
}
END_TEST

START_TEST(buckets_outlive_their_process)
{
    const struct rate rate = {10, 3600000};
    uint64_t now = 77 * SECOND;
    for (unsigned i = 0; i < 500; i++) {
        struct source_key key = {(uint64_t)i << 32, 8};
        for (unsigned j = 0; j < 1 + i % 10; j++)
            ck_assert_int_eq(enter(0, &key, 0, rate, now), SOURCE_COMES_IN);
    }
    struct sources_view *view = sources_view_at(tables[0].memory, tables[0].size);
    sources_inherit(tables[1].sources, view, now + 1);
    sources_inherit(tables[1].sources, view, now + 1); /* once more changes nothing */
    sources_view_close(view);
    for (unsigned i = 0; i < 500; i++) {
        struct source_key key = {(uint64_t)i << 32, 8};
        for (unsigned j = 1 + i % 10; j < 10; j++)
            ck_assert_int_eq(enter(1, &key, 0, rate, now + 1), SOURCE_COMES_IN);
        ck_assert_int_eq(enter(1, &key, 0, rate, now + 1), SOURCE_TOO_FAST);
    }
    ck_assert_uint_eq(sources_figures(tables[1].sources).live, 0);
}
END_TEST

START_TEST(a_frontend_takes_from_a_bucket_and_gives_back)
{
    const struct rate rate = {2, 1000};
    const struct source_key frontend = {0, 8};
    uint64_t now = 77 * SECOND, first, second, at;
    connect_tables(1);
    ck_assert(sources_enter_anyway(tables[0].sources, &frontend, now));
    ck_assert(sources_enter_anyway(tables[1].sources, &frontend, now));
    ck_assert(sources_take(tables[0].sources, &frontend, rate, now, &first));
    ck_assert(sources_take(tables[0].sources, &frontend, rate, now, &second));
    ck_assert(!sources_take(tables[0].sources, &frontend, rate, now, &at));
    ck_assert_uint_eq(at, now + SECOND / 2);
    ck_assert(!sources_take(tables[1].sources, &frontend, rate, now, &at));
    ck_assert_uint_eq(at, now + SECOND / 2);
    sources_give_back(tables[0].sources, &frontend, rate, now, first); /* one was taken since */
    ck_assert(sources_take(tables[0].sources, &frontend, rate, now, &first));
    ck_assert(!sources_take(tables[0].sources, &frontend, rate, now, &at));
    sources_give_back(tables[0].sources, &frontend, rate, now, second);
    ck_assert(sources_take(tables[1].sources, &frontend, rate, now, &at));
    ck_assert(!sources_take(tables[1].sources, &frontend, rate, now, &at));
}
END_TEST

/* Several workers have taken, and some give back, in any order. */
START_TEST(what_is_given_back_at_once_can_be_taken_again)
{
    enum { COUNT = 5 };
    const struct rate rate = {COUNT, 1000};
    const struct source_key frontend = {0, 8};
    const uint64_t now = 77 * SECOND;
    uint64_t taken[COUNT + 1];
    unsigned have = 0;
    connect_tables(1);
    ck_assert(sources_enter_anyway(tables[0].sources, &frontend, now));
    for (unsigned i = 0; i < 10000; i++) {
        if (random_bits() % 2) {
            bool ready = sources_take(tables[0].sources, &frontend, rate, now, &taken[have]);
            ck_assert(ready == (have < COUNT));
            have += ready;
        } else if (have > 0) {
            unsigned chosen = (unsigned)(random_bits() % have);
            sources_give_back(tables[0].sources, &frontend, rate, now, taken[chosen]);
            taken[chosen] = taken[--have];
        }
    }
}
END_TEST

START_TEST(what_is_given_back_later_admits_no_more_than_the_rate)
{
    enum { COUNT = 5, HELD = 8, ADMITTED = 1000 };
    const struct rate rate = {COUNT, 1000};
    const struct source_key frontend = {0, 8};
    uint64_t now = 77 * SECOND, admitted[ADMITTED];
    struct {
        uint64_t at, taken;
    } held[HELD]; /* the oldest first */
    unsigned holds = 0, count = 0;
    connect_tables(1);
    ck_assert(sources_enter_anyway(tables[0].sources, &frontend, now));
    while (count < ADMITTED) {
        now += random_bits() % (SECOND / 10);
        if (holds < HELD &&
            sources_take(tables[0].sources, &frontend, rate, now, &held[holds].taken))
            held[holds++].at = now;
        if (holds > 0 && random_bits() % 2) { /* the oldest comes in, or the newest gives back */
            if (random_bits() % 2) {
                admitted[count++] = held[0].at;
                memmove(held, held + 1, --holds * sizeof held[0]);
            } else {
                sources_give_back(tables[0].sources, &frontend, rate, now, held[--holds].taken);
            }
        }
    }
    for (unsigned i = 0; i < ADMITTED; i++)
        for (unsigned j = i + COUNT; j < ADMITTED; j++)
            ck_assert_uint_ge(admitted[j] - admitted[i], (j - i - COUNT + 1) * (SECOND / COUNT));
}
END_TEST

START_TEST(memory_of_another_process_may_contain_anything)
{
    struct source_key key = key_of("10.0.0.1", 8);
    for (int round = 0; round < 200; round++) {
        unsigned char *memory = tables[2].memory;
        for (size_t i = 0; i < tables[2].size; i++)
            if (round % 2 == 0 ? i >= 64 : i >= 64 || i < 32)
                memory[i] = (unsigned char)random_bits();
        struct sources_view *view = sources_view_at(memory, tables[2].size);
        unsigned sessions = 0;
        uint64_t full_at = 0;
        if (view)
            sources_view_find(view, &key, &sessions, &full_at);
        sources_view_close(view);
    }
    ck_assert_ptr_null(sources_view_at(tables[0].memory, tables[0].size - 64));
    ck_assert_ptr_null(sources_view_at(tables[0].memory, 63));
    int fd = memfd_create("sources", MFD_CLOEXEC);
    ck_assert_int_eq(ftruncate(fd, 128 + (off_t)tables[0].size), 0);
    ck_assert_int_eq(pwrite(fd, tables[0].memory, tables[0].size, 128), (ssize_t)tables[0].size);
    ck_assert_ptr_null(sources_view_open(fd, 0, tables[0].size));
    ck_assert_ptr_null(sources_view_open(fd, 129, tables[0].size - 1));
    struct sources_view *view = sources_view_open(fd, 128, tables[0].size);
    ck_assert_ptr_nonnull(view);
    sources_view_close(view);
    close(fd);
}
END_TEST

/* --- threads --- */

#define THREADS 4
#define LIMIT   5

struct player {
    pthread_t thread;
    unsigned table;
    uint64_t seed;
    uint64_t admitted, refused;
};

static atomic_uint held[64]; /* sessions of a source, in all tables */

static void *play(void *arg)
{
    struct player *player = arg;
    uint64_t random = player->seed;
    unsigned has[64] = {0};
    const struct source_limits limits = {.sessions = LIMIT};
    struct sources *sources = tables[player->table].sources;
    for (int i = 0; i < 30000; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        unsigned which = (unsigned)(random >> 33) % 64;
        struct source_key key = {(uint64_t)which << 32, 8};
        if (has[which] > 0 && (random >> 60) % 2) {
            atomic_fetch_sub(&held[which], 1);
            has[which]--;
            sources_leave(sources, &key);
        } else if (sources_enter(sources, &key, &limits, SECOND) == SOURCE_COMES_IN) {
            unsigned now = atomic_fetch_add(&held[which], 1) + 1;
            ck_assert_msg(now <= LIMIT, "a source has %u sessions", now);
            has[which]++;
            player->admitted++;
        } else {
            player->refused++;
        }
        /* strangers that come and go, so that entries move */
        struct source_key stranger = {random, 10};
        if (sources_enter(sources, &stranger, &limits, SECOND) == SOURCE_COMES_IN)
            sources_leave(sources, &stranger);
    }
    for (unsigned which = 0; which < 64; which++)
        for (struct source_key key = {(uint64_t)which << 32, 8}; has[which] > 0; has[which]--) {
            atomic_fetch_sub(&held[which], 1);
            sources_leave(sources, &key);
        }
    return NULL;
}

static void play_all(unsigned table_count)
{
    struct player players[THREADS] = {0};
    uint64_t refused = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        players[i].table = i % table_count;
        players[i].seed = i + 1;
        ck_assert_int_eq(pthread_create(&players[i].thread, NULL, play, &players[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(players[i].thread, NULL);
        ck_assert_uint_gt(players[i].admitted, 0);
        refused += players[i].refused;
    }
    ck_assert_uint_gt(refused, 0);
    for (unsigned i = 0; i < table_count; i++)
        ck_assert_uint_eq(sources_figures(tables[i].sources).live, 0);
}

START_TEST(threads_do_not_pass_the_limit)
{
    play_all(1);
}
END_TEST

START_TEST(processes_do_not_pass_the_limit)
{
    for (unsigned i = 0; i < 3; i++)
        connect_tables(i);
    play_all(3);
}
END_TEST

static atomic_uint taken_in_all;

static void *take_all(void *arg)
{
    (void)arg;
    const struct rate rate = {1000, 1000};
    struct source_key a = key_of("10.0.0.1", 8);
    const struct source_limits limits = {.rate = rate};
    for (int i = 0; i < 2000; i++)
        if (sources_enter(tables[0].sources, &a, &limits, 5 * SECOND + (uint64_t)i) ==
            SOURCE_COMES_IN)
            atomic_fetch_add(&taken_in_all, 1);
    return NULL;
}

START_TEST(threads_do_not_pass_the_rate)
{
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, take_all, NULL), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(atomic_load(&taken_in_all), 1000);
}
END_TEST

START_TEST(a_hundred_thousand_sources)
{
    close_table(0);
    open_table(0, 100000);
    const struct source_limits limits = {.sessions = 2, .rate = {100, 1000}};
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    unsigned wrong = 0;
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < 100000; i++) {
            struct source_key key = {(uint64_t)i << 32, 8};
            wrong += sources_enter(tables[0].sources, &key, &limits, 5 * SECOND) !=
                     (round < 2 ? SOURCE_COMES_IN : SOURCE_HAS_MANY);
        }
    clock_gettime(CLOCK_MONOTONIC, &end);
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_eq(sources_figures(tables[0].sources).live, 100000);
    printf("sources: 100000 sources in %zu KiB, %.0f ns to enter\n", tables[0].size / 1024,
           ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) /
               300000);
}
END_TEST

Suite *sources_suite(void)
{
    Suite *suite = suite_create("sources");
    TCase *tcase = tcase_create("sources");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, a_source_is_an_ipv4_address_or_an_ipv6_network);
    tcase_add_test(tcase, sessions_are_counted_by_source_and_frontend);
    tcase_add_test(tcase, a_rate_fills_and_empties_a_bucket);
    tcase_add_test(tcase, what_one_limit_refuses_does_not_count_in_the_other);
    tcase_add_test(tcase, no_rate_is_ever_passed);
    tcase_add_test(tcase, idle_sources_make_room_and_those_with_sessions_stay);
    tcase_add_test(tcase, as_many_sources_as_promised_can_have_sessions);
    tcase_add_test(tcase, other_processes_count);
    tcase_add_test(tcase, buckets_outlive_their_process);
    tcase_add_test(tcase, a_frontend_takes_from_a_bucket_and_gives_back);
    tcase_add_test(tcase, what_is_given_back_at_once_can_be_taken_again);
    tcase_add_test(tcase, what_is_given_back_later_admits_no_more_than_the_rate);
    tcase_add_test(tcase, memory_of_another_process_may_contain_anything);
    tcase_add_test(tcase, threads_do_not_pass_the_limit);
    tcase_add_test(tcase, processes_do_not_pass_the_limit);
    tcase_add_test(tcase, threads_do_not_pass_the_rate);
    tcase_add_test(tcase, a_hundred_thousand_sources);
    suite_add_tcase(suite, tcase);
    return suite;
}
