#include "reload/handover/draining_processes.h"

#include "config/base/happening.h"
#include "config/base/log.h"
#include "reload/base/text.h"
#include "reload/handover/heartbeat.h"

#include <stdlib.h>
#include <string.h>

static void forget(struct draining_process *draining_process)
{
    TAILQ_REMOVE(&draining_process->draining_processes->list, draining_process, link);
    draining_process->draining_processes->count--;
    draining_process->draining_processes->lasting -= !draining_process->ending;
    channel_close(draining_process->channel);
    free(draining_process);
}

static void log_end(const struct draining_process *draining_process, const char *wrong)
{
    char text[SESSIONS_TEXT_MAX];
    happened(HAPPENED_PROCESS_GONE, LOG_LEVEL_NOTICE,
             HAPPENING_FIELDS(happening_number("about", draining_process->generation),
                              happening_number("sessions", draining_process->arrived)),
             "generation %u (pid %d) %s; %s received from it", draining_process->generation,
             (int)draining_process->pid, wrong ? wrong : "is gone",
             sessions_text(draining_process->arrived, text));
}

static void on_lost(const char *wrong, void *arg)
{
    struct draining_process *draining_process = arg;
    struct draining_processes *draining_processes = draining_process->draining_processes;
    log_end(draining_process, wrong);
    draining_processes->events.on_end(draining_process, draining_processes->events.arg);
    forget(draining_process);
    if (draining_processes->count == 0)
        draining_processes->events.on_gone(draining_processes->events.arg);
}

static void on_message(const struct received *message, void *arg)
{
    struct draining_process *draining_process = arg;
    struct draining_processes *draining_processes = draining_process->draining_processes;
    const struct message_sessions *about = message->payload;
    if (message->type == MESSAGE_SESSIONS) {
        draining_process->sessions = about->sessions;
        draining_process->deadline = about->deadline;
    } else if (message->type == MESSAGE_HANDOFF) {
        draining_process->arrived += draining_processes->events.on_handoff(
            draining_process, message, draining_processes->events.arg);
    } else if (message->type == MESSAGE_EVENT) {
        draining_processes->events.on_event(message, draining_processes->events.arg);
    }
}

void draining_processes_init(struct draining_processes *draining_processes,
                             const struct draining_processes_events *events)
{
    *draining_processes = (struct draining_processes){.events = *events};
    TAILQ_INIT(&draining_processes->list);
}

static void terminate_oldest(struct draining_processes *draining_processes)
{
    struct draining_process *draining_process = TAILQ_FIRST(&draining_processes->list);
    char text[SESSIONS_TEXT_MAX];
    while (draining_process->ending)
        draining_process = TAILQ_NEXT(draining_process, link);
    log_warning("generation %u (pid %d) closes its sessions: more than max-generations drain, and "
                "it is the oldest (%s)",
                draining_process->generation, (int)draining_process->pid,
                sessions_text(draining_process->sessions, text));
    channel_send(draining_process->channel, MESSAGE_TERMINATE, NULL, 0, NULL, 0);
    draining_process->ending = true;
    draining_processes->lasting--;
}

void draining_processes_add(struct draining_processes *draining_processes, struct channel *channel,
                            const struct message_sessions *about, uint64_t arrived)
{
    struct draining_process *draining_process = calloc(1, sizeof *draining_process);
    if (!draining_process) {
        channel_close(channel); /* it continues to drain, and is not shown */
        return;
    }
    draining_process->generation = about->generation;
    draining_process->pid = (pid_t)about->pid;
    draining_process->sessions = about->sessions;
    draining_process->arrived = arrived;
    draining_process->config_hash = about->config_hash;
    draining_process->deadline = about->deadline;
    draining_process->ending = about->sessions == 0;
    draining_process->channel = channel;
    draining_process->draining_processes = draining_processes;
    const struct channel_events events = {
        .on_message = on_message, .on_lost = on_lost, .arg = draining_process};
    channel_set_events(channel, &events);
    heartbeat_watch(channel, "a process that drains", draining_process->pid, false);

    struct draining_process *at;
    TAILQ_FOREACH (at, &draining_processes->list, link)
        if (at->generation > draining_process->generation)
            break;
    if (at)
        TAILQ_INSERT_BEFORE(at, draining_process, link);
    else
        TAILQ_INSERT_TAIL(&draining_processes->list, draining_process, link);

    draining_processes->count++;
    draining_processes->lasting += !draining_process->ending;
    if (draining_processes->lasting > draining_processes->max)
        terminate_oldest(draining_processes);
}

void draining_processes_tell_server(struct draining_processes *draining_processes,
                                    const struct message_server *record)
{
    struct draining_process *draining_process;
    TAILQ_FOREACH (draining_process, &draining_processes->list, link)
        channel_send(draining_process->channel, MESSAGE_SERVER, record, sizeof *record, NULL, 0);
}

void draining_processes_stop(struct draining_processes *draining_processes)
{
    struct draining_process *draining_process;
    TAILQ_FOREACH (draining_process, &draining_processes->list, link)
        channel_send(draining_process->channel, MESSAGE_STOP, NULL, 0, NULL, 0);
}

struct message_sessions draining_process_about(const struct draining_process *draining_process)
{
    return (struct message_sessions){.generation = draining_process->generation,
                                     .pid = (uint32_t)draining_process->pid,
                                     .sessions = draining_process->sessions,
                                     .config_hash = draining_process->config_hash,
                                     .deadline = draining_process->deadline,
                                     .foreign = channel_is_foreign(draining_process->channel)};
}

void draining_processes_pass(struct draining_processes *draining_processes,
                             struct channel *successor)
{
    struct draining_process *draining_process;
    while ((draining_process = TAILQ_FIRST(&draining_processes->list))) {
        const struct message_sessions about = draining_process_about(draining_process);
        int fd = channel_fd(draining_process->channel);
        channel_send(successor, MESSAGE_DRAINING_PROCESS, &about, sizeof about, &fd, 1);
        forget(draining_process);
    }
}

void draining_processes_free(struct draining_processes *draining_processes)
{
    struct draining_process *draining_process;
    while ((draining_process = TAILQ_FIRST(&draining_processes->list)))
        forget(draining_process);
}
