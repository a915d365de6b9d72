#include "reload/handover/replacement.h"

#include "config/base/log.h"
#include "proxy/server_limits.h"
#include "reload/base/notify.h"
#include "reload/base/text.h"
#include "reload/handover/generation.h"
#include "reload/handover/heartbeat.h"
#include "reload/handover/server_states.h"
#include "reload/handover/session_handoff.h"
#include "reload/handover/spare_channels.h"

#include <unistd.h>

/* It crashed, and nobody serves: it was not replaced before, or its own successor would have the
 * channel of this process, or have had it. A service manager does not see the end of what is not
 * its child. The next start reads of the crash in the life file. */
static void tell_if_failed(struct replacement *replacement)
{
    struct generation *generation = replacement->generation;
    if (!replacement->outcome || replacement->channel || replacement->pid != replacement->child.pid)
        return;
    const struct crash crash =
        crash_now(replacement->number, (uint32_t)replacement->pid, replacement->outcome,
                  peer_stats_successor_live(&generation->peer_stats));
    crash_note(&generation->last_crash, &generation->proxy->stats.tally, &crash);
    notify_failed(replacement->outcome);
    replacement->outcome = 0;
}

static void keep_spare(struct replacement *replacement, int spare)
{
    if (replacement->spare >= 0)
        close(replacement->spare);
    replacement->spare = spare;
}

static void on_message(const struct received *message, void *arg)
{
    struct replacement *replacement = arg;
    struct generation *generation = replacement->generation;
    const struct message_hello *hello = message->payload;
    switch (message->type) {
    case MESSAGE_HELLO: /* the channel of this process was passed on */
        replacement->pid = (pid_t)hello->pid;
        keep_spare(replacement, -1);
        break;
    case MESSAGE_SPARE:
        if (message->fd_count == 1) {
            keep_spare(replacement, message->fds[0]);
            message->fds[0] = -1;
        }
        break;
    case MESSAGE_STATS: /* the same; it may have places of servers now */
        if (server_limits_exist(generation->proxy))
            peer_stats_add(&generation->peer_stats, message);
        break;
    case MESSAGE_TAKEN:
        handoff_on_taken(generation->handoff, message);
        break;
    case MESSAGE_SERVER: /* late clients are still to be connected here */
        server_states_follow(message->payload, message->length, generation->proxy);
        break;
    case MESSAGE_TERMINATE:
        generation->events->terminate(generation);
        break;
    case MESSAGE_STOP:
        generation->events->stop(generation);
        break;
    case MESSAGE_ASK:
        generation->events->answer(generation, message);
        break;
    default:
        break;
    }
}

static void tell(struct replacement *replacement, enum message_type type)
{
    const struct generation *generation = replacement->generation;
    const struct message_sessions about = generation_about(generation);
    replacement->reported_sessions = about.sessions;
    replacement->reported_deadline = about.deadline;
    channel_send(replacement->channel, type, &about, sizeof about, NULL, 0);
}

static void on_lost(const char *wrong, void *arg);

/* The replacement died while it stood by: its new process serves. */
static void go_on_by_spare(struct replacement *replacement)
{
    struct generation *generation = replacement->generation;
    const struct channel_events events = {
        .on_message = on_message, .on_lost = on_lost, .arg = replacement};
    if (replacement->spare < 0)
        return;
    if (!spare_channel_is_dead(replacement->spare))
        replacement->channel = channel_open(replacement->spare, generation->base, &events);
    if (!replacement->channel) {
        keep_spare(replacement, -1);
        return;
    }
    replacement->spare = -1;
    heartbeat_answer(&generation->heartbeats, replacement->channel);
    tell(replacement, MESSAGE_SESSIONS);
}

static void on_lost(const char *wrong, void *arg)
{
    struct replacement *replacement = arg;
    char text[SESSIONS_TEXT_MAX];
    log_warning("pid %d %s, with %s that it had received from here; this generation "
                "continues to drain",
                (int)replacement->pid, wrong ? wrong : "is gone",
                sessions_text(handoff_moved(replacement->generation->handoff), text));
    handoff_abort(replacement->generation->handoff, wrong != NULL);
    channel_close(replacement->channel);
    replacement->channel = NULL;
    go_on_by_spare(replacement);
    replacement_on_child(replacement);
}

void replacement_begin(struct replacement *replacement, struct generation *generation,
                       const struct replacement *as)
{
    *replacement = *as;
    replacement->spare = -1;
    replacement->generation = generation;
    generation->replaced = true;
    const struct channel_events events = {
        .on_message = on_message, .on_lost = on_lost, .arg = replacement};
    channel_set_events(replacement->channel, &events);
    heartbeat_rest(replacement->channel);
    if (channel_is_foreign(replacement->channel))
        draining_processes_free(
            &generation->draining_processes); /* it could not answer those that send sessions */
    else
        draining_processes_pass(&generation->draining_processes, replacement->channel);
    tell(replacement, MESSAGE_CLOSED);
    peer_stats_forget(&generation->peer_stats);
}

/* Sessions that were sent are parked: nobody serves them if it hangs. */
static void watch_handoff(const struct replacement *replacement)
{
    if (handoff_is_waiting(replacement->generation->handoff))
        heartbeat_watch(replacement->channel, "the process that takes our sessions",
                        replacement->pid, false);
    else
        heartbeat_rest(replacement->channel);
}

void replacement_report_sessions(struct replacement *replacement)
{
    if (!replacement->channel)
        return;
    const struct generation *generation = replacement->generation;
    watch_handoff(replacement);
    if (proxy_live(generation->proxy) != replacement->reported_sessions ||
        generation->events->deadline(generation) != replacement->reported_deadline)
        tell(replacement, MESSAGE_SESSIONS);
}

void replacement_on_child(struct replacement *replacement)
{
    int outcome;
    if (!replacement->generation)
        return;
    if (children_take(&replacement->generation->children, replacement->child.pid, &outcome))
        replacement->outcome = outcome;
    tell_if_failed(replacement);
}

void replacement_hang_up(struct replacement *replacement)
{
    channel_close(replacement->channel);
    replacement->channel = NULL;
    if (replacement->generation)
        keep_spare(replacement, -1);
}
