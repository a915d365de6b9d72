/* What a process does with its limit of descriptors. */
#include "reload/listeners/descriptors.h"

#include "config/load.h"
#include "proxy/worker.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"

#include <stdio.h>
#include <string.h>

/* Makes a configuration with these numbers of binds and servers. */
static struct config *configure(unsigned binds, unsigned servers, const char *global)
{
    static char text[1 << 16];
    size_t at = (size_t)snprintf(text, sizeof text, "[global]\n%s[listen a]\n", global);
    for (unsigned i = 0; i < binds; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "bind = 127.0.0.1:%u\n", 1000 + i);
    for (unsigned i = 0; i < servers; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "server = s%u 127.0.0.1:9\n", i);
    return load_good(text);
}

/* Returns what a process of this configuration offers to its successor. */
static struct offer offer_of(const struct config *config, unsigned listeners)
{
    struct offer offer = {0};
    for (size_t i = 0; i < config->frontends[0].bind_count; i++) {
        struct offered *offered = offer_add(&offer, config->frontends[0].binds[i].text);
        ck_assert_ptr_nonnull(offered);
        offered->listeners = listeners;
    }
    return offer;
}

static unsigned sum(const struct descriptors *plan, unsigned workers, unsigned sessions)
{
    return plan->listeners + plan->workers + plan->base + plan->aside + plan->spares * workers +
           2 * sessions;
}

/* If the configuration fits: the sum is not above the limit, neither alone nor during a reload; a
 * reload does not change the result; and descriptors for clients are left. */
START_TEST(the_sum_is_within_the_limit)
{
    static const unsigned limits[] = {64, 128, 256, 1024, 4096, 65536, 1 << 20};
    static const unsigned workers[] = {1, 2, 7, 32, 64};
    static const unsigned binds[] = {1, 20, 150, 500};
    char text[DESCRIPTORS_TEXT_MAX];
    unsigned seen = 0;
    for (unsigned b = 0; b < 4; b++) {
        struct config *config = configure(binds[b], 40, "");
        for (unsigned w = 0; w < 5; w++) {
            unsigned listeners = workers[w] > 2 ? workers[w] : 2;
            struct offer offer = offer_of(config, listeners);
            for (unsigned l = 0; l < sizeof limits / sizeof *limits; l++) {
                struct descriptors alone = descriptors_plan(config, workers[w], NULL, limits[l]);
                struct descriptors next = descriptors_plan(config, workers[w], &offer, limits[l]);
                unsigned own = alone.listeners + alone.workers + alone.base;
                ck_assert_uint_eq(alone.listeners, binds[b] * listeners);
                ck_assert_uint_eq(next.foreign, alone.listeners);
                ck_assert_uint_eq(alone.sessions, alone.sessions_meanwhile);
                ck_assert_uint_eq(alone.sessions, next.sessions);
                ck_assert_int_eq(descriptors_suffice(&alone, text), own + 2 <= limits[l]);
                ck_assert_int_eq(descriptors_suffice(&next, text),
                                 own + next.foreign + 2 <= limits[l]);
                if (!descriptors_suffice(&next, text))
                    continue;
                seen++;
                ck_assert_uint_le(sum(&alone, workers[w], alone.sessions) + alone.reserve,
                                  limits[l]);
                ck_assert_uint_le(sum(&next, workers[w], next.sessions_meanwhile) + next.foreign,
                                  limits[l]);
                ck_assert_uint_ge(2 * alone.sessions + 2, (limits[l] - own - next.foreign) / 4);
            }
            offer_free(&offer);
        }
        config_free(config);
    }
    ck_assert_uint_gt(seen, 40);
}
END_TEST

START_TEST(error_has_the_numbers_of_descriptors)
{
    char text[DESCRIPTORS_TEXT_MAX], expected[DESCRIPTORS_TEXT_MAX];
    struct config *config = configure(150, 1, "");
    struct offer offer = offer_of(config, 4);
    struct descriptors plan = descriptors_plan(config, 4, &offer, 1024);
    ck_assert(!descriptors_suffice(&plan, text));
    unsigned workers = 4 * WORKER_DESCRIPTORS, all = 600 + 600 + workers + 24 + 2;
    snprintf(expected, sizeof expected,
             "at least %u descriptors are needed, and the limit is 1024 (ulimit -n, LimitNOFILE=): "
             "600 are for listening sockets, 600 for those of the process before, %u for workers, "
             "24 for the process itself, 2 for a session",
             all, workers);
    ck_assert_str_eq(text, expected);
    plan = descriptors_plan(config, 4, NULL, 1024);
    ck_assert(descriptors_suffice(&plan, text));
    ck_assert(descriptors_are_few(&plan, text));
    snprintf(expected, sizeof expected, "a reload will be refused: it takes %u descriptors", all);
    ck_assert_ptr_nonnull(strstr(text, expected));
    plan = descriptors_plan(config, 4, NULL, 1300);
    ck_assert(descriptors_are_few(&plan, text));
    ck_assert_ptr_nonnull(strstr(text, "sessions fit into the limit of 1300 descriptors"));
    plan = descriptors_plan(config, 4, NULL, 20000);
    ck_assert(!descriptors_are_few(&plan, text));
    offer_free(&offer);
    config_free(config);
}
END_TEST

/* Passed sockets count once, as descriptors of the process. */
START_TEST(passed_sockets_count_once)
{
    struct config *config = configure(2, 1, "");
    struct offer offer = offer_of(config, 3);
    int fds[] = {-1, -1, -1};
    ck_assert_int_eq(offered_add_fds(&offer.list[0], fds, 3), 0);
    struct descriptors plan = descriptors_plan(config, 4, &offer, 1024);
    ck_assert_uint_eq(plan.listeners, 3 + 4);
    ck_assert_uint_eq(plan.foreign, 3);
    offer_free(&offer);
    config_free(config);
}
END_TEST

Suite *descriptors_suite(void)
{
    Suite *suite = suite_create("descriptors");
    TCase *tcase = tcase_create("descriptors");
    tcase_add_checked_fixture(tcase, folder_make, folder_remove);
    tcase_add_test(tcase, the_sum_is_within_the_limit);
    tcase_add_test(tcase, error_has_the_numbers_of_descriptors);
    tcase_add_test(tcase, passed_sockets_count_once);
    suite_add_tcase(suite, tcase);
    return suite;
}
