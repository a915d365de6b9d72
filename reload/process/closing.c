#include "reload/process/closing.h"

#include "config/base/log.h"
#include "reload/handover/channel.h"
#include "reload/handover/generation.h"
#include "reload/handover/heartbeat.h"
#include "reload/handover/new_side.h"
#include "reload/handover/old_side.h"
#include "reload/handover/session_handoff.h"
#include "reload/listeners/linger.h"

static void on_lingered(void *arg)
{
    struct closing *closing = arg;
    closing_end(closing);
    closing->on_closed(closing->arg);
}

void closing_begin(struct closing *closing, millis timeout, bool alone)
{
    const struct generation *generation = closing->generation;
    closing->lingering = lingering_start(generation->binds, generation->proxy, generation->base,
                                         timeout, alone, on_lingered, closing);
    if (!closing->lingering) {
        log_error("out of memory: the listeners close without lingering");
        binds_close(generation->binds);
        on_lingered(closing);
    }
}

/* The process that takes over, while the listeners of this process are open; NULL: there is none.
 */
static struct channel *channel_to_next(const struct generation *generation)
{
    if (generation->new_side)
        return new_side_channel(generation->new_side);
    return generation->old_side ? old_side_channel(generation->old_side) : NULL;
}

static void close_listeners(void *arg)
{
    struct closing *closing = arg;
    lingering_on_quiet(closing->lingering);
}

/* Once the listeners of this process are closed this process cannot serve again: the other process
 * shows that it runs. */
static void on_handed_off(void *arg)
{
    struct closing *closing = arg;
    heartbeat_confirm(channel_to_next(closing->generation), close_listeners, closing);
}

static void begin_handoff(void *arg)
{
    struct closing *closing = arg;
    struct generation *generation = closing->generation;
    /* The sessions of a canary go back in any case. */
    bool stops = generation->stop_wanted && !generation->new_side;
    if (!stops)
        generation->handoff = handoff_begin(generation->proxy, channel_to_next(generation),
                                            generation->base, on_handed_off, closing);
    if (!generation->handoff)
        on_handed_off(closing);
}

/* If the other process is lost now, this one serves again; so this is the time for the sessions to
 * move. Sessions that a process has taken are lost if it hangs; so it shows that it runs first. */
void closing_on_quiet(struct closing *closing)
{
    struct generation *generation = closing->generation;
    struct channel *next = channel_to_next(generation);
    if (!closing->lingering)
        return;
    if (!next)
        close_listeners(closing);
    else if (generation->config->drain == DRAIN_HANDOFF && !channel_is_foreign(next))
        heartbeat_confirm(next, begin_handoff, closing);
    else
        on_handed_off(closing);
}

void closing_end(struct closing *closing)
{
    lingering_free(closing->lingering);
    closing->lingering = NULL;
}
