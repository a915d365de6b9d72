#include "proxy/core/wheel.h"

#include <stddef.h>

static void arm_next(struct wheel *wheel)
{
    for (uint64_t tick = wheel->current + 1; tick <= wheel->current + WHEEL_SLOTS; tick++)
        if (!LIST_EMPTY(&wheel->slots[tick % WHEEL_SLOTS])) {
            wheel->armed = tick;
            return;
        }
}

void wheel_turn(struct wheel *wheel)
{
    wheel->armed = WHEEL_NEVER;
    uint64_t last = wheel->now(wheel->arg) / WHEEL_TICK_MS;
    /* After a pause longer than one revolution of the wheel, each slot is visited only once. */
    uint64_t first = wheel->current + 1;
    if (last >= first + WHEEL_SLOTS)
        first = last - WHEEL_SLOTS + 1;
    if (last > wheel->current)
        wheel->current = last;

    for (uint64_t tick = first; tick <= last; tick++) {
        struct wheel_slot due = wheel->slots[tick % WHEEL_SLOTS];
        if (LIST_EMPTY(&due))
            continue;
        /* Detach the slot first: an entry that fires may be set again, into the same slot. */
        due.lh_first->link.le_prev = &due.lh_first;
        LIST_INIT(&wheel->slots[tick % WHEEL_SLOTS]);
        struct wheel_entry *entry;
        while ((entry = LIST_FIRST(&due))) {
            wheel_cancel(entry);
            wheel->fire(entry);
        }
    }
    arm_next(wheel);
}

void wheel_open(struct wheel *wheel, uint64_t (*now)(void *arg),
                void (*fire)(struct wheel_entry *entry), void *arg)
{
    for (unsigned i = 0; i < WHEEL_SLOTS; i++)
        LIST_INIT(&wheel->slots[i]);
    wheel->now = now;
    wheel->fire = fire;
    wheel->arg = arg;
    wheel->current = now(arg) / WHEEL_TICK_MS;
    wheel->armed = WHEEL_NEVER;
}

void wheel_entry_init(struct wheel_entry *entry)
{
    entry->tick = WHEEL_NEVER;
}

void wheel_set(struct wheel *wheel, struct wheel_entry *entry, uint64_t due)
{
    if (due == WHEEL_NEVER)
        return;
    if (wheel->armed == WHEEL_NEVER) { /* the wheel did not turn while it was empty */
        uint64_t now = wheel->now(wheel->arg) / WHEEL_TICK_MS;
        if (now > wheel->current)
            wheel->current = now;
    }
    uint64_t tick = due / WHEEL_TICK_MS + 1; /* rounded up: never before due */
    if (tick <= wheel->current)
        tick = wheel->current + 1;
    else if (tick >= wheel->current + WHEEL_SLOTS)
        tick = wheel->current + WHEEL_SLOTS - 1;
    if (tick - wheel->current > WHEEL_SLOTS / 2)
        tick -= tick % WHEEL_COARSE;
    if (entry->tick <= tick)
        return;
    wheel_cancel(entry);
    entry->tick = tick;
    LIST_INSERT_HEAD(&wheel->slots[tick % WHEEL_SLOTS], entry, link);
    if (tick < wheel->armed)
        wheel->armed = tick;
}

void wheel_cancel(struct wheel_entry *entry)
{
    if (entry->tick == WHEEL_NEVER)
        return;
    LIST_REMOVE(entry, link);
    entry->tick = WHEEL_NEVER;
}
