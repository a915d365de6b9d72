#include "reload/handover/replacement.h"

#include "config/base/log.h"
#include "reload/handover/server_states.h"
#include "reload/handover/session_handoff.h"
#include "reload/process/generation.h"
#include "reload/process/notify.h"

/* It crashed, and nobody serves: it was not replaced before, or its own successor would have our
 * channel, or have had it. A service manager does not see the end of what is not its child. */
static void tell_if_failed(struct heir *heir)
{
    struct generation *generation = heir->generation;
    if (!heir->outcome || heir->channel || heir->pid != heir->child.pid)
        return;
    const struct crash crash = crash_now(heir->number, (uint32_t)heir->pid, heir->outcome,
                                         lineage_successor_live(&generation->lineage));
    crash_note(&generation->last_crash, &crash);
    /* Before there is a next one to read it. */
    (void)life_correct(generation->config->control, &crash);
    notify_failed();
    heir->outcome = 0;
}

static void on_message(const struct received *message, void *arg)
{
    struct heir *heir = arg;
    const struct message_hello *hello = message->payload;
    switch (message->type) {
    case MESSAGE_HELLO: /* our channel was passed on */
        heir->pid = (pid_t)hello->pid;
        heir->minor = message->minor;
        break;
    case MESSAGE_TAKEN:
        handoff_on_taken(heir->handoff, message);
        break;
    case MESSAGE_SERVER: /* late clients are still to be connected here */
        inheritance_hear(message->payload, message->length, heir->generation->proxy);
        break;
    case MESSAGE_CUT:
        drain_cut(heir->generation);
        break;
    case MESSAGE_STOP:
        generation_stop(heir->generation);
        break;
    default:
        break;
    }
}

static void on_lost(const char *wrong, void *arg)
{
    struct heir *heir = arg;
    log_warning("pid %d %s, with %llu of our sessions; this generation drains on", (int)heir->pid,
                wrong ? wrong : "is gone", (unsigned long long)handoff_moved(heir->handoff));
    handoff_abort(heir->handoff, wrong != NULL);
    channel_close(heir->channel);
    heir->channel = NULL;
    heir_on_child(heir);
}

static void tell(struct heir *heir, enum message_type type)
{
    const struct generation *generation = heir->generation;
    const struct message_sessions about = generation_about(generation);
    heir->told_sessions = about.sessions;
    heir->told_deadline = about.deadline;
    channel_send(heir->channel, type, &about, sizeof about, NULL, 0);
}

static void pass_elders(struct heir *heir)
{
    lineage_tell_arrivals(&heir->generation->lineage, heir->channel);
    elders_pass(&heir->generation->elders, heir->channel);
}

void heir_begin(struct generation *generation, const struct heir *as)
{
    struct heir *heir = &generation->heir;
    *heir = *as;
    heir->generation = generation;
    const struct channel_events events = {
        .on_message = on_message, .on_lost = on_lost, .arg = heir};
    channel_set_events(heir->channel, &events);
    if (heir->minor >= MINOR_HANDOFF)
        pass_elders(heir);
    else
        elders_free(&generation->elders); /* it could not answer those that send sessions */
    tell(heir, MESSAGE_CLOSED);
    lineage_forget(&generation->lineage);
}

void heir_send_sessions(struct heir *heir)
{
    struct generation *generation = heir->generation;
    if (!heir->channel || heir->minor < MINOR_HANDOFF)
        return;
    heir->handoff = handoff_begin(generation->proxy, heir->channel, generation->base);
    if (!heir->handoff)
        log_error("out of memory: the sessions end here");
}

void heir_keep_sessions(struct heir *heir)
{
    handoff_end(heir->handoff);
}

uint64_t heir_moved(const struct heir *heir)
{
    return handoff_moved(heir->handoff);
}

void heir_tell_sessions(struct heir *heir)
{
    if (!heir->channel)
        return;
    if (proxy_live(heir->generation->proxy) != heir->told_sessions ||
        drain_deadline(heir->generation) != heir->told_deadline)
        tell(heir, MESSAGE_SESSIONS);
}

void heir_on_child(struct heir *heir)
{
    int outcome;
    if (child_reap(&heir->child, &outcome))
        heir->outcome = outcome;
    tell_if_failed(heir);
}

void heir_hang_up(struct heir *heir)
{
    channel_close(heir->channel);
    heir->channel = NULL;
}

void heir_free(struct heir *heir)
{
    handoff_free(heir->handoff);
}
