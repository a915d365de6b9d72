#include "proxy/backend/balance/draw.h"

#include <stdlib.h>

/* Vose: each slot holds an equal part of the whole. An item with less than that shares its slot
 * with an item that has more. */
static void fill(struct draw_slot *slots, const uint32_t *weights, size_t count, uint64_t *parts,
                 uint32_t *items)
{
    uint64_t sum = 0;
    size_t less = 0, more = count; /* items from the begin, and from the end */
    for (size_t i = 0; i < count; i++)
        sum += weights[i];
    for (size_t i = 0; i < count; i++) {
        parts[i] = weights[i] * (uint64_t)count; /* of its slot: parts / sum */
        if (parts[i] < sum)
            items[less++] = (uint32_t)i;
        else
            items[--more] = (uint32_t)i;
    }
    while (less > 0 && more < count) {
        uint32_t small = items[--less], large = items[more];
        slots[small] = (struct draw_slot){(uint32_t)((parts[small] << 32) / sum), large};
        parts[large] -= sum - parts[small];
        if (parts[large] < sum) {
            more++;
            items[less++] = large;
        }
    }
    /* What is left has a whole slot. */
    for (size_t i = 0; i < less; i++)
        slots[items[i]] = (struct draw_slot){UINT32_MAX, items[i]};
    for (; more < count; more++)
        slots[items[more]] = (struct draw_slot){UINT32_MAX, items[more]};
}

bool draw_set(struct draw *draw, const uint32_t *weights, size_t count)
{
    uint64_t *parts = malloc((count + 1) * sizeof *parts);
    uint32_t *items = malloc((count + 1) * sizeof *items);
    if (parts && items && draw->room < count) {
        struct draw_slot *slots = realloc(draw->slots, count * sizeof *slots);
        if (slots) {
            draw->slots = slots;
            draw->room = count;
        }
    }
    bool good = parts && items && draw->room >= count;
    if (good) {
        fill(draw->slots, weights, count, parts, items);
        draw->count = count;
    }
    free(parts);
    free(items);
    return good;
}

void draw_free(struct draw *draw)
{
    free(draw->slots);
    *draw = (struct draw){0};
}
