#include "reload/handover/moving.h"

#include "reload/handover/generation.h"
#include "reload/handover/session_handoff.h"

void moving_abort(struct generation *generation, bool alive)
{
    handoff_discard(generation->handoff, alive);
    generation->handoff = NULL;
}

static unsigned room(const struct generation *generation)
{
    uint64_t live = proxy_live(generation->proxy), most = generation->descriptors.sessions;
    /* A process that stops takes no sessions: they end where they are. */
    if (generation->stop_wanted || generation->state == GENERATION_STOPPING ||
        generation->state == GENERATION_DRAINING)
        return 0;
    return live < most ? (unsigned)(most - live) : 0;
}

unsigned moving_take(const struct generation *generation, struct channel *channel,
                     const struct received *message)
{
    return handoff_receive(generation->proxy, channel, message, room(generation));
}
