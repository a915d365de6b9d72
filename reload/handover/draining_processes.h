/* Older processes that still drain: the process that serves holds one channel to each. When that
 * process is replaced, it passes the channels on. */
#ifndef RPPROXY_RELOAD_HANDOVER_DRAINING_PROCESSES_H
#define RPPROXY_RELOAD_HANDOVER_DRAINING_PROCESSES_H

#include "reload/handover/channel.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

struct draining_process {
    unsigned generation;
    pid_t pid;
    uint64_t sessions;
    uint64_t arrived;     /* sessions of it that came here */
    uint64_t config_hash; /* 0: not known */
    uint64_t deadline;    /* drain_deadline() */
    bool ending;          /* has no session left, or was asked to end them */
    struct channel *channel;
    struct draining_processes *draining_processes;
    TAILQ_ENTRY(draining_process) link; /* the oldest first */
};

struct draining_processes_events {
    void (*on_gone)(void *arg); /* the last of them has hung up */
    /* One of them has hung up: it is about to exit. */
    void (*on_end)(const struct draining_process *draining_process, void *arg);
    /* One of them sends sessions (MESSAGE_HANDOFF). Returns how many were taken. */
    unsigned (*on_handoff)(const struct draining_process *draining_process,
                           const struct received *message, void *arg);
    /* One of them sends events (MESSAGE_EVENT). */
    void (*on_event)(const struct received *message, void *arg);
    void *arg;
};

struct draining_processes {
    TAILQ_HEAD(draining_process_list, draining_process) list;
    unsigned count;
    unsigned lasting; /* those that are not ending */
    unsigned max;     /* of these */
    struct draining_processes_events events;
};

void draining_processes_init(struct draining_processes *draining_processes,
                             const struct draining_processes_events *events);

/* Takes over the channel of a process that drains; arrived: how many of its sessions have come here
 * already. Beyond max the oldest process is asked to end its sessions. */
void draining_processes_add(struct draining_processes *draining_processes, struct channel *channel,
                            const struct message_sessions *about, uint64_t arrived);

/* Reports to all of them a server that has changed here. */
void draining_processes_tell_server(struct draining_processes *draining_processes,
                                    const struct message_server *record);

/* Asks all of them to end within their stop-timeout. */
void draining_processes_stop(struct draining_processes *draining_processes);

/* What another process has to know about it. */
struct message_sessions draining_process_about(const struct draining_process *draining_process);

/* Hands all channels to the process at the other end of successor, and forgets them. */
void draining_processes_pass(struct draining_processes *draining_processes,
                             struct channel *successor);

/* Forgets them; they drain on by themselves. */
void draining_processes_free(struct draining_processes *draining_processes);

#endif
