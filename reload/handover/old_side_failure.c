#include "reload/handover/old_side_failure.h"

#include "reload/handover/canary.h"
#include "reload/handover/channel.h"
#include "reload/handover/old_side_state.h"
#include "reload/listeners/rescue.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

/* For a successor that hung up: to exit by itself, and its log may take 3 s to end (log_stop()).
 * For a killed one: to be gone. */
#define EXIT_TIMEOUT_MS 5000
#define KILL_TIMEOUT_MS 5000

void old_side_free(struct old_side *side)
{
    if (!side)
        return;
    if (!old_side_is_committed(side) && side->state != OLD_SIDE_ENDING)
        children_kill(&side->generation->children, side->child.pid);
    if (side->timeout)
        event_free(side->timeout);
    canary_free(side->canary);
    rescue_free(side->rescue);
    offer_free(&side->kept);
    channel_close(side->channel);
    free(side);
}

void old_side_end(struct old_side *side, enum exit_status status, const char *text)
{
    struct generation *generation = side->generation;
    uint64_t duration = clock_ms() - side->started_at;
    bool called_off = side->called_off;
    char kept[ENDING_TEXT_MAX];
    snprintf(kept, sizeof kept, "%s", text);
    if (side->tried && !side->called_off && !side->reload_failure.status)
        generation->refused = side->config_hash;
    generation->old_side = NULL;
    old_side_free(side);
    generation->events->reload_over(generation, status, kept, duration, called_off);
}

void old_side_kill_new_process(struct old_side *side)
{
    children_kill(&side->generation->children, side->child.pid);
    side->killed = true;
    old_side_expect_within(side, KILL_TIMEOUT_MS);
}

static void note_if_crashed(struct old_side *side)
{
    if (!reload_failure_is_crash(&side->reload_failure, side->outcome))
        return;
    const struct crash crash = crash_now(side->number, (uint32_t)side->child.pid, side->outcome,
                                         side->reload_failure.lost);
    crash_note(&side->generation->last_crash, &side->generation->proxy->stats.tally, &crash);
}

void old_side_conclude(struct old_side *side)
{
    struct generation *generation = side->generation;
    char text[ENDING_TEXT_MAX];
    if (!side->exited || side->rescue)
        return;
    proxy_share_descriptors(generation->proxy, false);
    note_if_crashed(side);
    enum exit_status status =
        reload_failure_explain(&side->reload_failure, (int)side->child.pid, side->outcome, text);
    children_forget(&generation->children, side->child.pid); /* a process that cannot be killed */
    side->child.pid = 0;
    if (!side->reload_failure.had_served) {
        old_side_end(side, status, text);
        return;
    }
    generation->old_side = NULL;
    old_side_free(side);
    generation->events->rolled_back(generation, text);
}

static void on_rescued(void *arg)
{
    struct old_side *side = arg;
    rescue_free(side->rescue);
    side->rescue = NULL;
    offer_free(&side->kept); /* the last in its groups: nobody is moved */
    old_side_conclude(side);
}

/* Serves here the clients that the new process had not accepted. There are none where nothing was
 * steered to it. */
static void rescue_clients(struct old_side *side)
{
    struct generation *generation = side->generation;
    const struct rescue_means means = generation_rescue_means(generation);
    if (side->reload_failure.had_accepted && offer_holds_any(&side->kept))
        side->rescue = rescue_start(&side->kept, &means, on_rescued, side);
    if (!side->rescue)
        offer_free(&side->kept);
}

void old_side_end_watch(struct old_side *side)
{
    if (!side->canary)
        return;
    const struct canary_figures figures = canary_figures(side->canary);
    canary_figures_text(&figures, side->reload_failure.figures);
    canary_free(side->canary);
    side->canary = NULL;
}

void old_side_give_up(struct old_side *side, const char *why)
{
    bool serves = old_side_is_committed(side);
    bool split = side->state == OLD_SIDE_CANARY;
    old_side_end_watch(side);
    side->reload_failure.had_accepted = !old_side_is_preparing(side);
    side->reload_failure.had_served = side->state == OLD_SIDE_LINGERING;
    side->state = OLD_SIDE_ENDING;
    side->reload_failure.why = why;
    side->killed = side->exited = false;
    side->outcome = 0;
    if (why) /* first: it would take the end of the channel for a crash of this process, and serve
                alone */
        old_side_kill_new_process(side);
    else
        old_side_expect_within(side, EXIT_TIMEOUT_MS);
    channel_close(side->channel);
    side->channel = NULL;
    side->reload_failure.lost = peer_stats_successor_live(&side->generation->peer_stats);
    peer_stats_resume(&side->generation->peer_stats);
    if (serves)
        side->generation->events->take_back(side->generation, side->child.pid);
    else if (split)
        binds_take_back(side->generation->binds);
    rescue_clients(side);
    old_side_on_child(side->generation);
}

void old_side_on_child(struct generation *generation)
{
    struct old_side *side = generation->old_side;
    int outcome;
    if (!side || side->state != OLD_SIDE_ENDING ||
        !children_take(&generation->children, side->child.pid, &outcome))
        return;
    side->outcome = outcome;
    side->exited = true;
    generation->events->sweep(generation, side->child.pid);
    event_del(side->timeout);
    proxy_accept(generation->proxy); /* for the wake-ups that went to its workers */
    old_side_conclude(side);
}
