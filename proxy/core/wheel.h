/* A worker's timers: a hashed timing wheel of lazily moved entries.
 *
 * An entry fires at most one tick after the earliest time it was set to, and may fire early: who
 * is called looks at its own clock and sets the entry again. So activity on a session only stamps
 * a time, and setting an entry that would fire early enough anyway is a comparison. */
#ifndef RPPROXY_PROXY_CORE_WHEEL_H
#define RPPROXY_PROXY_CORE_WHEEL_H

#include <stdint.h>
#include <sys/queue.h>

#define WHEEL_SLOTS   1024u
#define WHEEL_TICK_MS 16u
/* Ticks: far entries share slots, so that idle sessions wake us seldom. */
#define WHEEL_COARSE 64u
#define WHEEL_NEVER  UINT64_MAX

struct wheel_entry {
    LIST_ENTRY(wheel_entry) link;
    uint64_t tick; /* it is filed under; WHEEL_NEVER: not on the wheel */
};

LIST_HEAD(wheel_slot, wheel_entry);

struct wheel {
    struct wheel_slot slots[WHEEL_SLOTS];
    uint64_t current;           /* every slot up to this tick has fired */
    uint64_t armed;             /* no entry is filed under an earlier tick; WHEEL_NEVER: none is */
    uint64_t (*now)(void *arg); /* milliseconds, monotonic */
    void (*fire)(struct wheel_entry *entry);
    void *arg;
};

/* fire is called by wheel_turn() with the entry already off the wheel. */
void wheel_open(struct wheel *wheel, uint64_t (*now)(void *arg),
                void (*fire)(struct wheel_entry *entry), void *arg);

/* When wheel_turn() is wanted next, in milliseconds on the wheel's clock; WHEEL_NEVER: not until
 * something is set. */
static inline uint64_t wheel_due(const struct wheel *wheel)
{
    return wheel->armed == WHEEL_NEVER ? WHEEL_NEVER : wheel->armed * WHEEL_TICK_MS;
}

/* Fires what is due. */
void wheel_turn(struct wheel *wheel);

void wheel_entry_init(struct wheel_entry *entry);

/* Makes sure that the entry fires no later than a tick after due (milliseconds on the wheel's
 * clock; WHEEL_NEVER: nothing to do). An entry that fires earlier anyway is left where it is. */
void wheel_set(struct wheel *wheel, struct wheel_entry *entry, uint64_t due);
void wheel_cancel(struct wheel_entry *entry);

#endif
