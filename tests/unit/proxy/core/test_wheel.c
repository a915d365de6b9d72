#include "proxy/core/wheel.h"
#include "tests/unit/suites.h"

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>

/* The clock of the wheel, which the test moves. */
static uint64_t now;
static struct wheel wheel;

struct item {
    struct wheel_entry entry;
    uint64_t due;
    unsigned early;
    uint64_t fired; /* the time at which the entry fired; 0: not yet */
};

static uint64_t read_clock(void *arg)
{
    (void)arg;
    return now;
}

static void fire(struct wheel_entry *entry)
{
    struct item *item = (struct item *)(void *)entry;
    if (now >= item->due) {
        item->fired = now;
        return;
    }
    item->early++;
    wheel_set(&wheel, entry, item->due);
}

static void setup(void)
{
    now = 1000000;
    wheel_open(&wheel, read_clock, fire, NULL);
}

static void set(struct item *item, uint64_t due)
{
    *item = (struct item){.due = due};
    wheel_entry_init(&item->entry);
    wheel_set(&wheel, &item->entry, due);
}

/* Moves the clock in steps, and turns the wheel each time it is due. */
static void pass(uint64_t milliseconds)
{
    uint64_t end = now + milliseconds;
    while (now < end) {
        now += WHEEL_TICK_MS < end - now ? WHEEL_TICK_MS : end - now;
        if (now >= wheel_due(&wheel))
            wheel_turn(&wheel);
    }
}

START_TEST(fires_within_a_tick)
{
    struct item items[5];
    const uint64_t waits[] = {1, 16, 100, 5000, 60000};
    for (size_t i = 0; i < 5; i++)
        set(&items[i], now + waits[i]);
    uint64_t start = now;
    pass(70000);
    for (size_t i = 0; i < 5; i++) {
        ck_assert_uint_ge(items[i].fired, start + waits[i]);
        ck_assert_uint_le(items[i].fired, start + waits[i] + 2 * WHEEL_TICK_MS);
    }
}
END_TEST

START_TEST(one_hour_costs_few_wake_ups)
{
    struct item item;
    set(&item, now + 3600000);
    uint64_t start = now;
    pass(3601000);
    ck_assert_uint_ge(item.fired, start + 3600000);
    ck_assert_uint_le(item.early, 3600000 / (WHEEL_SLOTS - WHEEL_COARSE) / WHEEL_TICK_MS + 16);
}
END_TEST

START_TEST(earlier_moves_and_later_does_not)
{
    struct item item;
    set(&item, now + 5000);
    uint64_t filed = item.entry.tick;
    wheel_set(&wheel, &item.entry, now + 9000);
    ck_assert_uint_eq(item.entry.tick, filed);
    wheel_set(&wheel, &item.entry, now + 50);
    ck_assert_uint_lt(item.entry.tick, filed);
    item.due = now + 50;
    pass(100);
    ck_assert_uint_ne(item.fired, 0);
}
END_TEST

START_TEST(cancelled_never_fires)
{
    struct item item;
    set(&item, now + 50);
    wheel_cancel(&item.entry);
    wheel_cancel(&item.entry);
    pass(60000);
    ck_assert_uint_eq(item.fired, 0);
    ck_assert_uint_eq(item.early, 0);
}
END_TEST

START_TEST(empty_wheel_catches_up_with_the_clock)
{
    struct item item;
    now += 86400000;
    set(&item, now + 5000);
    uint64_t start = now;
    pass(6000);
    ck_assert_uint_ge(item.fired, start + 5000);
    ck_assert_uint_eq(item.early, 0);
}
END_TEST

START_TEST(after_a_stall_everything_due_fires)
{
    struct item items[200];
    for (size_t i = 0; i < 200; i++)
        set(&items[i], now + 10 * (i + 1));
    now += 3 * WHEEL_SLOTS * WHEEL_TICK_MS;
    pass(WHEEL_TICK_MS);
    for (size_t i = 0; i < 200; i++)
        ck_assert_uint_ne(items[i].fired, 0);
}
END_TEST

Suite *wheel_suite(void)
{
    Suite *suite = suite_create("wheel");
    TCase *tcase = tcase_create("wheel");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, fires_within_a_tick);
    tcase_add_test(tcase, one_hour_costs_few_wake_ups);
    tcase_add_test(tcase, earlier_moves_and_later_does_not);
    tcase_add_test(tcase, cancelled_never_fires);
    tcase_add_test(tcase, empty_wheel_catches_up_with_the_clock);
    tcase_add_test(tcase, after_a_stall_everything_due_fires);
    suite_add_tcase(suite, tcase);
    return suite;
}
