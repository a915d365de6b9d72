#include "reload/process/drain.h"

#include "config/base/clock.h"
#include "config/base/happening.h"
#include "config/base/log.h"
#include "config/syntax/value.h"
#include "proxy/proxy.h"
#include "reload/base/text.h"
#include "reload/handover/generation.h"
#include "reload/handover/session_handoff.h"

#include <errno.h>

/* Spread closings come in so many steps, of at least and at most so long. */
#define SPREAD_STEPS       100
#define SPREAD_STEP_MIN_MS 10u
#define SPREAD_STEP_MAX_MS 1000u
/* How often a process that drains reports how many sessions are left. */
static const struct timeval report_interval = {.tv_usec = 200000};

/* When a frontend's sessions are closed: from begin, when it keeps all, to end, when none is left.
 */
struct closing {
    uint64_t begin, end; /* clock_ms(); DRAIN_NEVER */
};

static struct closing closing_of(const struct draining *drain, const struct frontend_conf *frontend)
{
    struct closing closing = {DRAIN_NEVER, DRAIN_NEVER};
    if (drain->at_once)
        return (struct closing){0, 0};
    if (drain->retired_at && frontend->drain_timeout) {
        millis spread = drain->generation->config->drain_spread;
        closing.end = drain->retired_at + frontend->drain_timeout;
        closing.begin = spread < frontend->drain_timeout ? closing.end - spread : drain->retired_at;
    }
    if (drain->stopped_at && frontend->stop_timeout) {
        uint64_t end = drain->stopped_at + frontend->stop_timeout;
        closing.end = end < closing.end ? end : closing.end;
        closing.begin = end < closing.begin ? end : closing.begin;
    }
    return closing;
}

static unsigned share_at(const struct closing *closing, uint64_t now)
{
    if (now < closing->begin)
        return KEEP_ALL;
    if (now >= closing->end)
        return 0;
    return (unsigned)((closing->end - now) * KEEP_ALL / (closing->end - closing->begin));
}

static uint64_t next_look(const struct closing *closing, uint64_t now)
{
    if (now < closing->begin)
        return closing->begin;
    if (now >= closing->end)
        return DRAIN_NEVER;
    uint64_t step = (closing->end - closing->begin) / SPREAD_STEPS;
    if (step < SPREAD_STEP_MIN_MS)
        step = SPREAD_STEP_MIN_MS;
    if (step > SPREAD_STEP_MAX_MS)
        step = SPREAD_STEP_MAX_MS;
    return now + step < closing->end ? now + step : closing->end;
}

static void log_closing(const struct frontend *frontend, const struct closing *closing)
{
    const char *name = frontend->conf->name; /* of the sessions whose frontend is gone: NULL */
    unsigned sessions = atomic_load(&frontend->places.limit->used);
    char spread[DURATION_TEXT_MAX], text[SESSIONS_TEXT_MAX];
    if (sessions == 0)
        return;
    log_warning("frontend %s: %s not ended in time: closing%s%s", name ? name : "(gone)",
                sessions_text(sessions, text), closing->begin < closing->end ? " within " : "",
                closing->begin < closing->end ? duration_text(closing->end - closing->begin, spread)
                                              : "");
}

static void look(struct draining *drain)
{
    struct proxy *proxy = drain->generation->proxy;
    uint64_t now = clock_ms();
    uint64_t next = DRAIN_NEVER;
    bool less = false;
    for (size_t i = 0; i < proxy->service.frontend_count; i++) {
        struct frontend *frontend = &proxy->service.frontends[i];
        const struct closing closing = closing_of(drain, frontend->conf);
        unsigned before = atomic_load(&frontend->keep);
        unsigned share = share_at(&closing, now);
        if (share < before) {
            if (before == KEEP_ALL)
                log_closing(frontend, &closing);
            atomic_store(&frontend->keep, share);
            less = true;
        }
        uint64_t then = next_look(&closing, now);
        next = then < next ? then : next;
    }
    if (less)
        proxy_terminate(proxy, drain->reason);
    event_del(drain->tick);
    if (next != DRAIN_NEVER) {
        struct timeval interval = clock_interval(next - now);
        event_add(drain->tick, &interval);
    }
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    look(arg);
}

static void on_report(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    const struct draining *drain = arg;
    drain->on_report(drain->arg);
}

int drain_open(struct draining *drain)
{
    drain->tick = event_new(drain->generation->base, -1, 0, on_tick, drain);
    drain->report = event_new(drain->generation->base, -1, EV_PERSIST, on_report, drain);
    return drain->tick && drain->report ? 0 : ENOMEM;
}

void drain_free(struct draining *drain)
{
    if (drain->tick)
        event_free(drain->tick);
    if (drain->report)
        event_free(drain->report);
}

void drain_begin(struct draining *drain, enum session_end reason)
{
    const struct generation *generation = drain->generation;
    uint64_t now = clock_ms();
    char text[SESSIONS_TEXT_MAX];
    drain->reason = reason;
    if (reason == SESSION_STOPPED)
        drain->stopped_at = now;
    else
        drain->retired_at = now;
    if (drain->started_at == 0) {
        drain->started_at = now;
        drain->sessions = proxy_live(generation->proxy) + handoff_moved(generation->handoff);
        happened(HAPPENED_DRAINING, LOG_LEVEL_NOTICE,
                 HAPPENING_FIELDS(happening_number("sessions", drain->sessions)),
                 "generation %u drains: %s", generation->number,
                 sessions_text(drain->sessions, text));
        event_add(drain->report, &report_interval);
        proxy_drain(generation->proxy);
    }
    look(drain);
    drain->on_report(drain->arg);
}

static uint64_t others_cut(const struct generation *generation)
{
    return peer_stats_figures(&generation->peer_stats).overdue - proxy_overdue(generation->proxy);
}

void drain_await_others(struct draining *drain)
{
    drain->cut_before = others_cut(drain->generation);
}

uint64_t drain_others_cut(const struct draining *drain)
{
    const struct generation *generation = drain->generation;
    bool stops = generation->state == GENERATION_STOPPING || drain->stopped_at;
    if (!stops || generation->replaced) /* the process that replaced this one counts them */
        return 0;
    return others_cut(generation) - drain->cut_before;
}

void drain_terminate(struct draining *drain)
{
    drain->at_once = true;
    look(drain);
}

uint64_t drain_deadline(const struct draining *drain)
{
    const struct generation *generation = drain->generation;
    uint64_t last = 0;
    if (drain->started_at == 0)
        return 0;
    for (size_t i = 0; i < generation->proxy->service.frontend_count; i++) {
        const struct frontend *frontend = &generation->proxy->service.frontends[i];
        if (atomic_load(&frontend->places.limit->used) == 0)
            continue;
        const struct closing closing = closing_of(drain, frontend->conf);
        last = closing.end > last ? closing.end : last;
    }
    return last;
}

void drain_log_end(const struct draining *drain)
{
    const struct generation *generation = drain->generation;
    uint64_t moved = handoff_moved(generation->handoff);
    uint64_t cut = proxy_overdue(generation->proxy);
    uint64_t by_themselves = drain->sessions > moved + cut ? drain->sessions - moved - cut : 0;
    char text[SESSIONS_TEXT_MAX];
    uint64_t took = clock_ms() - drain->started_at;
    happened(HAPPENED_DRAINED, LOG_LEVEL_NOTICE,
             HAPPENING_FIELDS(happening_number("sessions", drain->sessions),
                              happening_number("moved", moved), happening_number("cut", cut),
                              happening_number("took_ms", took)),
             "generation %u has drained %s: %llu handed off, %llu ended, %llu cut, %.3f s",
             generation->number, sessions_text(drain->sessions, text), (unsigned long long)moved,
             (unsigned long long)by_themselves, (unsigned long long)cut, (double)took / 1000);
}
