/* A worker's timers: a hashed timing wheel of lazily moved entries.
 *
 * An entry fires at most one tick after the earliest time it was set to, and may fire early: who
 * is called looks at its own clock and sets the entry again. So activity on a session only stamps
 * a time, and setting an entry that would fire early enough anyway is a comparison. */
#ifndef RPPROXY_PROXY_WHEEL_H
#define RPPROXY_PROXY_WHEEL_H

#include <event2/event_struct.h>
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
    struct event timer;
    uint64_t current;           /* every slot up to this tick has fired */
    uint64_t armed;             /* the tick the timer is set to, or WHEEL_NEVER */
    uint64_t (*now)(void *arg); /* milliseconds, monotonic */
    void (*fire)(struct wheel_entry *entry);
    void *arg;
};

/* fire is called on base's thread with the entry already off the wheel. Returns 0 or an errno. */
int wheel_open(struct wheel *wheel, struct event_base *base, uint64_t (*now)(void *arg),
               void (*fire)(struct wheel_entry *entry), void *arg)
    __attribute__((warn_unused_result));
void wheel_close(struct wheel *wheel);

void wheel_entry_init(struct wheel_entry *entry);

/* Makes sure that the entry fires no later than a tick after due (milliseconds on the wheel's
 * clock; WHEEL_NEVER: nothing to do). An entry that fires earlier anyway is left where it is. */
void wheel_set(struct wheel *wheel, struct wheel_entry *entry, uint64_t due);
void wheel_cancel(struct wheel_entry *entry);

#endif
