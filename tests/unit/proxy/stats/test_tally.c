/* The tally: where counters are, what other processes read of them, and what goes into a base. */
#include "config/load.h"
#include "proxy/stats/shared_stats.h"
#include "proxy/stats/tally_sums.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORKERS 3

#define BACKEND_A "[backend a]\nserver = one 127.0.0.1:1\nserver = two 127.0.0.1:2\n"
#define BACKEND_B "[backend b]\nserver = one 127.0.0.1:3\n"
#define WEB       "[frontend web]\nbind = 127.0.0.1:8001\nbackend = a\n"
#define MAIL      "[frontend mail]\nbind = 127.0.0.1:8002\nbackend = b\n"

/* A process: its stats, and as another process reads them. */
struct process {
    struct config *config;
    struct stats own, seen;
};

static struct process one, two;

static void begin(struct process *process, const char *text, unsigned generation)
{
    process->config = load_good(text);
    ck_assert_int_eq(stats_open(&process->own, process->config, generation, WORKERS), 0);
    for (size_t i = 0; i < process->config->backend_count; i++)
        for (size_t j = 0; j < process->config->backends[i].server_count; j++)
            (void)tally_add_server(&process->own.tally, i,
                                   process->config->backends[i].servers[j].name);
    ck_assert_ptr_null(stats_read(&process->seen, dup(process->own.fd)));
    ck_assert_ptr_nonnull(process->seen.tally.memory);
}

static void end(struct process *process)
{
    stats_close(&process->own);
    stats_close(&process->seen);
    config_free(process->config);
}

static void setup(void)
{
    folder_make();
    begin(&one, WEB MAIL BACKEND_A BACKEND_B, 1);
}

static void teardown(void)
{
    end(&one);
    folder_remove();
}

static void count_frontend(struct process *process, unsigned worker, size_t frontend,
                           uint64_t amount)
{
    counter_add(&tally_frontend(&process->own.tally, worker,
                                frontend)[COUNTER_OF(frontend_figures, sessions)],
                amount);
}

static void count_server(struct process *process, unsigned worker, size_t server, uint64_t sessions,
                         uint64_t live)
{
    atomic_uint_fast64_t *record = tally_server(&process->own.tally, worker, server);
    counter_add(&record[COUNTER_OF(server_figures, sessions)], sessions);
    counter_add(&record[COUNTER_OF(server_figures, live)], live);
}

START_TEST(rows_do_not_overlap)
{
    struct tally *tally = &one.own.tally;
    const uint64_t whole = one.own.as.tally_size / sizeof(uint64_t);
    for (unsigned row = 0; row <= WORKERS; row++) {
        ck_assert_uint_eq((uintptr_t)tally_frontend(tally, row, 0) % 64, 0);
        for (size_t i = 0; i <= 2; i++)
            for (size_t j = 0; j < COUNTERS_OF(frontend_figures); j++)
                tally_frontend(tally, row, i)[j]++;
        for (size_t i = 0; i <= 2; i++)
            for (size_t j = 0; j < COUNTERS_OF(backend_figures); j++)
                tally_backend(tally, row, i)[j]++;
        for (size_t i = 0; i <= 3; i++)
            for (size_t j = 0; j < COUNTERS_OF(server_figures); j++)
                tally_server(tally, row, i)[j]++;
    }
    for (size_t i = 0; i <= 3; i++)
        for (size_t j = 0; j < COUNTERS_OF(server_events); j++) {
            tally_events(tally, i, false)[j]++;
            tally_events(tally, i, true)[j]++;
        }
    for (size_t j = 0; j < COUNTERS_OF(reload_figures); j++) {
        tally_reloads(tally, false)[j]++;
        tally_reloads(tally, true)[j]++;
    }
    ck_assert_uint_eq(tally_frontend(tally, 0, 0)[0], 1);
    ck_assert_uint_eq(tally_reloads(tally, true)[COUNTERS_OF(reload_figures) - 1], 1);
    const uint64_t *words = (const uint64_t *)(const void *)tally->memory;
    for (uint64_t i = tally->rows / 8; i < whole; i++)
        ck_assert_uint_le(words[i], 1);
    ck_assert_ptr_eq(one.own.memory + one.own.size, tally->memory + whole * sizeof(uint64_t));
}
END_TEST

START_TEST(a_place_leads_to_the_counter)
{
    for (unsigned worker = 0; worker < WORKERS; worker++) {
        atomic_uint_fast64_t *counter = tally_server(&one.own.tally, worker, 2);
        atomic_uint_fast64_t *from = (void *)stats_counters(&one.own, worker);
        ck_assert_ptr_eq(from + stats_place(&one.own, worker, counter), counter);
    }
}
END_TEST

START_TEST(sums_are_those_of_all_workers)
{
    struct tally_sums sums;
    for (unsigned i = 0; i < WORKERS; i++) {
        count_frontend(&one, i, 1, 10 + i);
        count_server(&one, i, 2, i, 1);
    }
    tally_event(&one.own.tally, 2, COUNTER_OF(server_events, downs));
    ck_assert_int_eq(tally_sums_open(&sums, &one.own.tally), 0);
    tally_sums_add(&sums, &one.own.tally, NULL, TALLY_OWN | TALLY_BASE | TALLY_LIVE);
    ck_assert_uint_eq(sums.frontends[0].sessions, 0);
    ck_assert_uint_eq(sums.frontends[1].sessions, 33);
    ck_assert_uint_eq(sums.servers[2].sessions, 3);
    ck_assert_uint_eq(sums.servers[2].live, 3);
    ck_assert_uint_eq(sums.events[2].downs, 1);
    tally_sums_close(&sums);
}
END_TEST

/* The other process has the names in another order, and some names more, and less. */
START_TEST(names_are_found_in_another_process)
{
    struct tally_map map = {0};
    struct tally_sums sums;
    begin(&two,
          MAIL WEB "[backend b]\nserver = new 127.0.0.1:4\nserver = one 127.0.0.1:3\n"
                   "[backend a]\nserver = two 127.0.0.1:2\n",
          2);
    count_frontend(&two, 1, 0, 5);  /* mail */
    count_server(&two, 0, 0, 7, 1); /* b/new */
    count_server(&two, 0, 1, 3, 2); /* b/one */
    count_server(&two, 2, 2, 9, 4); /* a/two */
    ck_assert_int_eq(tally_map_make(&map, &one.own.tally, &two.seen.tally), 0);
    ck_assert_int_eq(tally_sums_open(&sums, &one.own.tally), 0);
    tally_sums_add(&sums, &two.seen.tally, &map, TALLY_OWN | TALLY_BASE);
    ck_assert_uint_eq(sums.frontends[0].sessions, 0);
    ck_assert_uint_eq(sums.frontends[1].sessions, 5);
    ck_assert_uint_eq(sums.servers[0].sessions, 0);  /* a/one */
    ck_assert_uint_eq(sums.servers[1].sessions, 9);  /* a/two */
    ck_assert_uint_eq(sums.servers[2].sessions, 3);  /* b/one */
    ck_assert_uint_eq(sums.backends[1].sessions, 7); /* b/new */
    ck_assert_uint_eq(sums.servers[1].live, 0);
    tally_sums_add(&sums, &two.seen.tally, &map, TALLY_OWN | TALLY_LIVE);
    ck_assert_uint_eq(sums.servers[1].live, 4);
    tally_sums_close(&sums);
    tally_map_free(&map);
    end(&two);
}
END_TEST

/* What two processes counted one after the other is in the base of the third. */
START_TEST(a_base_keeps_the_sums)
{
    static const char *const texts[] = {WEB BACKEND_A, MAIL WEB BACKEND_B BACKEND_A};
    struct tally_sums sums;
    count_frontend(&one, 0, 0, 100);
    count_server(&one, 0, 1, 50, 5); /* a/two */
    counter_add(&tally_events(&one.own.tally, 1, false)[COUNTER_OF(server_events, most)], 8);
    tally_note_waiting(&one.own.tally, 0, 9);
    for (unsigned i = 0; i < 2; i++) {
        struct tally_map map = {0};
        begin(&two, texts[i], i + 2);
        ck_assert_int_eq(tally_map_make(&map, &two.own.tally, &one.seen.tally), 0);
        ck_assert_int_eq(tally_sums_open(&sums, &two.own.tally), 0);
        tally_sums_add(&sums, &one.seen.tally, &map, TALLY_OWN | TALLY_BASE);
        tally_inherit(&two.own.tally, &sums);
        tally_sums_close(&sums);
        tally_map_free(&map);
        end(&one);
        one = two;
        count_frontend(&one, 2, i, 1); /* web */
    }
    counter_add(&tally_events(&one.own.tally, 2, false)[COUNTER_OF(server_events, most)], 6);
    ck_assert_int_eq(tally_sums_open(&sums, &one.own.tally), 0);
    tally_sums_add(&sums, &one.seen.tally, NULL, TALLY_OWN | TALLY_BASE | TALLY_LIVE);
    ck_assert_uint_eq(sums.frontends[1].sessions, 102);
    ck_assert_uint_eq(sums.servers[2].sessions, 50); /* a/two */
    ck_assert_uint_eq(sums.servers[2].live, 0);
    ck_assert_uint_eq(sums.events[2].most, 8);
    ck_assert_uint_eq(sums.backends[1].most_waiting, 9); /* a */
    tally_note_waiting(&one.own.tally, 1, 7);
    tally_note_waiting(&one.own.tally, 1, 11);
    tally_sums_close(&sums);
    ck_assert_int_eq(tally_sums_open(&sums, &one.own.tally), 0);
    tally_sums_add(&sums, &one.seen.tally, NULL, TALLY_OWN | TALLY_BASE);
    ck_assert_uint_eq(sums.backends[1].most_waiting, 11);
    tally_sums_close(&sums);
}
END_TEST

START_TEST(servers_that_come_later_are_found)
{
    struct tally_map map = {0};
    struct tally_sums sums;
    begin(&two, WEB "[backend a]\nserver = x localhost:1 resolve=all max=3\n", 2);
    end(&one);
    one = two;
    begin(&two, WEB "[backend a]\nserver = x localhost:1 resolve=all max=3\n", 3);
    ck_assert_int_eq(tally_map_make(&map, &one.own.tally, &two.seen.tally), 0);
    (void)tally_add_server(&two.own.tally, 0, "x-1");
    uint32_t own = tally_add_server(&one.own.tally, 0, "x-2");
    uint32_t other = tally_add_server(&two.own.tally, 0, "x-2");
    count_server(&two, 0, other, 4, 0);
    ck_assert_int_eq(tally_map_make(&map, &one.own.tally, &two.seen.tally), 0);
    ck_assert_int_eq(tally_sums_open(&sums, &one.own.tally), 0);
    tally_sums_add(&sums, &two.seen.tally, &map, TALLY_OWN);
    ck_assert_uint_eq(sums.servers[own].sessions, 4);
    tally_sums_close(&sums);
    tally_map_free(&map);
    /* There is a record for what is too much, and it is no server's. */
    for (unsigned i = 0; i < 10; i++)
        ck_assert_uint_le(tally_add_server(&two.own.tally, 0, "more"), two.own.tally.as.servers);
    ck_assert_uint_eq(tally_servers_used(&two.own.tally), two.own.tally.as.servers);
    end(&two);
}
END_TEST

START_TEST(nonsense_is_not_read)
{
    const size_t size = one.own.as.tally_size;
    struct tally tally;
    uint32_t *copy = malloc(size);
    ck_assert_ptr_nonnull(copy);
    ck_assert(!tally_view(&tally, copy, 8));
    for (size_t i = 0; i < sizeof(struct tally_head) / sizeof *copy; i++)
        for (unsigned j = 0; j < 32; j++) {
            memcpy(copy, one.own.tally.memory, size);
            copy[i] ^= 1u << j;
            if (!tally_view(&tally, copy, size))
                continue;
            struct tally_map map = {0};
            struct tally_sums sums;
            ck_assert_int_eq(tally_map_make(&map, &one.own.tally, &tally), 0);
            ck_assert_int_eq(tally_sums_open(&sums, &one.own.tally), 0);
            tally_sums_add(&sums, &tally, &map, TALLY_OWN | TALLY_BASE | TALLY_LIVE);
            tally_sums_close(&sums);
            tally_map_free(&map);
        }
    memcpy(copy, one.own.tally.memory, size);
    ck_assert(tally_view(&tally, copy, size));
    ck_assert(!tally_view(&tally, copy, size - 8));
    struct tally_head *head = (struct tally_head *)copy;
    head->frontend = 0;
    ck_assert(!tally_view(&tally, copy, size));
    head->frontend = one.own.tally.as.frontend;
    head->backend = 0;
    ck_assert(!tally_view(&tally, copy, size));
    head->backend = one.own.tally.as.backend;
    ck_assert(tally_view(&tally, copy, size));
    free(copy);
}
END_TEST

START_TEST(durations_go_to_the_bucket_of_their_length)
{
    static const struct {
        uint64_t duration;
        unsigned bucket;
    } cases[] = {{0, 0}, {1, 1}, {2, 2}, {3, 2}, {4, 3}, {1023, 10}, {1024, 11}, {1ull << 40, 41}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        atomic_uint_fast64_t histogram[COUNTERS_OF(histogram_figures)] = {0};
        histogram_add(histogram, cases[i].duration);
        ck_assert_uint_eq(histogram[cases[i].bucket], 1);
        ck_assert_uint_eq(histogram[COUNTER_OF(histogram_figures, sum)], cases[i].duration);
    }
}
END_TEST

Suite *tally_suite(void)
{
    Suite *suite = suite_create("tally");
    TCase *tcase = tcase_create("tally");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, rows_do_not_overlap);
    tcase_add_test(tcase, a_place_leads_to_the_counter);
    tcase_add_test(tcase, sums_are_those_of_all_workers);
    tcase_add_test(tcase, names_are_found_in_another_process);
    tcase_add_test(tcase, a_base_keeps_the_sums);
    tcase_add_test(tcase, servers_that_come_later_are_found);
    tcase_add_test(tcase, nonsense_is_not_read);
    tcase_add_test(tcase, durations_go_to_the_bucket_of_their_length);
    suite_add_tcase(suite, tcase);
    return suite;
}
