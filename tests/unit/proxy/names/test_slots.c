#include "proxy/names/slots.h"

#include "tests/unit/suites.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANY 40

static struct address address_of(unsigned number)
{
    return (struct address){
        .length = sizeof(struct sockaddr_in),
        .in = {.sin_family = AF_INET, .sin_port = htons(80), .sin_addr.s_addr = htonl(number)}};
}

static struct answer_item item_of(unsigned number)
{
    return (struct answer_item){.address = address_of(number)};
}

/* Slots as they are over several answers. */
struct world {
    struct slot slots[MANY];
    size_t count, max;
};

/* Does with the slots what an answer says. Returns how many addresses have no slot. */
static size_t answer(struct world *world, const struct answer_item *items, size_t count,
                     unsigned keep)
{
    size_t slots[MANY];
    bool taken[MANY] = {false};
    size_t without =
        slots_assign(world->slots, world->count, world->max, keep, items, count, slots);
    ck_assert_uint_ne(without, SIZE_MAX);
    size_t highest = world->count;
    for (size_t i = 0; i < count; i++) {
        if (slots[i] == SLOT_NONE)
            continue;
        ck_assert_uint_lt(slots[i], world->max);
        ck_assert_msg(!taken[slots[i]], "slot %zu is given twice", slots[i]);
        taken[slots[i]] = true;
        if (slots[i] >= highest)
            highest = slots[i] + 1;
    }
    for (size_t i = world->count; i < highest; i++)
        ck_assert_msg(taken[i], "slot %zu is a gap", i);
    world->count = highest;
    for (size_t i = 0; i < world->count; i++)
        if (!taken[i] && world->slots[i].address.length &&
            !slots_is_kept(&world->slots[i].address, keep)) {
            world->slots[i].last = world->slots[i].address;
            world->slots[i].address = (struct address){0};
        }
    for (size_t i = 0; i < count; i++) {
        struct slot *slot = slots[i] == SLOT_NONE ? NULL : &world->slots[slots[i]];
        if (!slot || address_equal(&slot->address, &items[i].address))
            continue;
        if (slot->address.length)
            slot->last = slot->address;
        slot->address = items[i].address;
    }
    return without;
}

/* "1 2 - 4": what the slots have. */
static const char *text_of(const struct world *world)
{
    static char text[512];
    size_t length = 0;
    text[0] = '\0';
    for (size_t i = 0; i < world->count; i++) {
        const struct address *address = &world->slots[i].address;
        length +=
            (size_t)(address->length
                         ? snprintf(text + length, sizeof text - length, "%s%u", i ? " " : "",
                                    ntohl(address->in.sin_addr.s_addr))
                         : snprintf(text + length, sizeof text - length, "%s-", i ? " " : ""));
    }
    return text;
}

/* An answer of these numbers, "0" at the end. */
static size_t answer_numbers(struct world *world, unsigned keep, const unsigned *numbers)
{
    struct answer_item items[MANY];
    size_t count = 0;
    for (; numbers[count]; count++)
        items[count] = item_of(numbers[count]);
    return answer(world, items, count, keep);
}

#define NUMBERS(...) ((const unsigned[]){__VA_ARGS__, 0})

START_TEST(addresses_come_and_go)
{
    struct world world = {.max = 4};
    ck_assert_uint_eq(answer_numbers(&world, 0, NUMBERS(3, 1, 2)), 0);
    ck_assert_str_eq(text_of(&world), "1 2 3");
    answer_numbers(&world, 0, NUMBERS(2, 3, 1));
    ck_assert_str_eq(text_of(&world), "1 2 3");
    answer_numbers(&world, 0, NUMBERS(3, 1));
    ck_assert_str_eq(text_of(&world), "1 - 3");
    answer_numbers(&world, 0, NUMBERS(3));
    ck_assert_str_eq(text_of(&world), "- - 3");
    answer_numbers(&world, 0, NUMBERS(3, 9));
    ck_assert_str_eq(text_of(&world), "9 - 3");
    answer_numbers(&world, 0, NUMBERS(3, 9, 2));
    ck_assert_str_eq(text_of(&world), "9 2 3");
    ck_assert_uint_eq(answer_numbers(&world, 0, NUMBERS(3, 9, 2, 7, 8)), 1);
    ck_assert_str_eq(text_of(&world), "9 2 3 7");
}
END_TEST

START_TEST(part_of_an_answer_takes_nothing_away)
{
    struct world world = {.max = 3};
    answer_numbers(&world, 0, NUMBERS(1, 2));
    ck_assert_uint_eq(answer_numbers(&world, SLOTS_KEEP_IPV4, NUMBERS(3, 4)), 1);
    ck_assert_str_eq(text_of(&world), "1 2 3");
}
END_TEST

START_TEST(address_that_is_there_twice_counts_once)
{
    struct world world = {.max = 3};
    struct answer_item items[] = {item_of(1), item_of(1), item_of(2)};
    size_t slots[3];
    items[0].priority = 2;
    items[1].priority = 1;
    ck_assert_uint_eq(slots_assign(NULL, 0, 3, 0, items, 3, slots), 0);
    ck_assert_uint_eq(slots[0], SLOT_NONE);
    ck_assert_uint_eq(slots[2], 0);
    ck_assert_uint_eq(slots[1], 1);
    ck_assert_uint_eq(answer_numbers(&world, 0, NUMBERS(5, 5, 5)), 0);
    ck_assert_str_eq(text_of(&world), "5");
}
END_TEST

static void shuffle(struct answer_item *items, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)rand() % i;
        struct answer_item item = items[i - 1];
        items[i - 1] = items[j];
        items[j] = item;
    }
}

static size_t slot_of(const struct world *world, const struct address *address)
{
    for (size_t i = 0; i < world->count; i++)
        if (address_equal(&world->slots[i].address, address))
            return i;
    return SLOT_NONE;
}

/* Random answers: whatever their order, the slots are the same; an address that stays keeps its
 * slot; as many addresses have a slot as there is room for. */
START_TEST(slots_do_not_depend_on_order)
{
    struct world world = {.max = 12}, other = {.max = 12};
    srand((unsigned)_i);
    for (int round = 0; round < 200; round++) {
        struct answer_item items[MANY];
        size_t count = 0;
        unsigned density = (unsigned)rand() % 10;
        for (unsigned number = 1; number <= 20; number++)
            if ((unsigned)rand() % 10 < density)
                items[count++] = item_of(number);
        const struct world before = world;
        unsigned keep = rand() % 8 == 0 ? SLOTS_KEEP_IPV4 : SLOTS_KEEP_IPV6;
        shuffle(items, count);
        size_t without = answer(&world, items, count, keep);
        shuffle(items, count);
        ck_assert_uint_eq(answer(&other, items, count, keep), without);
        ck_assert_str_eq(text_of(&world), text_of(&other));
        size_t placed = 0, used = 0;
        for (size_t i = 0; i < count; i++) {
            size_t slot = slot_of(&world, &items[i].address);
            size_t slot_before = slot_of(&before, &items[i].address);
            placed += slot != SLOT_NONE;
            if (slot_before != SLOT_NONE)
                ck_assert_uint_eq(slot, slot_before);
        }
        for (size_t i = 0; i < world.count; i++)
            used += world.slots[i].address.length > 0;
        ck_assert_uint_eq(placed + without, count);
        if (keep != SLOTS_KEEP_IPV4)
            ck_assert_uint_eq(used, placed);
        if (without > 0)
            ck_assert_uint_eq(used, world.max);
    }
}
END_TEST

START_TEST(single_address_stays)
{
    struct answer_item items[] = {item_of(1), item_of(2), item_of(3)};
    const struct address none = {0}, two = address_of(2), nine = address_of(9);
    ck_assert_uint_eq(slots_choose(&none, items, 3), 0);
    ck_assert_uint_eq(slots_choose(&two, items, 3), 1);
    ck_assert_uint_eq(slots_choose(&nine, items, 3), 0);
    items[0].priority = items[1].priority = 5;
    ck_assert_uint_eq(slots_choose(&two, items, 3), 2);
    items[2].priority = 5;
    items[1].weight = 10;
    ck_assert_uint_eq(slots_choose(&none, items, 3), 1);
}
END_TEST

static const struct {
    unsigned count;
    unsigned given[4], priorities[4], wanted[4];
} weights[] = {
    {3, {10, 20, 70}, {0}, {10, 20, 70}}, {3, {0, 0, 0}, {0}, {1, 1, 1}},
    {3, {0, 10, 60}, {0}, {1, 43, 256}},  {3, {65535, 32768, 1}, {0}, {256, 128, 1}},
    {2, {256, 1}, {0}, {256, 1}},         {4, {1, 3, 0, 65535}, {1, 1, 2, 2}, {1, 3, 1, 256}},
};

START_TEST(weights_are_scaled)
{
    struct answer_item items[4] = {0};
    unsigned found[4] = {0};
    for (unsigned i = 0; i < weights[_i].count; i++)
        items[i] = (struct answer_item){.weight = (uint16_t)weights[_i].given[i],
                                        .priority = (uint16_t)weights[_i].priorities[i]};
    slots_weigh(items, weights[_i].count, found);
    for (unsigned i = 0; i < weights[_i].count; i++)
        ck_assert_uint_eq(found[i], weights[_i].wanted[i]);
}
END_TEST

Suite *slots_suite(void)
{
    Suite *suite = suite_create("slots");
    TCase *tcase = tcase_create("slots");
    tcase_add_test(tcase, addresses_come_and_go);
    tcase_add_test(tcase, part_of_an_answer_takes_nothing_away);
    tcase_add_test(tcase, address_that_is_there_twice_counts_once);
    tcase_add_loop_test(tcase, slots_do_not_depend_on_order, 0, 30);
    tcase_add_test(tcase, single_address_stays);
    tcase_add_loop_test(tcase, weights_are_scaled, 0, sizeof weights / sizeof weights[0]);
    suite_add_tcase(suite, tcase);
    return suite;
}
