/* The timers of a worker: a hashed timing wheel, whose entries are moved as late as possible.
 *
 * An entry fires at most one tick after the earliest time to which it was set, and may fire too
 * early: the callback compares its own deadline with the clock, and sets the entry again if
 * necessary. So activity on a session only stores a time, and setting an entry that fires early
 * enough anyway costs one comparison. */
#ifndef RPPROXY_PROXY_CORE_WHEEL_H
#define RPPROXY_PROXY_CORE_WHEEL_H

#include <stdint.h>
#include <sys/queue.h>

#define WHEEL_SLOTS   1024u
#define WHEEL_TICK_MS 16u
/* In ticks. Entries far in the future are rounded to a multiple, so that idle sessions cause few
 * wake-ups. */
#define WHEEL_COARSE 64u
#define WHEEL_NEVER  UINT64_MAX

struct wheel_entry {
    LIST_ENTRY(wheel_entry) link;
    uint64_t tick; /* when it fires; WHEEL_NEVER: not on the wheel */
};

LIST_HEAD(wheel_slot, wheel_entry);

struct wheel {
    struct wheel_slot slots[WHEEL_SLOTS];
    uint64_t current;           /* all entries up to this tick have fired */
    uint64_t armed;             /* no entry has an earlier tick; WHEEL_NEVER: no entries */
    uint64_t (*now)(void *arg); /* milliseconds, monotonic */
    void (*fire)(struct wheel_entry *entry);
    void *arg;
};

/* wheel_turn() removes an entry from the wheel and then calls fire. */
void wheel_open(struct wheel *wheel, uint64_t (*now)(void *arg),
                void (*fire)(struct wheel_entry *entry), void *arg);

/* Returns when wheel_turn() must be called next, in milliseconds of the wheel's clock. WHEEL_NEVER:
 * the wheel is empty. */
static inline uint64_t wheel_due(const struct wheel *wheel)
{
    return wheel->armed == WHEEL_NEVER ? WHEEL_NEVER : wheel->armed * WHEEL_TICK_MS;
}

/* Fires all entries that are due. */
void wheel_turn(struct wheel *wheel);

void wheel_entry_init(struct wheel_entry *entry);

/* Makes the entry fire at most one tick after due, in milliseconds of the wheel's clock. An entry
 * that fires earlier than that is not moved. due = WHEEL_NEVER has no effect. */
void wheel_set(struct wheel *wheel, struct wheel_entry *entry, uint64_t due);
void wheel_cancel(struct wheel_entry *entry);

#endif
