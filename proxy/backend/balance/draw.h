/* Random draws by weight, each in the same short time however many items there are (the alias
 * method of Walker and Vose). Pure but for the random numbers, which need not be hard to guess. */
#ifndef RPPROXY_PROXY_BACKEND_BALANCE_DRAW_H
#define RPPROXY_PROXY_BACKEND_BALANCE_DRAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct draw_slot {
    uint32_t limit; /* a random number of 32 bits below it is this item, any other is the alias */
    uint32_t alias;
};

/* A zeroed draw has no items. */
struct draw {
    struct draw_slot *slots;
    size_t count, room;
    uint64_t state; /* of the random numbers; any value */
};

/* From now on items 0 to count - 1 are drawn in proportion to their weights, which are all above 0.
 * False: out of memory; the draw is as before. */
bool draw_set(struct draw *draw, const uint32_t *weights, size_t count)
    __attribute__((warn_unused_result));

void draw_free(struct draw *draw);

/* A random number (splitmix64). */
static inline uint64_t draw_number(struct draw *draw)
{
    uint64_t number = draw->state += UINT64_C(0x9e3779b97f4a7c15);
    number = (number ^ (number >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    number = (number ^ (number >> 27)) * UINT64_C(0x94d049bb133111eb);
    return number ^ (number >> 31);
}

/* An item; there is one. */
static inline size_t draw_one(struct draw *draw)
{
    uint64_t number = draw_number(draw);
    size_t item = (size_t)(((number >> 32) * draw->count) >> 32);
    return (uint32_t)number < draw->slots[item].limit ? item : draw->slots[item].alias;
}

/* Two items, which differ where there are two or more. */
static inline void draw_two(struct draw *draw, size_t items[static 2])
{
    items[0] = items[1] = draw_one(draw);
    /* One heavy item may be drawn again and again. */
    for (int i = 0; i < 4 && items[1] == items[0]; i++)
        items[1] = draw_one(draw);
    if (items[1] == items[0] && draw->count > 1)
        items[1] = (items[0] + 1 + draw_number(draw) % (draw->count - 1)) % draw->count;
}

#endif
