/* The state of the old process's side of a reload (old_side.h), for its two modules: old_side.c has
 * the steps of a reload, and old_side_failure.c the way back when the new process fails. */
#ifndef RPPROXY_RELOAD_HANDOVER_OLD_SIDE_STATE_H
#define RPPROXY_RELOAD_HANDOVER_OLD_SIDE_STATE_H

#include "config/base/clock.h"
#include "reload/base/program.h"
#include "reload/handover/generation.h"
#include "reload/handover/reload_failure.h"
#include "reload/listeners/offer.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

struct canary;
struct channel;
struct rescue;

enum old_side_state {
    OLD_SIDE_LAUNCHED,
    OLD_SIDE_OFFERED,
    OLD_SIDE_CANARY,
    OLD_SIDE_BACK,
    OLD_SIDE_COMMITTED,
    OLD_SIDE_LINGERING,
    OLD_SIDE_ENDING,
};

struct old_side {
    struct generation *generation;
    enum old_side_state state;
    struct child child; /* the successor; pid 0: it is gone, or drains, or is the replacement */
    unsigned number;    /* the generation of the new process */
    struct channel *channel;
    struct event *timeout;
    uint64_t started_at;
    struct reload_order order;
    bool called_off;       /* by an order, which says nothing of the configuration */
    uint64_t config_hash;  /* of the new process's configuration; 0: not known */
    struct canary *canary; /* while it is watched */
    bool tried;            /* CANARY: it has its share */
    const char *promotion; /* CANARY: why it gets all connections once it answers; or NULL */
    int outcome;           /* the new process's wait status */
    struct reload_failure reload_failure;
    uint64_t arrived;  /* sessions of a canary that goes back */
    struct offer kept; /* the new process's listeners, of which this process holds duplicates */
    /* While it is ending: */
    struct rescue *rescue; /* of the clients in their queues; NULL: it is over */
    bool exited;           /* as outcome has it */
    bool killed;
};

/* The new process serves, or was asked to. */
static inline bool old_side_is_committed(const struct old_side *side)
{
    return side->state == OLD_SIDE_COMMITTED || side->state == OLD_SIDE_LINGERING;
}

/* The new process accepts nothing yet. */
static inline bool old_side_is_preparing(const struct old_side *side)
{
    return side->state == OLD_SIDE_LAUNCHED || side->state == OLD_SIDE_OFFERED;
}

static inline void old_side_expect_within(struct old_side *side, millis timeout)
{
    const struct timeval interval = clock_interval(timeout);
    event_add(side->timeout, &interval);
}

#endif
