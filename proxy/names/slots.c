#include "proxy/names/slots.h"

#include "config/model/config.h"

#include <stdlib.h>
#include <string.h>

static int compare_numbers(unsigned one, unsigned other)
{
    return one < other ? -1 : one > other;
}

static int compare_addresses(const struct address *one, const struct address *other)
{
    int order = compare_numbers(one->any.sa_family, other->any.sa_family);
    if (order)
        return order;
    if (one->any.sa_family == AF_INET6)
        order = memcmp(&one->in6.sin6_addr, &other->in6.sin6_addr, sizeof one->in6.sin6_addr);
    else
        order = memcmp(&one->in.sin_addr, &other->in.sin_addr, sizeof one->in.sin_addr);
    return order ? order : compare_numbers(address_port(one), address_port(other));
}

/* The order in which addresses get slots: priority, weight, and then the address itself. */
static int prefer(const struct answer_item *one, const struct answer_item *other)
{
    int order = compare_numbers(one->priority, other->priority);
    if (!order)
        order = compare_numbers(other->weight, one->weight);
    return order ? order : compare_addresses(&one->address, &other->address);
}

/* An item, and where it stands in the answer. */
struct candidate {
    const struct answer_item *item;
    size_t index;
};

static int by_preference(const void *left, const void *right)
{
    const struct candidate *a = left;
    const struct candidate *b = right;
    int order = prefer(a->item, b->item);
    return order ? order : compare_numbers((unsigned)a->index, (unsigned)b->index);
}

/* A slot by its address, or by the last one that it had. */
struct known {
    const struct address *address;
    size_t slot;
};

static int by_address(const void *left, const void *right)
{
    const struct known *a = left;
    const struct known *b = right;
    int order = compare_addresses(a->address, b->address);
    return order ? order : compare_numbers((unsigned)a->slot, (unsigned)b->slot);
}

static int find_address(const void *key, const void *item)
{
    return compare_addresses(key, ((const struct known *)item)->address);
}

/* Returns the slot of the address, or SLOT_NONE. */
static size_t find(const struct known *known, size_t count, const struct address *address)
{
    const struct known *found =
        count ? bsearch(address, known, count, sizeof *known, find_address) : NULL;
    return found ? found->slot : SLOT_NONE;
}

struct assignment {
    struct known *known; /* room for all slots */
    bool *taken;         /* of each slot up to max */
    struct candidate *candidates;
    size_t candidate_count;
};

static void free_all(struct assignment *assignment)
{
    free(assignment->known);
    free(assignment->taken);
    free(assignment->candidates);
}

static bool make(struct assignment *assignment, size_t count, size_t max, size_t items)
{
    *assignment =
        (struct assignment){.known = calloc(count + 1, sizeof *assignment->known),
                            .taken = calloc(max + 1, sizeof *assignment->taken),
                            .candidates = calloc(items + 1, sizeof *assignment->candidates)};
    return assignment->known && assignment->taken && assignment->candidates;
}

/* Sorts the items into the order of preference, and leaves out the second of two with the same
 * address. */
static void list_candidates(struct assignment *assignment, const struct answer_item *items,
                            size_t count, struct known *by_item)
{
    struct candidate *list = assignment->candidates;
    for (size_t i = 0; i < count; i++)
        list[i] = (struct candidate){&items[i], i};
    qsort(list, count, sizeof *list, by_preference);
    /* Equal addresses may stand apart, with different priorities: the preferred one counts. */
    for (size_t i = 0; i < count; i++)
        by_item[i] = (struct known){&list[i].item->address, i};
    qsort(by_item, count, sizeof *by_item, by_address);
    for (size_t i = 1; i < count; i++)
        if (compare_addresses(by_item[i].address, by_item[i - 1].address) == 0)
            list[by_item[i].slot].item = NULL;
    for (size_t i = 0; i < count; i++)
        if (list[i].item)
            list[assignment->candidate_count++] = list[i];
}

/* Addresses that stay. */
static void keep_slots(struct assignment *assignment, const struct slot *now, size_t count,
                       unsigned keep, size_t *slots)
{
    size_t known = 0;
    for (size_t i = 0; i < count; i++)
        if (now[i].address.length) {
            assignment->known[known++] = (struct known){&now[i].address, i};
            assignment->taken[i] = slots_is_kept(&now[i].address, keep);
        }
    qsort(assignment->known, known, sizeof *assignment->known, by_address);
    for (size_t i = 0; i < assignment->candidate_count; i++) {
        const struct candidate *candidate = &assignment->candidates[i];
        size_t slot = find(assignment->known, known, &candidate->item->address);
        slots[candidate->index] = slot;
        if (slot != SLOT_NONE)
            assignment->taken[slot] = true;
    }
}

/* Addresses that were in a slot before, which is empty now. */
static void return_to_slots(struct assignment *assignment, const struct slot *now, size_t count,
                            size_t *slots)
{
    size_t known = 0;
    for (size_t i = 0; i < count; i++)
        if (!assignment->taken[i] && now[i].last.length)
            assignment->known[known++] = (struct known){&now[i].last, i};
    qsort(assignment->known, known, sizeof *assignment->known, by_address);
    for (size_t i = 0; i < assignment->candidate_count; i++) {
        const struct candidate *candidate = &assignment->candidates[i];
        if (slots[candidate->index] != SLOT_NONE)
            continue;
        size_t slot = find(assignment->known, known, &candidate->item->address);
        if (slot == SLOT_NONE || assignment->taken[slot])
            continue;
        slots[candidate->index] = slot;
        assignment->taken[slot] = true;
    }
}

/* Returns how many have no slot. */
static size_t take_slots(struct assignment *assignment, size_t max, size_t *slots)
{
    size_t slot = 0, without = 0;
    for (size_t i = 0; i < assignment->candidate_count; i++) {
        size_t index = assignment->candidates[i].index;
        if (slots[index] != SLOT_NONE)
            continue;
        while (slot < max && assignment->taken[slot])
            slot++;
        if (slot < max)
            slots[index] = slot++;
        else
            without++;
    }
    return without;
}

size_t slots_assign(const struct slot *now, size_t count, size_t max, unsigned keep,
                    const struct answer_item *items, size_t item_count, size_t *slots)
{
    struct assignment assignment;
    struct known *by_item = calloc(item_count + 1, sizeof *by_item);
    size_t without = SIZE_MAX;
    if (make(&assignment, count, max > count ? max : count, item_count) && by_item) {
        for (size_t i = 0; i < item_count; i++)
            slots[i] = SLOT_NONE;
        list_candidates(&assignment, items, item_count, by_item);
        keep_slots(&assignment, now, count, keep, slots);
        return_to_slots(&assignment, now, count, slots);
        without = take_slots(&assignment, max, slots);
    }
    free(by_item);
    free_all(&assignment);
    return without;
}

uint16_t slots_priority(const struct answer_item *items, size_t count)
{
    uint16_t lowest = UINT16_MAX;
    for (size_t i = 0; i < count; i++)
        if (items[i].priority < lowest)
            lowest = items[i].priority;
    return lowest;
}

size_t slots_choose(const struct address *now, const struct answer_item *items, size_t item_count)
{
    uint16_t priority = slots_priority(items, item_count);
    size_t best = SLOT_NONE;
    for (size_t i = 0; i < item_count; i++) {
        if (items[i].priority != priority)
            continue;
        if (address_equal(now, &items[i].address))
            return i;
        if (best == SLOT_NONE || items[i].weight > items[best].weight)
            best = i;
    }
    return best;
}

static unsigned scale(unsigned weight, unsigned highest, bool any_zero)
{
    if (highest == 0)
        return 1;
    if (highest <= SERVER_WEIGHT_MAX && !any_zero)
        return weight;
    unsigned scaled = (weight * SERVER_WEIGHT_MAX + highest / 2) / highest;
    return scaled ? scaled : 1;
}

/* The weights of all items with that priority. */
static void weigh_priority(const struct answer_item *items, size_t count, uint16_t priority,
                           unsigned *weights)
{
    unsigned highest = 0;
    bool any_zero = false;
    for (size_t i = 0; i < count; i++)
        if (items[i].priority == priority) {
            any_zero |= items[i].weight == 0;
            if (items[i].weight > highest)
                highest = items[i].weight;
        }
    for (size_t i = 0; i < count; i++)
        if (items[i].priority == priority)
            weights[i] = scale(items[i].weight, highest, any_zero);
}

void slots_weigh(const struct answer_item *items, size_t count, unsigned *weights)
{
    for (size_t i = 0; i < count; i++)
        weights[i] = 0;
    for (size_t i = 0; i < count; i++)
        if (weights[i] == 0)
            weigh_priority(items, count, items[i].priority, weights);
}
