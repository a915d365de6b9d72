#include "reload/process/moving.h"

#include "reload/handover/handover.h"
#include "reload/handover/heartbeat.h"
#include "reload/handover/session_handoff.h"
#include "reload/handover/succession.h"
#include "reload/listeners/linger.h"
#include "reload/process/generation.h"

static void close_listeners(void *arg)
{
    struct generation *generation = arg;
    lingering_on_quiet(generation->lingering);
}

/* The process that takes over, while our listeners are open; NULL: there is none. */
static struct channel *channel_to_next(const struct generation *generation)
{
    if (generation->succession)
        return succession_channel(generation->succession);
    return generation->handover ? handover_channel(generation->handover) : NULL;
}

/* Once our listeners are closed we cannot serve again: the other process shows that it runs. */
static void on_handed_off(void *arg)
{
    struct generation *generation = arg;
    heartbeat_confirm(channel_to_next(generation), close_listeners, generation);
}

/* Nobody waits in the backlogs any more. If the other process is lost now, we serve again; so this
 * is the time for the sessions to move. */
void moving_on_quiet(void *arg)
{
    struct generation *generation = arg;
    struct channel *next = channel_to_next(generation);
    if (!generation->lingering)
        return;
    if (!next) {
        close_listeners(generation);
        return;
    }
    if (generation->config->drain == DRAIN_HANDOFF && !generation->stop_wanted &&
        !channel_is_foreign(next))
        generation->handoff =
            handoff_begin(generation->proxy, next, generation->base, on_handed_off, generation);
    if (!generation->handoff)
        on_handed_off(generation);
}

void moving_abort(struct generation *generation, bool alive)
{
    handoff_discard(generation->handoff, alive);
    generation->handoff = NULL;
}

unsigned moving_take(struct generation *generation, struct channel *channel,
                     const struct received *message)
{
    uint64_t live = proxy_live(generation->proxy);
    unsigned room = live < generation->descriptors.sessions
                        ? generation->descriptors.sessions - (unsigned)live
                        : 0;
    /* A process that stops takes none: they end where they are. */
    if (generation->stop_wanted || generation->state == GENERATION_STOPPING ||
        generation->state == GENERATION_DRAINING)
        room = 0;
    return handoff_receive(generation->proxy, channel, message, room);
}

unsigned moving_on_handoff(const struct draining_process *draining_process,
                           const struct received *message, void *arg)
{
    return moving_take(arg, draining_process->channel, message);
}
