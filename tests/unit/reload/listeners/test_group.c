#include "reload/listeners/group.h"
#include "tests/unit/suites.h"

#include <check.h>
#include <stdbool.h>

#define MOST        5
#define GENERATIONS 8

/* Simulates the kernel: each slot contains "generation * 10 + number in the order of listen()". */
struct simulation {
    unsigned slots[2 * MOST + 1];
    unsigned used;
};

static void simulate_listen(struct simulation *group, unsigned generation, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        group->slots[group->used++] = generation * 10 + i;
}

static void simulate_close(struct simulation *group, unsigned index)
{
    group->slots[index] = group->slots[--group->used];
}

static bool holds_only(const struct simulation *group, struct steer_range range,
                       unsigned generation)
{
    if (range.count == 0 || range.first + range.count > group->used)
        return false;
    for (unsigned i = range.first; i < range.first + range.count; i++)
        if (group->slots[i] / 10 != generation)
            return false;
    return true;
}

START_TEST(ranges)
{
    struct steer_range range = group_pinned(3);

    ck_assert_uint_eq(range.first, 0);
    ck_assert_uint_eq(range.count, 3);
    range = group_handed_over(3, 2);
    ck_assert_uint_eq(range.first, 3);
    ck_assert_uint_eq(range.count, 2);
    range = group_shared(3);
    ck_assert_uint_eq(range.first, 3);
    ck_assert_uint_eq(range.count, 1);
    range = group_while_closing(2, 2);
    ck_assert_uint_eq(range.first, 3);
    ck_assert_uint_eq(range.count, 1);
}
END_TEST

START_TEST(rotation_of_the_header_s_example)
{
    const unsigned standing[] = {1, 2, 0}; /* Y Z X */

    ck_assert_uint_eq(group_rotation(0, 3, 2), 2);
    ck_assert_uint_eq(group_rotation(group_rotation(0, 3, 1), 3, 1), 2);
    ck_assert_uint_eq(group_rotation(2, 3, 0), 2);
    ck_assert_uint_eq(group_rotation(0, 2, 5), 1);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_uint_eq(group_standing(i, 3, 2), standing[i]);
}
END_TEST

/* One handover in the simulation: `own` listeners of the new process replace `old` ones, whose
 * rotation is known. */
static unsigned hand_over(struct simulation *group, unsigned generation, unsigned old,
                          unsigned old_rotation, unsigned own)
{
    unsigned rotation = 0;

    simulate_listen(group, generation, own);
    ck_assert(holds_only(group, group_pinned(old), generation - 1));
    ck_assert(holds_only(group, group_handed_over(old, own), generation));
    for (unsigned closing = old; closing-- > 0;) {
        struct steer_range range = group_while_closing(closing, own);

        /* The old process chooses the right listener to close. */
        ck_assert_uint_eq(group->slots[closing],
                          (generation - 1) * 10 + group_standing(closing, old, old_rotation));
        if (own >= GROUP_MIN)
            ck_assert(holds_only(group, range, generation));
        simulate_close(group, closing);
        if (own >= GROUP_MIN)
            ck_assert(holds_only(group, range, generation));

        rotation = group_rotation(rotation, own, 1);
        for (unsigned i = 0; i < own; i++)
            ck_assert_uint_eq(group->slots[closing + i],
                              generation * 10 + group_standing(i, own, rotation));
    }
    ck_assert_uint_eq(rotation, group_rotation(0, own, old));
    ck_assert_uint_eq(group->used, own);
    return rotation;
}

START_TEST(agrees_with_last_moves_into_the_slot)
{
    for (unsigned a = 1; a <= MOST; a++)
        for (unsigned b = 1; b <= MOST; b++)
            for (unsigned c = 1; c <= MOST; c++) {
                const unsigned sizes[] = {a, b, c};
                struct simulation group = {.used = 0};
                unsigned rotation = 0;

                simulate_listen(&group, 0, a);
                for (unsigned g = 1; g <= GENERATIONS; g++)
                    rotation = hand_over(&group, g, sizes[(g - 1) % 3], rotation, sizes[g % 3]);
            }
}
END_TEST

START_TEST(position_is_the_inverse_of_standing)
{
    for (unsigned own = 1; own <= MOST; own++)
        for (unsigned rotation = 0; rotation < 2 * MOST; rotation++)
            for (unsigned i = 0; i < own; i++) {
                unsigned position = group_position(i, own, rotation);

                ck_assert_uint_lt(position, own);
                ck_assert_uint_eq(group_standing(position, own, rotation), i);
            }
}
END_TEST

/* Worker i is at place i % cpus; the expected values were counted by hand. */
START_TEST(every_worker_has_a_place)
{
    for (unsigned cpus = 1; cpus <= MOST; cpus++)
        for (unsigned workers = 1; workers <= 3 * MOST; workers++)
            for (unsigned place = 0; place < cpus; place++) {
                unsigned counted = 0;

                for (unsigned i = 0; i < workers; i++)
                    counted += i % cpus == place;
                ck_assert_uint_eq(group_sharers(place, cpus, workers), counted);
            }
}
END_TEST

/* New connections reach a sink, in any order of closing the other slots. */
START_TEST(sinks_in_any_order_of_closing)
{
    for (unsigned own = 1; own <= MOST; own++)
        for (unsigned step = 1; step <= MOST; step++) {
            struct simulation group = {.used = 0};

            simulate_listen(&group, 0, own);
            simulate_listen(&group, 1, group_sinks(own));
            for (unsigned left = own, at = 0; left > 0; left--) {
                ck_assert(holds_only(&group, group_sunk(own), 1));
                for (at = (at + step) % own; group.slots[at] >= 10;)
                    at = (at + 1) % own;
                simulate_close(&group, at);
            }
            ck_assert(holds_only(&group, group_sunk(own), 1));
        }
}
END_TEST

Suite *group_suite(void)
{
    Suite *suite = suite_create("group");
    TCase *tests = tcase_create("arithmetic");

    tcase_add_test(tests, ranges);
    tcase_add_test(tests, rotation_of_the_header_s_example);
    tcase_add_test(tests, agrees_with_last_moves_into_the_slot);
    tcase_add_test(tests, position_is_the_inverse_of_standing);
    tcase_add_test(tests, every_worker_has_a_place);
    tcase_add_test(tests, sinks_in_any_order_of_closing);
    suite_add_tcase(suite, tests);
    return suite;
}
