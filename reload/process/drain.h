/* A drain: a generation's sessions run to their end, and what has not ended by its frontend's
 * deadline is closed, all at once or spread over the time before it. Main thread. */
#ifndef RPPROXY_RELOAD_PROCESS_DRAIN_H
#define RPPROXY_RELOAD_PROCESS_DRAIN_H

#include "proxy/session/session.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

struct generation;

#define DRAIN_NEVER UINT64_MAX

struct draining {
    const struct generation *generation;
    void (*on_report)(void *arg); /* now and then while it lasts: how far it is may be news */
    void *arg;
    struct event *tick, *report;
    enum session_end reason; /* of sessions that are closed */
    bool at_once;            /* no timeout counts any more */
    uint64_t started_at;     /* clock_ms(); 0: not yet */
    uint64_t retired_at;     /* from when drain-timeout counts; 0: it does not */
    uint64_t stopped_at;     /* from when stop-timeout counts; 0: it does not */
    uint64_t sessions;       /* when it began */
    uint64_t cut_before;     /* by others, when a stop began */
};

/* generation, on_report and arg of drain are set. Returns 0 or ENOMEM; drain_free() is right
 * after either. */
int drain_open(struct draining *drain) __attribute__((warn_unused_result));
void drain_free(struct draining *drain);

/* Begins: a successor serves (SESSION_DRAIN_TIMEOUT), or the proxy stops (SESSION_STOPPED). The one
 * may become the other; the earlier deadline counts then. */
void drain_begin(struct draining *drain, enum session_end reason);

/* The proxy is about to stop: counts from now on the sessions that other processes cut, which drain
 * already. */
void drain_await_others(struct draining *drain);

/* How many sessions these have cut since; 0: this is no stop, or not known. */
uint64_t drain_others_cut(const struct draining *drain);

/* All sessions that are left are closed now. */
void drain_terminate(struct draining *drain);

/* When the last of the sessions that are left is closed (clock_ms()), or DRAIN_NEVER; 0: there is
 * no drain. */
uint64_t drain_deadline(const struct draining *drain);

/* The last session has ended: one line for the log that says how it went. */
void drain_log_end(const struct draining *drain);

#endif
