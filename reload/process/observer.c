#include "reload/process/observer.h"

#include "config/base/clock.h"
#include "reload/handover/generation.h"

#include <errno.h>

static const struct timeval interval = {.tv_sec = 1};

static bool serves(const struct generation *generation)
{
    return generation->state == GENERATION_ACTIVE || generation->state == GENERATION_STOPPING;
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct observer *observer = arg;
    if (!serves(observer->generation)) {
        observer->last = 0;
        return;
    }
    const uint64_t now = clock_ms();
    peer_stats_observe(&observer->generation->peer_stats,
                       observer->last ? now - observer->last : 0);
    observer->last = now;
}

int observer_open(struct observer *observer, struct generation *generation)
{
    *observer = (struct observer){.generation = generation};
    observer->tick = event_new(generation->base, -1, EV_PERSIST, on_tick, observer);
    return observer->tick && event_add(observer->tick, &interval) == 0 ? 0 : ENOMEM;
}

void observer_close(struct observer *observer)
{
    if (observer->tick)
        event_free(observer->tick);
    observer->tick = NULL;
}

static void count(const struct generation *generation, size_t counter, uint64_t amount)
{
    counter_add(&tally_reloads(&generation->proxy->stats.tally, false)[counter], amount);
}

void observer_note_reload(const struct generation *generation, enum exit_status status,
                          uint64_t milliseconds)
{
    count(generation, COUNTER_OF(reload_figures, results) + status, 1);
    if (status == EXIT_DONE)
        count(generation, COUNTER_OF(reload_figures, time), milliseconds);
}

void observer_note_rollback(const struct generation *generation)
{
    count(generation, COUNTER_OF(reload_figures, rolled_back), 1);
}
