/* Several processes share a limit. */
#include "proxy/core/limit_shares.h"
#include "tests/unit/suites.h"

#include <check.h>

static unsigned target(unsigned limit, struct share_view own, struct share_view other)
{
    return share_target(limit, &own, &other, 1);
}

START_TEST(a_process_alone_has_all)
{
    const struct share_view own = {.used = 3, .claim = 3, .accepts = true};
    ck_assert_uint_eq(share_target(10, &own, NULL, 0), 10);
    ck_assert_uint_eq(share_ceiling(10, NULL, 0), 10);
}
END_TEST

START_TEST(what_the_old_process_uses_is_not_for_the_new_one)
{
    const struct share_view old = {.used = 7, .claim = 10, .elder = true};
    const struct share_view new = {.accepts = true};
    ck_assert_uint_eq(target(10, new, old), 0); /* until the old process has lowered its share */
    ck_assert_uint_eq(target(10, old, new), 7);
    const struct share_view lower = {.used = 7, .claim = 7, .elder = true};
    ck_assert_uint_eq(target(10, new, lower), 3);
    ck_assert_uint_eq(share_ceiling(10, &lower, 1), 3);
}
END_TEST

START_TEST(waiters_of_the_old_process_come_first)
{
    const struct share_view old = {.used = 2, .claim = 2, .wanted = 5, .elder = true};
    const struct share_view new = {.used = 6, .claim = 8, .wanted = 9, .accepts = true};
    ck_assert_uint_eq(target(10, new, old), 3);
    const struct share_view lowered = {.used = 6, .claim = 3, .wanted = 9, .accepts = true};
    ck_assert_uint_eq(target(10, old, lowered), 4);
    /* More waiters than places. */
    const struct share_view many = {.used = 2, .claim = 2, .wanted = 500, .elder = true};
    ck_assert_uint_eq(target(10, new, many), 0);
    const struct share_view none = {.accepts = true};
    ck_assert_uint_eq(target(10, many, none), 10);
}
END_TEST

START_TEST(a_limit_that_is_smaller_than_before)
{
    const struct share_view old = {.used = 10, .claim = 10, .wanted = 3, .elder = true};
    const struct share_view new = {.accepts = true};
    ck_assert_uint_eq(target(5, new, old), 0);
    ck_assert_uint_eq(target(5, old, new), 5);
    const struct share_view moved = {.used = 10, .claim = 0, .accepts = true};
    const struct share_view rest = {.used = 0, .claim = 5, .wanted = 3, .elder = true};
    ck_assert_uint_eq(target(5, rest, moved), 0);
    ck_assert_uint_eq(share_ceiling(5, &moved, 1), 0);
}
END_TEST

START_TEST(two_that_accept_share)
{
    const struct share_view old = {.used = 2, .claim = 10, .accepts = true, .elder = true};
    const struct share_view canary = {.used = 1, .claim = 1, .accepts = true};
    const struct share_view young = {.used = 2, .claim = 10, .accepts = true};
    ck_assert_uint_eq(target(10, canary, old), 4);
    ck_assert_uint_eq(target(10, young, canary), 6);
    const struct share_view busy = {.used = 10, .claim = 10, .wanted = 80, .accepts = true};
    const struct share_view few = {.used = 0, .claim = 0, .wanted = 1, .accepts = true};
    ck_assert_uint_eq(target(10, few, busy), 1);
    ck_assert_uint_eq(target(10, busy, few), 9);
}
END_TEST

/* Processes at random moments, each with what the others have said last: never more than the limit,
 * and in the end all who want a place have one, or there is none. */
enum { PROCESSES = 3, LIMIT = 7 };

static unsigned random_below(unsigned *state, unsigned below)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 16) % below;
}

static size_t view_others(const struct share_view *all, size_t own, struct share_view *others)
{
    size_t count = 0;
    for (size_t i = 0; i < PROCESSES; i++)
        if (i != own) {
            others[count] = all[i];
            others[count++].elder = i < own;
        }
    return count;
}

static void look(struct share_view *all, unsigned *max, size_t own)
{
    struct share_view others[PROCESSES];
    size_t count = view_others(all, own, others);
    unsigned wish = share_target(LIMIT, &all[own], others, count);
    if (wish > max[own]) {
        unsigned ceiling = share_ceiling(LIMIT, others, count);
        if (wish > ceiling)
            wish = ceiling;
        if (wish > max[own])
            max[own] = wish;
    } else {
        max[own] = wish;
    }
    all[own].claim = max[own];
}

static void serve(struct share_view *view, unsigned max)
{
    while (view->wanted > 0 && view->used < max) {
        view->wanted--;
        view->used++;
    }
}

START_TEST(random_processes_never_exceed_it)
{
    unsigned seed = 3;
    for (unsigned round = 0; round < 300; round++) {
        struct share_view all[PROCESSES] = {{.used = LIMIT, .claim = LIMIT}};
        unsigned max[PROCESSES] = {LIMIT};
        all[PROCESSES - 1].accepts = true;
        for (size_t i = 0; i < PROCESSES; i++)
            all[i].wanted = random_below(&seed, 20);
        for (unsigned step = 0; step < 1000; step++) {
            size_t i = random_below(&seed, PROCESSES);
            look(all, max, i);
            serve(&all[i], max[i]);
            if (all[i].used > 0 && random_below(&seed, 2))
                all[i].used--;
            serve(&all[i], max[i]);
            unsigned sum = 0;
            for (size_t j = 0; j < PROCESSES; j++)
                sum += all[j].used;
            ck_assert_uint_le(sum, LIMIT);
        }
        for (size_t i = 0; i < PROCESSES; i++)
            ck_assert_uint_eq(all[i].wanted, 0); /* nobody starves */
    }
}
END_TEST

Suite *limit_shares_suite(void)
{
    Suite *suite = suite_create("limit_shares");
    TCase *tcase = tcase_create("shares");
    tcase_add_test(tcase, a_process_alone_has_all);
    tcase_add_test(tcase, what_the_old_process_uses_is_not_for_the_new_one);
    tcase_add_test(tcase, waiters_of_the_old_process_come_first);
    tcase_add_test(tcase, a_limit_that_is_smaller_than_before);
    tcase_add_test(tcase, two_that_accept_share);
    tcase_add_test(tcase, random_processes_never_exceed_it);
    suite_add_tcase(suite, tcase);
    return suite;
}
