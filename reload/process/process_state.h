/* The one process, for the modules of this folder that need more of it than its generation. */
#ifndef RPPROXY_RELOAD_PROCESS_PROCESS_STATE_H
#define RPPROXY_RELOAD_PROCESS_PROCESS_STATE_H

#include "config/base/container_of.h"
#include "reload/handover/generation.h"
#include "reload/handover/replacement.h"
#include "reload/process/closing.h"
#include "reload/process/drain.h"
#include "reload/process/event_source.h"
#include "reload/process/observer.h"
#include "reload/process/publication.h"
#include "reload/process/stop_limit.h"
#include "reload/process/watchdog.h"

#include <stdbool.h>

struct control;

struct process {
    struct generation generation;
    struct control *control;
    struct publication publication;
    struct event *signals;
    struct event *probation_over;
    struct closing closing;         /* of the listeners of this process */
    struct replacement replacement; /* once the listeners of this process are closed */
    struct draining drain;
    struct watchdog watchdog;
    struct stop_limit stop_limit;
    struct observer observer;
    struct event_source event_source;
    bool stop_signalled;
    char stopped_by[REQUESTER_TEXT_MAX]; /* the first order to stop; "": by a message, or none */
    bool drained;                        /* the sessions of this process have ended */
};

static inline struct process *process_of(struct generation *generation)
{
    return container_of(generation, struct process, generation);
}

#endif
