#include "config/load.h"
#include "reload/handover/canary.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"

#include <check.h>
#include <string.h>

/* --- the plan ------------------------------------------------------------------------------ */

static const struct {
    const char *text;
    struct canary_plan plan;
    const char *share;
} good[] = {
    {"5%:30s", {500, false, 30000}, "5%"},
    {"0.01%:1ms", {1, false, 1}, "0.01%"},
    {"99.99%:1h", {9999, false, 3600000}, "99.99%"},
    {"2.5%:10m:by-source", {250, true, 600000}, "2.5% by source"},
    {"007.10%:1s", {710, false, 1000}, "7.1%"},
};

START_TEST(a_plan_is_read)
{
    char text[CANARY_SHARE_MAX];
    struct canary_plan plan;
    ck_assert_ptr_null(canary_read(good[_i].text, &plan));
    ck_assert_uint_eq(plan.share, good[_i].plan.share);
    ck_assert_uint_eq(plan.duration, good[_i].plan.duration);
    ck_assert_int_eq(plan.by_source, good[_i].plan.by_source);
    ck_assert_str_eq(canary_share_text(&plan, text), good[_i].share);
}
END_TEST

static const struct {
    const char *text, *wrong;
} bad[] = {
    {"", "the share"},
    {"%:30s", "the share"},
    {"5:30s", "the share"},
    {"0%:30s", "the share"},
    {"0.00%:30s", "the share"},
    {"0.001%:30s", "the share"},
    {"100%:30s", "the share"},
    {"100.01%:30s", "the share"},
    {"4294967301%:30s", "the share"},
    {"99999999999999999999999%:30s", "the share"},
    {"-5%:30s", "the share"},
    {"5.%:30s", "the share"},
    {".5%:30s", "the share"},
    {" 5%:30s", "the share"},
    {"5%", "a time must follow"},
    {"5%30s", "a time must follow"},
    {"5%:", "the time must be"},
    {"5%:30", "the time must be"},
    {"5%:0s", "the time must be"},
    {"5%:-1s", "the time must be"},
    {"5%::by-source", "the time must be"},
    {"5%:000000000000000000000000000000000030s", "the time is too long"},
    {"5%:30s:", "only by-source"},
    {"5%:30s:by-sources", "only by-source"},
    {"5%:30s:by-source:", "only by-source"},
};

START_TEST(invalid_plan_is_refused)
{
    struct canary_plan plan = {.share = 77};
    const char *wrong = canary_read(bad[_i].text, &plan);
    ck_assert_ptr_nonnull(wrong);
    ck_assert_msg(strncmp(wrong, bad[_i].wrong, strlen(bad[_i].wrong)) == 0, "'%s': %s",
                  bad[_i].text, wrong);
    ck_assert_uint_eq(plan.share, 77);
}
END_TEST

/* --- the rule ------------------------------------------------------------------------------ */

struct side {
    unsigned sessions, connect_errors, failed, cut;
};

static const struct {
    struct side canary, predecessor;
    enum canary_verdict early, late;
} cases[] = {
    /* No sessions, and no failures. */
    {{0, 0, 0, 0}, {0, 0, 0, 0}, CANARY_GOES_ON, CANARY_PROMOTED},
    {{0, 0, 0, 0}, {100, 90, 80, 5}, CANARY_GOES_ON, CANARY_PROMOTED},
    {{10, 0, 0, 0}, {0, 0, 0, 0}, CANARY_GOES_ON, CANARY_PROMOTED},
    /* Two failures among many sessions are accepted, three are not; if most sessions fail, two are
       not. */
    {{10, 0, 2, 0}, {90, 0, 0, 0}, CANARY_GOES_ON, CANARY_PROMOTED},
    {{10, 0, 3, 0}, {90, 0, 0, 0}, CANARY_WORSE, CANARY_WORSE},
    {{10, 0, 1, 2}, {90, 0, 0, 0}, CANARY_WORSE, CANARY_WORSE},
    {{2, 0, 2, 0}, {90, 0, 0, 0}, CANARY_GOES_ON, CANARY_WORSE},
    {{3, 0, 2, 0}, {90, 0, 0, 0}, CANARY_GOES_ON, CANARY_WORSE},
    {{4, 0, 2, 0}, {90, 0, 0, 0}, CANARY_GOES_ON, CANARY_PROMOTED},
    {{3, 0, 2, 0}, {90, 30, 30, 0}, CANARY_GOES_ON, CANARY_PROMOTED},
    {{1, 0, 0, 1}, {90, 0, 0, 0}, CANARY_GOES_ON, CANARY_WORSE},
    {{1, 1, 0, 0}, {90, 0, 0, 0}, CANARY_GOES_ON, CANARY_WORSE},
    /* The canary may have twice the share of failures of the old process, plus one percent. */
    {{300, 0, 3, 0}, {1000, 0, 0, 0}, CANARY_GOES_ON, CANARY_PROMOTED},
    {{299, 0, 3, 0}, {1000, 0, 0, 0}, CANARY_WORSE, CANARY_WORSE},
    {{100, 0, 0, 11}, {1000, 0, 0, 50}, CANARY_GOES_ON, CANARY_PROMOTED},
    {{100, 0, 0, 12}, {1000, 0, 0, 50}, CANARY_WORSE, CANARY_WORSE},
    {{100, 100, 100, 0}, {1000, 900, 900, 0}, CANARY_GOES_ON, CANARY_PROMOTED},
    /* Retries have saved the sessions, but the canary is worse. */
    {{100, 50, 0, 0}, {1000, 0, 0, 0}, CANARY_WORSE, CANARY_WORSE},
    {{100, 50, 0, 0}, {1000, 300, 0, 0}, CANARY_GOES_ON, CANARY_PROMOTED},
    /* The old process fails too, with sessions that were accepted before. */
    {{3, 0, 3, 0}, {0, 0, 0, 1}, CANARY_GOES_ON, CANARY_PROMOTED},
};

static struct figures figures_of(const struct side *side)
{
    return (struct figures){.sessions = side->sessions,
                            .connect_errors = side->connect_errors,
                            .failed = side->failed,
                            .cut = side->cut};
}

START_TEST(the_rule)
{
    const struct canary_figures figures = {figures_of(&cases[_i].canary),
                                           figures_of(&cases[_i].predecessor)};
    ck_assert_int_eq(canary_judge(&figures, false), cases[_i].early);
    ck_assert_int_eq(canary_judge(&figures, true), cases[_i].late);
}
END_TEST

START_TEST(figures_are_shown)
{
    char text[CANARY_TEXT_MAX];
    struct canary_figures figures = {{.sessions = 1, .connect_errors = 2, .failed = 3, .cut = 4},
                                     {.sessions = 5}};
    ck_assert_str_eq(canary_figures_text(&figures, text),
                     "canary: 1 session, 2 failed connects, 3 failed, 4 cut; "
                     "predecessor: 5 sessions, 0 failed connects, 0 failed, 0 cut");
    memset(&figures, 0xff, sizeof figures);
    ck_assert_uint_lt(strlen(canary_figures_text(&figures, text)), sizeof text);
}
END_TEST

/* --- the watch ----------------------------------------------------------------------------- */

struct watch {
    struct event_base *base;
    struct config *config;
    struct stats canary, predecessor;
    enum canary_verdict verdict;
};

static void on_verdict(enum canary_verdict verdict, void *arg)
{
    struct watch *watch = arg;
    watch->verdict = verdict;
    event_base_loopbreak(watch->base);
}

static void watch_open(struct watch *watch)
{
    folder_make();
    *watch = (struct watch){.base = event_base_new()};
    watch->config = load_good("[listen web]\nbind = 127.0.0.1:1\nserver = a 127.0.0.1:3\n");
    ck_assert_int_eq(stats_open(&watch->canary, watch->config, 2, 1), 0);
    ck_assert_int_eq(stats_open(&watch->predecessor, watch->config, 1, 1), 0);
    counter_add(&stats_counters(&watch->canary, 0)->sessions, 3);
    counter_add(&stats_counters(&watch->predecessor, 0)->sessions, 1000);
}

static void watch_close(struct watch *watch)
{
    stats_close(&watch->canary);
    stats_close(&watch->predecessor);
    config_free(watch->config);
    event_base_free(watch->base);
    folder_remove();
}

/* What the old process counted before the canary does not count. */
START_TEST(canary_is_promoted_after_its_time)
{
    struct watch watch;
    watch_open(&watch);
    const struct canary_plan plan = {.share = 1, .duration = 1};
    struct canary *canary =
        canary_begin(&plan, &watch.canary, &watch.predecessor, watch.base, on_verdict, &watch);
    counter_add(&stats_counters(&watch.canary, 0)->sessions, 7);
    event_base_dispatch(watch.base);
    ck_assert_int_eq(watch.verdict, CANARY_PROMOTED);
    ck_assert_uint_eq(canary_left(canary), 0);
    const struct canary_figures figures = canary_figures(canary);
    ck_assert_uint_eq(figures.canary.sessions, 3 + 7);
    ck_assert_uint_eq(figures.canary.failed, 0);
    ck_assert_uint_eq(figures.predecessor.sessions, 0);
    canary_free(canary);
    watch_close(&watch);
}
END_TEST

START_TEST(bad_canary_is_seen_before_the_end)
{
    struct watch watch;
    watch_open(&watch);
    const struct canary_plan plan = {.share = 1, .duration = UINT64_MAX};
    struct canary *canary =
        canary_begin(&plan, &watch.canary, &watch.predecessor, watch.base, on_verdict, &watch);
    counter_add(&stats_counters(&watch.canary, 0)->sessions, 7);
    counter_add(&stats_counters(&watch.canary, 0)->failed, 3);
    event_base_dispatch(watch.base);
    ck_assert_int_eq(watch.verdict, CANARY_WORSE);
    ck_assert_uint_gt(canary_left(canary), 0);
    canary_free(canary);
    watch_close(&watch);
}
END_TEST

Suite *canary_suite(void)
{
    Suite *suite = suite_create("canary");
    TCase *tests = tcase_create("canary");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, a_plan_is_read, 0, sizeof good / sizeof *good);
    tcase_add_loop_test(tests, invalid_plan_is_refused, 0, sizeof bad / sizeof *bad);
    tcase_add_loop_test(tests, the_rule, 0, sizeof cases / sizeof *cases);
    tcase_add_test(tests, figures_are_shown);
    tcase_add_test(tests, canary_is_promoted_after_its_time);
    tcase_add_test(tests, bad_canary_is_seen_before_the_end);
    suite_add_tcase(suite, tests);
    return suite;
}
