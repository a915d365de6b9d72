/* The process that has taken over from this one, once the listeners of this process are closed: the
 * sessions of this process go there, and it hears how far the drain of this process is. It is the
 * successor; or, of a canary that has gone back, the predecessor. When that process is replaced it
 * passes the channel of this process on, and the process that gets the channel is the replacement
 * of this process then. */
#ifndef RPPROXY_RELOAD_HANDOVER_REPLACEMENT_H
#define RPPROXY_RELOAD_HANDOVER_REPLACEMENT_H

#include "reload/base/program.h"
#include "reload/handover/channel.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct generation;

struct replacement {
    struct generation *generation; /* NULL: there is none */
    struct channel *channel;       /* NULL: it is lost */
    int spare; /* to the new process of the replacement (spare_channels.h); -1: there is none */
    unsigned number; /* the generation that was the replacement of this process first */
    pid_t pid;
    struct child child; /* the successor; pid 0: it is no child of this process */
    int outcome; /* the child's wait status, if it ended badly and that was not reported yet */
    uint64_t reported_sessions, reported_deadline;
};

/* Makes `as`, of which the members channel, number, pid and child are known, the replacement. Hands
 * it the draining processes, and tells it that the listeners of this process are closed: the groups
 * are its own. */
void replacement_begin(struct replacement *replacement, struct generation *generation,
                       const struct replacement *as);

/* Now and then: tells it how many sessions are left, if that has changed; and makes sure that a
 * replacement that hangs does not keep the sessions that were sent to it (heartbeat.h). */
void replacement_report_sessions(struct replacement *replacement);

/* A child has changed its state (SIGCHLD). */
void replacement_on_child(struct replacement *replacement);

/* This process exits: hangs up, while the other one still counts what is left here. */
void replacement_hang_up(struct replacement *replacement);

#endif
