#include "proxy/core/limit.h"
#include "tests/unit/suites.h"

#include <check.h>
#include <pthread.h>

START_TEST(a_full_limit_refuses)
{
    struct limit limit = {.max = 2};
    ck_assert(limit_take(&limit));
    ck_assert(limit_take(&limit));
    ck_assert(!limit_take(&limit));
    ck_assert_uint_eq(limit.used, 2);
    ck_assert(!limit_release(&limit));
    ck_assert(limit_take(&limit));
    limit_force(&limit);
    ck_assert_uint_eq(limit.used, 3);
}
END_TEST

START_TEST(zero_is_no_limit)
{
    struct limit limit = {.max = LIMIT_NONE};
    for (int i = 0; i < 1000; i++)
        ck_assert(limit_take(&limit));
}
END_TEST

START_TEST(release_reports_waiters)
{
    struct limit limit = {.max = 2};
    ck_assert(limit_take(&limit));
    ck_assert(!limit_release(&limit));
    ck_assert(limit_take(&limit));
    atomic_store(&limit.waiting, 1);
    ck_assert(!limit_move(&limit, 0));
    ck_assert(!limit_move(&limit, 0));
    ck_assert(limit_move(&limit, 1));
    ck_assert(limit_release(&limit));
    atomic_store(&limit.waiting, 0);
    ck_assert(!limit_move(&limit, LIMIT_NONE));
}
END_TEST

static atomic_uint inside, most;

static void *take_and_release(void *arg)
{
    struct limit *limit = arg;
    for (int i = 0; i < 20000; i++) {
        if (!limit_take(limit))
            continue;
        unsigned here = atomic_fetch_add(&inside, 1) + 1;
        unsigned seen = atomic_load(&most);
        while (here > seen && !atomic_compare_exchange_weak(&most, &seen, here))
            ;
        atomic_fetch_sub(&inside, 1);
        (void)limit_release(limit);
    }
    return NULL;
}

START_TEST(threads_never_exceed_it)
{
    struct limit limit = {.max = 2};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, take_and_release, &limit), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_le(atomic_load(&most), 2);
    ck_assert_uint_eq(limit.used, 0);
}
END_TEST

static void *take_without_success(void *arg)
{
    struct limit *limit = arg;
    for (int i = 0; i < 200000; i++) {
        unsigned used = atomic_load(&limit->used);
        unsigned seen = atomic_load(&most);
        while (used > seen && !atomic_compare_exchange_weak(&most, &seen, used))
            ;
        if (limit_take(limit))
            break;
    }
    return NULL;
}

/* The count must not rise even for a moment, because another thread would be refused. */
START_TEST(refused_take_does_not_change_the_count)
{
    struct limit limit = {.max = 1};
    pthread_t threads[4];
    ck_assert(limit_take(&limit));
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, take_without_success, &limit), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(atomic_load(&most), 1);
    ck_assert_uint_eq(limit.used, 1);
}
END_TEST

START_TEST(shrinking_ends_at_zero)
{
    struct limit limit = {.max = 1};
    limit_shrink(&limit);
    limit_shrink(&limit);
    ck_assert_uint_eq(limit.max, 0);
    ck_assert_int_eq(limit_take_exactly(&limit), LIMIT_FULL);
    limit.max = LIMIT_NONE;
    limit_shrink(&limit);
    ck_assert_uint_eq(limit.max, LIMIT_NONE);
    ck_assert_int_eq(limit_take_exactly(&limit), LIMIT_TAKEN);
}
END_TEST

/* `changes` is odd while `allowed` changes. */
static atomic_uint allowed, changes, beyond;
static atomic_bool over;

static void *take_exactly_and_release(void *arg)
{
    struct limit *limit = arg;
    while (!atomic_load(&over)) {
        if (limit_take_exactly(limit) != LIMIT_TAKEN)
            continue;
        /* What was counted under another maximum than the one that is compared proves nothing. */
        unsigned before = atomic_load(&changes);
        bool too_many = atomic_fetch_add(&inside, 1) + 1 > atomic_load(&allowed);
        if (too_many && before % 2 == 0 && atomic_load(&changes) == before)
            atomic_fetch_add(&beyond, 1);
        atomic_fetch_sub(&inside, 1);
        (void)limit_release(limit);
    }
    return NULL;
}

/* What this thread allows after it has lowered the maximum is what is in use then, or the maximum.
 */
START_TEST(a_lowered_maximum_is_exact)
{
    struct limit limit = {.max = 3};
    pthread_t threads[4];
    atomic_store(&allowed, 3);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, take_exactly_and_release, &limit), 0);
    for (unsigned i = 0; i < 300000; i++) {
        atomic_fetch_add(&changes, 1);
        (void)limit_move(&limit, i % 3);
        unsigned used = atomic_load(&limit.used);
        atomic_store(&allowed, used > i % 3 ? used : i % 3);
        atomic_fetch_add(&changes, 1);
        for (unsigned j = 0; j < 100; j++)
            (void)limit_has_room(&limit); /* a while, for a late thread to show */
        atomic_fetch_add(&changes, 1);
        atomic_store(&allowed, 3);
        (void)limit_move(&limit, 3);
        atomic_fetch_add(&changes, 1);
    }
    atomic_store(&over, true);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(atomic_load(&beyond), 0);
    ck_assert_uint_eq(limit.used, 0);
}
END_TEST

Suite *limit_suite(void)
{
    Suite *suite = suite_create("limit");
    TCase *tcase = tcase_create("limit");
    tcase_set_timeout(tcase, 120); /* with a sanitizer */
    tcase_add_test(tcase, a_full_limit_refuses);
    tcase_add_test(tcase, zero_is_no_limit);
    tcase_add_test(tcase, release_reports_waiters);
    tcase_add_test(tcase, threads_never_exceed_it);
    tcase_add_test(tcase, refused_take_does_not_change_the_count);
    tcase_add_test(tcase, shrinking_ends_at_zero);
    tcase_add_test(tcase, a_lowered_maximum_is_exact);
    suite_add_tcase(suite, tcase);
    return suite;
}
