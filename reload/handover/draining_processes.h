/* The generations before ours that still drain: one channel to each, held by the generation that
 * serves. When that is replaced in its turn, it passes the channels on. */
#ifndef RPPROXY_RELOAD_HANDOVER_DRAINING_PROCESSES_H
#define RPPROXY_RELOAD_HANDOVER_DRAINING_PROCESSES_H

#include "reload/handover/channel.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

struct elder {
    unsigned generation;
    pid_t pid;
    uint64_t sessions;
    uint64_t arrived;     /* of its sessions, here */
    uint64_t config_hash; /* 0: not known */
    uint64_t deadline;    /* drain_deadline() */
    bool ending;          /* has no session left, or was told to end them */
    struct channel *channel;
    struct elders *elders;
    TAILQ_ENTRY(elder) link; /* the oldest first */
};

struct elders_events {
    void (*on_gone)(void *arg); /* the last of them has exited */
    /* One of them sends sessions (MESSAGE_HANDOFF): as handoff_receive(). */
    bool (*on_handoff)(const struct elder *elder, const struct received *message, unsigned *arrived,
                       void *arg);
    /* One of them is gone. Returns the sessions that went with it, 0 where nobody knows. */
    uint64_t (*lost_with)(const struct elder *elder, void *arg);
    void *arg;
};

struct elders {
    TAILQ_HEAD(elder_list, elder) list;
    unsigned count;
    unsigned lasting; /* those that are not ending */
    unsigned max;     /* of these */
    struct elders_events events;
};

void elders_init(struct elders *elders, const struct elders_events *events);

/* Takes over the channel of a generation that drains. Beyond max the oldest is told to end its
 * sessions. */
void elders_add(struct elders *elders, struct channel *channel,
                const struct message_sessions *about);

/* Hears what one of them has said, as channel_hear(). False: there is nothing, or no such elder. */
bool elders_hear(struct elders *elders, unsigned generation, pid_t pid);

/* Tells all of them of a server that has changed here. */
void elders_tell_server(struct elders *elders, const struct message_server *record);

/* Tells all of them to end within their stop-timeout. */
void elders_stop(struct elders *elders);

/* Hands all channels to the generation at the other end of successor, and forgets them. */
void elders_pass(struct elders *elders, struct channel *successor);

/* Forgets them; they drain on by themselves. */
void elders_free(struct elders *elders);

#endif
