#include "config/load.h"
#include "proxy/stats/shared_stats.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { WORKERS = 3 };

static struct config *config;
static struct stats own, other;

static void setup(void)
{
    folder_make();
    config = load_good("[frontend web]\nbind = 127.0.0.1:1\nbackend = app\n"
                       "[frontend mail]\nbind = 127.0.0.1:2\nbackend = app\n"
                       "[backend app]\nserver = a 127.0.0.1:3\n");
    ck_assert_int_eq(stats_open(&own, config, 7, WORKERS), 0);
    other.fd = -1;
}

static void teardown(void)
{
    stats_close(&own);
    stats_close(&other);
    config_free(config);
    folder_remove();
}

static int copy_of(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    ck_assert_int_ge(copy, 0);
    return copy;
}

static void read_own(void)
{
    ck_assert_ptr_null(stats_read(&other, copy_of(own.fd)));
}

START_TEST(figures_are_read_as_they_are_counted)
{
    read_own();
    for (unsigned i = 0; i < WORKERS; i++) {
        counter_add(&stats_counters(&own, i)->sessions, 1 + i);
        counter_add(&stats_counters(&own, i)->server_bytes, 100);
    }
    limit_force(stats_sessions(&own));
    limit_force(stats_frontend_sessions(&own, 1));
    struct figures sum = {.connect_errors = 5};
    stats_add_workers(&other, &sum);
    ck_assert_uint_eq(sum.sessions, 6);
    ck_assert_uint_eq(sum.server_bytes, 300);
    ck_assert_uint_eq(sum.connect_errors, 5);
    ck_assert_uint_eq(stats_live(&other), 1);
    ck_assert_uint_eq(stats_frontend_live(&other, 0), 0);
    ck_assert_uint_eq(stats_frontend_live(&other, 1), 1);
}
END_TEST

START_TEST(head_identifies_the_process)
{
    read_own();
    ck_assert_uint_eq(other.as.generation, 7);
    ck_assert_int_eq((pid_t)other.as.pid, getpid());
    ck_assert_uint_eq(other.as.workers, WORKERS);
    ck_assert_uint_eq(other.as.frontends, 2);
    ck_assert_uint_eq(other.as.started_at, own.as.started_at);
    ck_assert_uint_eq(stats_find_frontend(&other, "web", 0), 0);
    ck_assert_uint_eq(stats_find_frontend(&other, "mail", 0), 1);
    ck_assert_uint_eq(stats_find_frontend(&other, "mail", 9), 1);
    ck_assert_uint_eq(stats_find_frontend(&other, "mai", 1), STATS_NO_FRONTEND);
}
END_TEST

START_TEST(base_is_separate_from_the_counters_of_workers)
{
    read_own();
    counter_add(&stats_counters(&own, 0)->sessions, 1);
    stats_inherit(&own, &(struct figures){.sessions = 10, .client_bytes = 20});
    stats_inherit(&own, &(struct figures){.sessions = 10});
    struct figures workers = {0}, base = {0};
    stats_add_workers(&other, &workers);
    stats_add_base(&other, &base);
    ck_assert_uint_eq(workers.sessions, 1);
    ck_assert_uint_eq(base.sessions, 20);
    ck_assert_uint_eq(base.client_bytes, 20);
}
END_TEST

START_TEST(oldest_session_of_all_workers_is_found)
{
    read_own();
    ck_assert_uint_eq(stats_oldest(&other, 0), 0);
    atomic_store(&stats_worker_oldest(&own, 0)[1], 30);
    atomic_store(&stats_worker_oldest(&own, 2)[1], 20);
    atomic_store(&stats_worker_oldest(&own, WORKERS - 1)[own.as.frontends], 10);
    ck_assert_uint_eq(stats_oldest(&other, 0), 0);
    ck_assert_uint_eq(stats_oldest(&other, 1), 20);
    ck_assert_uint_eq(stats_oldest(&other, own.as.frontends), 10);
    ck_assert_uint_eq(stats_frontend_live(&other, 0), 0);
    struct figures sum = {0};
    stats_add_workers(&other, &sum);
    ck_assert_uint_eq(sum.sessions + sum.cut, 0);
}
END_TEST

START_TEST(stats_outlive_the_process_that_made_them)
{
    read_own();
    counter_add(&stats_counters(&own, 0)->failed, 3);
    stats_close(&own);
    struct figures sum = {0};
    stats_add_workers(&other, &sum);
    ck_assert_uint_eq(sum.failed, 3);
}
END_TEST

START_TEST(workers_do_not_share_cache_lines)
{
    for (unsigned i = 0; i < WORKERS; i++)
        ck_assert_uint_eq((uintptr_t)stats_counters(&own, i) % 64, 0);
    const atomic_uint_fast64_t *last = stats_worker_oldest(&own, WORKERS - 2) + own.as.frontends;
    ck_assert_uint_lt((uintptr_t)last, (uintptr_t)stats_counters(&own, WORKERS - 1));
}
END_TEST

START_TEST(memory_cannot_be_truncated)
{
    ck_assert_int_ne(ftruncate(own.fd, 0), 0);
    ck_assert_int_eq(errno, EPERM);
}
END_TEST

START_TEST(only_the_process_that_made_them_writes)
{
    void *memory = mmap(NULL, own.size, PROT_READ | PROT_WRITE, MAP_SHARED, own.fd, 0);
    if (memory != MAP_FAILED) {
        munmap(memory, own.size);
        unit_skip("no F_SEAL_FUTURE_WRITE before Linux 5.1");
        return;
    }
    ck_assert_int_eq(errno, EPERM);
}
END_TEST

/* Returns a memfd with these bytes. */
static int forge(const void *bytes, size_t length, size_t size, int seals)
{
    int fd = memfd_create("forged", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
    ck_assert_int_eq(pwrite(fd, bytes, length, 0), (ssize_t)length);
    ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static const char *read_head(const struct stats_head *head, size_t size)
{
    stats_close(&other);
    return stats_read(&other,
                      forge(head, offsetof(struct stats_head, sessions), size, F_SEAL_SHRINK));
}

#define REFUSED(reason, is) ck_assert_str_eq((is) ? (is) : "(read)", reason)

START_TEST(other_files_are_refused)
{
    int file = open(folder_path("file"), O_RDWR | O_CREAT | O_CLOEXEC, 0600), pair[2];
    ck_assert_int_eq(ftruncate(file, 65536), 0);
    REFUSED("not a memfd", stats_read(&other, file));
    ck_assert_int_eq(pipe2(pair, O_CLOEXEC), 0);
    REFUSED("not a memfd", stats_read(&other, pair[0]));
    close(pair[1]);
    REFUSED("too short", stats_read(&other, forge("", 0, 0, F_SEAL_SHRINK)));
    REFUSED("too short", stats_read(&other, forge("xppr", 4, 4, F_SEAL_SHRINK)));
    REFUSED("not sealed against shrinking",
            stats_read(&other, forge(own.memory, own.size, own.size, F_SEAL_GROW)));
    REFUSED("of another kind", stats_read(&other, forge("", 0, 65536, F_SEAL_SHRINK)));
    ck_assert_ptr_null(other.memory);
    ck_assert_int_eq(other.fd, -1);
}
END_TEST

START_TEST(a_head_that_does_not_fit_is_refused)
{
    static const char sizes[] = "with records of impossible sizes";
    const struct stats_head good = own.as;
    const size_t size = own.as.tally_offset; /* what is written of the head does not tell of it */
    struct stats_head head = good;
    ck_assert_ptr_null(read_head(&head, size));
    REFUSED("shorter than its records", read_head(&head, size - 1));
    head.version++;
    REFUSED("of another version", read_head(&head, size));
#define WITH(member, value) (head = good, head.member = (value), read_head(&head, size))
    REFUSED("of another kind", WITH(magic, 1));
    REFUSED("shorter than its records", WITH(workers, WORKERS + 1));
    REFUSED("shorter than its records", WITH(workers, UINT32_MAX));
    REFUSED("shorter than its records", WITH(frontends, UINT32_MAX));
    REFUSED("shorter than its records", WITH(head_size, 1 << 20));
    REFUSED(sizes, WITH(head_size, (1 << 20) + 8));
    REFUSED(sizes, WITH(head_size, good.head_size + 4));
    REFUSED(sizes, WITH(head_size, good.head_size + 8)); /* frontends lie at odd places */
    REFUSED(sizes, WITH(worker_size, good.worker_size + 8));
    REFUSED(sizes, WITH(frontend_size, good.frontend_size + 8));
    REFUSED(sizes, WITH(head_size, 0));
    REFUSED(sizes, WITH(worker_size, 0));
    REFUSED(sizes, WITH(worker_size, good.counters * 8 - 8));
    REFUSED(sizes, WITH(worker_size, good.worker_size + 1));
    REFUSED(sizes, WITH(frontend_size, 8));
    REFUSED(sizes, WITH(frontend_size, UINT32_MAX));
    REFUSED(sizes, WITH(counters, 0));
    REFUSED(sizes, WITH(counters, UINT32_MAX));
    REFUSED(sizes, WITH(counters, 0x20000001u)); /* multiplied by 8 this is 8 in 32 bits */
    head = good;
    head.workers = UINT32_MAX;
    REFUSED("too large", read_head(&head, (size_t)1 << 40));
}
END_TEST

/* Whichever part is the last: reading behind the end of the memory would be SIGBUS. */
START_TEST(each_part_is_in_the_memory)
{
    static const char shorter[] = "shorter than its records";
    struct stats_head head;
    unsigned char *copy = malloc(own.size);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, own.memory, own.size);
    for (uint64_t over = 0; over <= 64; over += 64) {
        head = own.as; /* without a table of sources; the tally is the last */
        ck_assert_uint_eq(head.sources_size, 0);
        head.sources_size = 64;
        head.sources_offset = own.size - head.sources_size + over;
        memcpy(copy, &head, offsetof(struct stats_head, base));
        const char *wrong = stats_read(&other, forge(copy, own.size, own.size, F_SEAL_SHRINK));
        ck_assert_pstr_eq(wrong, over ? shorter : NULL);
        stats_close(&other);
        head = own.as;
        head.tally_offset += over;
        memcpy(copy, &head, offsetof(struct stats_head, base));
        wrong = stats_read(&other, forge(copy, own.size, own.size, F_SEAL_SHRINK));
        ck_assert_pstr_eq(wrong, over ? shorter : NULL);
        stats_close(&other);
    }
    free(copy);
}
END_TEST

/* An older build has fewer counters, and a newer build has longer records. */
START_TEST(different_builds_read_each_other)
{
    struct newer {
        struct stats_head head;
        uint64_t more_base[8];
        uint64_t workers[2][16];
        struct {
            struct stats_frontend known;
            uint64_t more[8];
        } frontend;
    } newer = {.head = own.as};
    newer.head.head_size = offsetof(struct newer, workers);
    newer.head.worker_size = sizeof newer.workers[0];
    newer.head.frontend_size = sizeof newer.frontend;
    newer.head.counters = COUNTERS + 1;
    newer.head.workers = 2;
    newer.head.frontends = 1;
    newer.head.tally_size = 0;
    newer.workers[1][0] = 4;
    newer.workers[1][COUNTERS] = 77;
    strcpy(newer.frontend.known.name, "new");
    atomic_store(&newer.frontend.known.sessions.used, 9);
    struct figures sum = {0};
    ck_assert_ptr_null(
        stats_read(&other, forge(&newer, sizeof newer, sizeof newer, F_SEAL_SHRINK)));
    stats_add_workers(&other, &sum);
    ck_assert_uint_eq(sum.sessions, 4);
    ck_assert_uint_eq(sum.server_bytes, 0);
    size_t at = stats_find_frontend(&other, "new", 3);
    ck_assert_uint_eq(stats_frontend_live(&other, at), 9);
    ck_assert_uint_eq(stats_oldest(&other, at),
                      0); /* the worker's record is too short for this member */
    stats_close(&other);

    struct older {
        unsigned char head[offsetof(struct stats_head, base)];
        uint64_t base[2], workers[2];
    } older = {.base = {1, 2}, .workers = {10, 20}};
    struct stats_head head = own.as;
    head.head_size = offsetof(struct older, workers);
    head.worker_size = sizeof older.workers;
    head.counters = 2;
    head.workers = 1;
    head.frontends = 0;
    memcpy(older.head, &head, offsetof(struct stats_head, sessions));
    sum = (struct figures){.client_bytes = 3};
    ck_assert_ptr_null(
        stats_read(&other, forge(&older, sizeof older, sizeof older, F_SEAL_SHRINK)));
    stats_add_workers(&other, &sum);
    stats_add_base(&other, &sum);
    ck_assert_uint_eq(sum.sessions, 11);
    ck_assert_uint_eq(sum.connect_errors, 22);
    ck_assert_uint_eq(sum.client_bytes, 3);
}
END_TEST

/* The name has no NUL at its end, and is not text. */
START_TEST(a_name_may_be_anything)
{
    struct {
        struct stats_head head;
        struct stats_frontend frontend;
    } odd = {.head = own.as};
    odd.head.workers = 0;
    odd.head.frontends = 1;
    odd.head.tally_size = 0;
    memset(odd.frontend.name, 0xff, sizeof odd.frontend.name);
    ck_assert_ptr_null(stats_read(&other, forge(&odd, sizeof odd, sizeof odd, F_SEAL_SHRINK)));
    size_t length;
    (void)stats_frontend_name(&other, 0, &length);
    ck_assert_uint_eq(length, STATS_NAME_MAX);
    ck_assert_uint_eq(stats_find_frontend(&other, "web", 0), STATS_NO_FRONTEND);
}
END_TEST

Suite *stats_suite(void)
{
    Suite *suite = suite_create("shared_stats");
    TCase *tcase = tcase_create("shared_stats");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, figures_are_read_as_they_are_counted);
    tcase_add_test(tcase, head_identifies_the_process);
    tcase_add_test(tcase, base_is_separate_from_the_counters_of_workers);
    tcase_add_test(tcase, oldest_session_of_all_workers_is_found);
    tcase_add_test(tcase, stats_outlive_the_process_that_made_them);
    tcase_add_test(tcase, workers_do_not_share_cache_lines);
    tcase_add_test(tcase, memory_cannot_be_truncated);
    tcase_add_test(tcase, only_the_process_that_made_them_writes);
    tcase_add_test(tcase, other_files_are_refused);
    tcase_add_test(tcase, a_head_that_does_not_fit_is_refused);
    tcase_add_test(tcase, each_part_is_in_the_memory);
    tcase_add_test(tcase, different_builds_read_each_other);
    tcase_add_test(tcase, a_name_may_be_anything);
    suite_add_tcase(suite, tcase);
    return suite;
}
