#include "reload/handover/draining_processes.h"

#include "config/base/log.h"
#include "reload/process/text.h"

#include <stdlib.h>
#include <string.h>

static void forget(struct elder *elder)
{
    TAILQ_REMOVE(&elder->elders->list, elder, link);
    elder->elders->count--;
    elder->elders->lasting -= !elder->ending;
    channel_close(elder->channel);
    free(elder);
}

static void log_end(const struct elder *elder, const char *wrong)
{
    const struct elders_events *events = &elder->elders->events;
    char text[SESSIONS_TEXT_MAX];
    uint64_t lost = wrong ? 0 : events->lost_with(elder, events->arg);
    if (lost)
        log_warning("generation %u (pid %d) is gone before it had drained: %s went with it, %llu "
                    "came here",
                    elder->generation, (int)elder->pid, sessions_text(lost, text),
                    (unsigned long long)elder->arrived);
    else
        log_notice("generation %u (pid %d) %s; %llu of its sessions came here", elder->generation,
                   (int)elder->pid, wrong ? wrong : "has drained and is gone",
                   (unsigned long long)elder->arrived);
}

static void on_lost(const char *wrong, void *arg)
{
    struct elder *elder = arg;
    struct elders *elders = elder->elders;
    log_end(elder, wrong);
    forget(elder);
    if (elders->count == 0)
        elders->events.on_gone(elders->events.arg);
}

static void on_message(const struct received *message, void *arg)
{
    struct elder *elder = arg;
    struct elders *elders = elder->elders;
    const struct message_sessions *about = message->payload;
    unsigned arrived = 0;
    if (message->type == MESSAGE_SESSIONS) {
        elder->sessions = about->sessions;
        elder->deadline = about->deadline;
    } else if (message->type == MESSAGE_HANDOFF) {
        if (elders->events.on_handoff(elder, message, &arrived, elders->events.arg))
            elder->arrived += arrived;
        else
            on_lost("takes no answer", elder);
    }
}

void elders_init(struct elders *elders, const struct elders_events *events)
{
    *elders = (struct elders){.events = *events};
    TAILQ_INIT(&elders->list);
}

static void cut_oldest(struct elders *elders)
{
    struct elder *elder = TAILQ_FIRST(&elders->list);
    char text[SESSIONS_TEXT_MAX];
    while (elder->ending)
        elder = TAILQ_NEXT(elder, link);
    log_warning("generation %u (pid %d) is cut: more than max-generations drain, and it is the "
                "oldest (%s)",
                elder->generation, (int)elder->pid, sessions_text(elder->sessions, text));
    channel_send(elder->channel, MESSAGE_CUT, NULL, 0, NULL, 0);
    elder->ending = true;
    elders->lasting--;
}

void elders_add(struct elders *elders, struct channel *channel,
                const struct message_sessions *about)
{
    struct elder *elder = calloc(1, sizeof *elder);
    if (!elder) {
        channel_close(channel); /* it drains all the same, unseen */
        return;
    }
    elder->generation = about->generation;
    elder->pid = (pid_t)about->pid;
    elder->sessions = about->sessions;
    elder->config_hash = about->config_hash;
    elder->deadline = about->deadline;
    elder->ending = about->sessions == 0;
    elder->channel = channel;
    elder->elders = elders;
    const struct channel_events events = {
        .on_message = on_message, .on_lost = on_lost, .arg = elder};
    channel_set_events(channel, &events);

    struct elder *at;
    TAILQ_FOREACH (at, &elders->list, link)
        if (at->generation > elder->generation)
            break;
    if (at)
        TAILQ_INSERT_BEFORE(at, elder, link);
    else
        TAILQ_INSERT_TAIL(&elders->list, elder, link);

    elders->count++;
    elders->lasting += !elder->ending;
    if (elders->lasting > elders->max)
        cut_oldest(elders);
}

bool elders_hear(struct elders *elders, unsigned generation, pid_t pid)
{
    const struct elder *elder;
    TAILQ_FOREACH (elder, &elders->list, link)
        if (elder->generation == generation && elder->pid == pid)
            return channel_hear(elder->channel);
    return false;
}

void elders_tell_server(struct elders *elders, const struct message_server *record)
{
    struct elder *elder;
    TAILQ_FOREACH (elder, &elders->list, link)
        channel_send(elder->channel, MESSAGE_SERVER, record, sizeof *record, NULL, 0);
}

void elders_stop(struct elders *elders)
{
    struct elder *elder;
    TAILQ_FOREACH (elder, &elders->list, link)
        channel_send(elder->channel, MESSAGE_STOP, NULL, 0, NULL, 0);
}

void elders_pass(struct elders *elders, struct channel *successor)
{
    struct elder *elder;
    while ((elder = TAILQ_FIRST(&elders->list))) {
        const struct message_sessions about = {.generation = elder->generation,
                                               .pid = (uint32_t)elder->pid,
                                               .sessions = elder->sessions,
                                               .config_hash = elder->config_hash,
                                               .deadline = elder->deadline};
        int fd = channel_fd(elder->channel);
        channel_send(successor, MESSAGE_ELDER, &about, sizeof about, &fd, 1);
        forget(elder);
    }
}

void elders_free(struct elders *elders)
{
    struct elder *elder;
    while ((elder = TAILQ_FIRST(&elders->list)))
        forget(elder);
}
