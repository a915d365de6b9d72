#include "reload/process/process.h"

#include "config/base/clock.h"
#include "config/base/happening.h"
#include "config/base/log.h"
#include "config/load.h"
#include "proxy/server_limits.h"
#include "reload/base/event_bus.h"
#include "reload/base/history.h"
#include "reload/base/notify.h"
#include "reload/base/signals.h"
#include "reload/base/supervisor.h"
#include "reload/control/control.h"
#include "reload/handover/generation.h"
#include "reload/handover/kept_state.h"
#include "reload/handover/moving.h"
#include "reload/handover/new_side.h"
#include "reload/handover/old_side.h"
#include "reload/handover/old_side_failure.h"
#include "reload/handover/replacement.h"
#include "reload/handover/sealed_keys.h"
#include "reload/handover/server_states.h"
#include "reload/handover/session_handoff.h"
#include "reload/handover/ticket_keys.h"
#include "reload/listeners/activation.h"
#include "reload/listeners/opening.h"
#include "reload/process/outcome.h"
#include "reload/process/process_state.h"
#include "reload/process/reporting.h"
#include "reload/process/start.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void exit_loop(struct generation *generation, int exit_status)
{
    generation->exit_status = exit_status;
    event_base_loopbreak(generation->base);
}

static uint64_t deadline(const struct generation *generation)
{
    return drain_deadline(&container_of_const(generation, struct process, generation)->drain);
}

/* --- news of the proxy ---------------------------------------------------------------------- */

static void on_proxy_turned(void *arg)
{
    struct process *process = arg;
    pulse_on_turned(&process->generation.heartbeats.pulse);
}

static void on_proxy_empty(void *arg)
{
    struct process *process = arg;
    struct generation *generation = &process->generation;
    if (generation->state != GENERATION_DRAINING || process->drained)
        return;
    process->drained = true;
    drain_log_end(&process->drain);
    if (generation->draining_processes.count == 0)
        exit_loop(generation, EXIT_DONE);
}

/* The new process hears of every change, and so do processes that drain, since they check nothing.
 * The old process that stands by hears of commands only: it has checks of its own. */
static void on_proxy_server(struct server *server, bool by_command, void *arg)
{
    struct process *process = arg;
    struct generation *generation = &process->generation;
    struct message_server record;
    server_states_record(server, &record);
    old_side_tell_server(generation, &record);
    draining_processes_tell_server(&generation->draining_processes, &record);
    if (!by_command)
        return;
    new_side_tell_server(generation->new_side, &record);
    kept_state_changed(generation);
}

static void on_proxy_frontend(const struct frontend *frontend, void *arg)
{
    struct process *process = arg;
    old_side_tell_frontend(&process->generation, frontend);
    new_side_tell_frontend(process->generation.new_side, frontend);
    kept_state_changed(&process->generation);
}

static void on_proxy_quiet(void *arg)
{
    struct process *process = arg;
    closing_on_quiet(&process->closing);
}

/* --- news of processes that drain ------------------------------------------------------------ */

/* A process that stops the proxy exits last: the service manager takes its end for the end of all.
 */
static void on_draining_processes_gone(void *arg)
{
    struct process *process = arg;
    if (process->drained)
        exit_loop(&process->generation, EXIT_DONE);
}

static void on_draining_process_end(const struct draining_process *draining_process, void *arg)
{
    const struct process *process = arg;
    peer_stats_expect_end(&process->generation.peer_stats, draining_process->generation,
                          draining_process->pid);
}

static unsigned on_draining_process_handoff(const struct draining_process *draining_process,
                                            const struct received *message, void *arg)
{
    const struct process *process = arg;
    return moving_take(&process->generation, draining_process->channel, message);
}

static void on_draining_process_event(const struct received *message, void *arg)
{
    const struct process *process = arg;
    bus_hear(process->generation.bus, message->payload, message->length);
}

/* --- from start to serving ------------------------------------------------------------------- */

static bool prepare(struct generation *generation, struct offer *offer, struct offer *duplicates)
{
    struct process *process = process_of(generation);
    const struct proxy_events events = {.on_quiet = on_proxy_quiet,
                                        .on_turned = on_proxy_turned,
                                        .on_empty = on_proxy_empty,
                                        .on_server = on_proxy_server,
                                        .on_frontend = on_proxy_frontend,
                                        .arg = process};
    return start_prepare(generation, &process->publication, offer, duplicates, &events) &&
           kept_state_open(generation, !generation->new_side);
}

static void try_canary(struct generation *generation)
{
    binds_try(generation->binds);
    peer_stats_accept(&generation->peer_stats, true);
    peer_stats_count(&generation->peer_stats);
    proxy_accept(generation->proxy);
    generation->state = GENERATION_CANARY;
    log_notice("canary: pid %d, generation %u accepts", (int)getpid(), generation->number);
    outcome_of_canary(generation);
}

static void begin_service(struct generation *generation)
{
    struct process *process = process_of(generation);
    closing_end(&process->closing);
    peer_stats_accept(&generation->peer_stats, true);
    peer_stats_count(&generation->peer_stats);
    binds_listen_late(generation->binds);
    binds_release(generation->binds);
    proxy_accept(generation->proxy);
    generation->state = GENERATION_ACTIVE;
    kept_state_serve(generation, generation->new_side != NULL);
    notify_ready(getpid());
    bus_lead(generation->bus);
    happened(HAPPENED_SERVING, LOG_LEVEL_NOTICE,
             HAPPENING_FIELDS(happening_number("workers", generation->workers)),
             "serving: pid %d, generation %u, %u worker%s, %zu bind%s", (int)getpid(),
             generation->number, generation->workers, generation->workers == 1 ? "" : "s",
             generation->binds->count, generation->binds->count == 1 ? "" : "s");
}

static bool serve(struct generation *generation)
{
    if (!publication_publish(&process_of(generation)->publication))
        return false;
    begin_service(generation);
    return true;
}

static void serve_anyway(struct generation *generation)
{
    if (!binds_publish(generation->binds, reporting_error_line, generation))
        log_error("not all Unix binds can be published: some clients cannot connect");
    publication_force(&process_of(generation)->publication, 0);
    begin_service(generation);
    outcome_without_old_process(generation);
}

/* --- from serving to exit -------------------------------------------------------------------- */

/* A process that drains needs no checks and no addresses of names, unless sessions wait there for a
 * server that may come back. */
static void end_checks(struct generation *generation)
{
    if (server_limits_wait(generation->proxy))
        return;
    names_free(generation->names);
    generation->names = NULL;
    pulse_leave_checks(&generation->heartbeats.pulse);
    checks_free(generation->checks);
    generation->checks = NULL;
}

static void drain(struct process *process, enum session_end reason)
{
    struct generation *generation = &process->generation;
    generation->state = GENERATION_DRAINING;
    end_checks(generation);
    drain_begin(&process->drain, reason);
}

/* The process that takes over. */
static struct replacement next_process(struct generation *generation)
{
    return generation->new_side ? new_side_returned(generation) : old_side_closed(generation);
}

static void on_listeners_closed(void *arg)
{
    struct process *process = arg;
    struct generation *generation = &process->generation;
    if (generation
            ->new_side) /* this process was a canary, and goes back: its sessions go on elsewhere */
        generation->stop_wanted = false;
    if (generation->new_side || generation->old_side) {
        publication_forget(&process->publication);
        const struct replacement next = next_process(generation);
        replacement_begin(&process->replacement, generation, &next);
    }
    bool stopping = generation->state == GENERATION_STOPPING || generation->stop_wanted;
    drain(process, stopping ? SESSION_STOPPED : SESSION_DRAIN_TIMEOUT);
    if (stopping)
        handoff_end(generation->handoff);
    handoff_go_on(generation->handoff);
}

static void go_back(struct generation *generation, millis linger_timeout)
{
    event_source_follow(&process_of(generation)->event_source);
    happened(HAPPENED_CANARY_BACK, LOG_LEVEL_NOTICE,
             HAPPENING_FIELDS(happening_number("about", generation->number)),
             "canary: generation %u ends, and its connections go back to the old process",
             generation->number);
    generation->state = GENERATION_LINGERING;
    generation->stop_wanted = false; /* the stop was the reason to go back */
    closing_begin(&process_of(generation)->closing, linger_timeout, false);
}

static void end_probation(struct generation *generation)
{
    struct process *process = process_of(generation);
    if (generation->state != GENERATION_PROBATION)
        return;
    event_del(process->probation_over);
    generation->state = GENERATION_LINGERING;
    old_side_tell_lingering(generation);
    reporting_own_step(process, "lingering", "closes its listeners");
    closing_begin(&process->closing, generation->config->linger_timeout, false);
}

static void on_probation_over(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    end_probation(arg);
}

static void retire(struct generation *generation)
{
    struct process *process = process_of(generation);
    generation->state = GENERATION_PROBATION;
    publication_retire(&process->publication);
    if (generation->config->probation == 0) {
        end_probation(generation);
        return;
    }
    struct timeval interval = clock_interval(generation->config->probation);
    event_add(process->probation_over, &interval);
    reporting_own_step(process, "on probation", "is ready to take over");
    proxy_retire(generation->proxy);
}

static void take_back(struct generation *generation, pid_t successor)
{
    struct process *process = process_of(generation);
    event_del(process->probation_over);
    closing_end(&process->closing);
    binds_take_back(generation->binds);
    proxy_accept(generation->proxy);
    generation->state = GENERATION_ACTIVE;
    kept_state_serve(generation, true);
    bus_lead(generation->bus);
    publication_take_back(&process->publication, successor);
    notify_main_pid(getpid());
    notify_ready(getpid());
}

/* --- reload and stop ------------------------------------------------------------------------- */

static const struct reload_order no_order;
static const struct reload_order order_by_message = {
    .wanted = true, .by_signal = true, .by = "an order to the process before this one"};

static enum exit_status reload(struct generation *generation, const struct reload_order *order)
{
    if (generation->state != GENERATION_ACTIVE || generation->stop_wanted)
        return EXIT_OTHER;
    if (generation->old_side || generation->next.wanted)
        return EXIT_BUSY;
    if (generation->new_side) { /* the old process's listeners go first */
        generation->next = *order;
        new_side_hurry(generation->new_side);
    } else {
        old_side_begin(generation, order);
    }
    return EXIT_DONE;
}

static void stop(struct generation *generation)
{
    struct process *process = process_of(generation);
    const char *by = process->stopped_by[0] ? process->stopped_by : order_by_message.by;
    switch (generation->state) {
    case GENERATION_STARTING:
        exit_loop(generation, EXIT_DONE);
        break;
    case GENERATION_CANARY:
        generation->stop_wanted = true;
        new_side_ask_back(generation->new_side);
        break;
    case GENERATION_ACTIVE:
        if (generation->old_side ||
            generation->new_side) { /* the reload ends first; then go_on() */
            generation->stop_wanted = true;
            old_side_cancel(generation);
            if (generation->new_side)
                new_side_hurry(generation->new_side);
            return;
        }
        generation->next = no_order;
        control_reload_over(process_of(generation)->control, EXIT_FAILED,
                            "the proxy was told to stop");
        happened(HAPPENED_STOPPING, LOG_LEVEL_NOTICE, HAPPENING_FIELDS(happening_word("by", by)),
                 "stopping: no new connections are accepted, as ordered by %s", by);
        notify_stopping();
        drain_await_others(&process->drain);
        draining_processes_stop(&generation->draining_processes);
        generation->state = GENERATION_STOPPING;
        stop_limit_begin(&process->stop_limit);
        closing_begin(&process->closing, generation->config->linger_timeout, true);
        break;
    case GENERATION_PROBATION:
        generation->stop_wanted = true;
        end_probation(generation);
        break;
    case GENERATION_LINGERING:
        generation->stop_wanted = true;
        if (!generation->new_side) /* else the sessions of a canary, which go back in any case */
            handoff_end(generation->handoff);
        break;
    case GENERATION_STOPPING:
        break;
    case GENERATION_DRAINING:
        handoff_end(generation->handoff);
        if (process->drain.reason != SESSION_STOPPED)
            drain(process, SESSION_STOPPED);
        break;
    }
}

static void go_on(struct generation *generation)
{
    if (generation->state != GENERATION_ACTIVE)
        return;
    if (generation->stop_wanted) {
        generation->stop_wanted = false;
        stop(generation);
    } else if (generation->next.wanted) {
        const struct reload_order order = generation->next;
        generation->next = no_order;
        old_side_begin(generation, &order);
    }
}

static void rolled_back(struct generation *generation, const char *text)
{
    outcome_rolled_back(generation, text);
    observer_note_rollback(generation);
    control_rolled_back(process_of(generation)->control, text);
    go_on(generation);
}

static void reload_over(struct generation *generation, enum exit_status status, const char *text,
                        uint64_t milliseconds, bool called_off)
{
    outcome_of_reload(generation, status, text, milliseconds, called_off);
    observer_note_reload(generation, status, milliseconds);
    if (status != EXIT_DONE)
        notify_ready(getpid());
    control_reload_over(process_of(generation)->control, status, text);
    if (status != EXIT_DONE)
        go_on(generation);
}

static const char *abort_reload(struct generation *generation, const struct requester *by)
{
    char text[REQUESTER_TEXT_MAX];
    log_notice("reload: %s orders that it is called off", requester_text(by, text));
    if (generation->state != GENERATION_ACTIVE || generation->old_side || !generation->next.wanted)
        return old_side_abort(generation);
    generation->next = no_order;
    reload_over(generation, EXIT_FAILED, "it was called off", 0, true);
    return NULL;
}

static void end_at_once(struct generation *generation)
{
    new_side_tell_end(generation->new_side);
    exit_loop(generation, EXIT_DONE);
}

/* The first order counts: others may come on the way. */
static void stop_by_order(struct generation *generation, const struct requester *by)
{
    struct process *process = process_of(generation);
    if (!process->stopped_by[0])
        requester_text(by, process->stopped_by);
    stop(generation);
}

static void stop_by_signal(struct process *process, const struct requester *from)
{
    struct generation *generation = &process->generation;
    char text[REQUESTER_TEXT_MAX];
    if (process->stop_signalled) {
        log_warning("asked to stop a second time, by %s: all sessions end at once",
                    requester_text(from, text));
        end_at_once(generation);
        return;
    }
    process->stop_signalled = true;
    stop_by_order(generation, from);
}

static void reload_by_signal(struct generation *generation, const struct requester *from)
{
    struct reload_order order = {.wanted = true, .by_signal = true};
    requester_text(from, order.by);
    switch (reload(generation, &order)) {
    case EXIT_BUSY:
        if (!generation->next.wanted) /* signals coalesce into one more reload */
            generation->next = order;
        break;
    case EXIT_OTHER:
        /* This process will serve: the file may have changed since it was read. */
        if (generation->state == GENERATION_STARTING || generation->state == GENERATION_CANARY) {
            generation->next = order;
            break;
        }
        log_notice("reload: generation %u is %s and does not reload", generation->number,
                   generation_state_name(generation->state));
        break;
    default:
        break;
    }
}

/* The old process passes an order on. */
static void reload_by_message(struct generation *generation)
{
    (void)reload(generation, &order_by_message);
}

static void predecessor_closed(struct generation *generation)
{
    if (generation->proxy) {
        publication_settle(&process_of(generation)->publication);
        proxy_allow(generation->proxy, start_allowed(generation, generation->descriptors.sessions));
        peer_stats_count(&generation->peer_stats);
        outcome_without_old_process(generation); /* it died before it could tell */
    }
    go_on(generation);
}

static bool serve_alone(struct generation *generation)
{
    if (!prepare(generation, NULL, NULL) || !serve(generation))
        return false;
    outcome_without_old_process(generation);
    publication_settle(&process_of(generation)->publication);
    go_on(generation);
    return true;
}

static void pass_events(struct generation *generation)
{
    event_source_pass_on(&process_of(generation)->event_source);
}

static void sweep(struct generation *generation, pid_t pid)
{
    publication_sweep(&process_of(generation)->publication, pid);
}

static void answer(struct generation *generation, const struct received *message)
{
    char *line = strndup(message->payload, message->length);
    if (line && message->fd_count > 0) {
        control_answer(process_of(generation)->control, message->fds[0], line);
        message->fds[0] = -1;
    }
    free(line);
}

static void terminate(struct generation *generation)
{
    drain_terminate(&process_of(generation)->drain);
}

static const struct generation_events generation_events = {
    .report = reporting_error,
    .warn = reporting_warning,
    .progress = reporting_progress,
    .step = reporting_step,
    .reload_over = reload_over,
    .retire = retire,
    .end_probation = end_probation,
    .take_back = take_back,
    .rolled_back = rolled_back,
    .prepare = prepare,
    .try_canary = try_canary,
    .go_back = go_back,
    .serve = serve,
    .serve_anyway = serve_anyway,
    .serve_alone = serve_alone,
    .predecessor_closed = predecessor_closed,
    .sweep = sweep,
    .reload = reload_by_message,
    .stop = stop,
    .answer = answer,
    .pass_events = pass_events,
    .reloaded = outcome_of_start,
    .terminate = terminate,
    .deadline = deadline,
    .exit = exit_loop,
};

static const struct control_events control_events = {
    .reload = reload, .abort = abort_reload, .stop = stop_by_order};

/* --- the process ----------------------------------------------------------------------------- */

static void on_signal(const struct requester *from, void *arg)
{
    struct process *process = arg;
    struct generation *generation = &process->generation;
    char text[REQUESTER_TEXT_MAX];
    switch (from->signal) {
    case SIGUSR2:
    case SIGHUP:
        reload_by_signal(generation, from);
        break;
    case SIGUSR1:
        (void)log_reopen();
        break;
    case SIGCHLD:
        children_collect(&generation->children);
        old_side_on_child(generation);
        replacement_on_child(&process->replacement);
        peer_stats_on_child(&generation->peer_stats);
        break;
    case SIGTERM:
        stop_by_signal(process, from);
        break;
    case SIGINT:
        log_notice("interrupted by %s: all sessions end at once", requester_text(from, text));
        end_at_once(generation);
        break;
    default:
        break;
    }
}

static bool start_cold(struct generation *generation, struct offer *passed)
{
    if (!start_is_first(generation))
        return false;
    generation->number = history_next(generation->config->history);
    if (!prepare(generation, passed, NULL))
        return false;
    struct crash crash;
    if (life_read(generation->config->control, &crash))
        crash_note(&generation->last_crash, &generation->proxy->stats.tally, &crash);
    if (generation->last_crash.at > 0)
        outcome_after_crash(generation, &generation->last_crash);
    if (!serve(generation))
        return false;
    outcome_of_start(generation, "a start");
    publication_settle(&process_of(generation)->publication);
    return true;
}

/* This process is the new one of a reload. */
static bool begin_reload(struct generation *generation, int channel)
{
    int error = new_side_begin(generation, channel);
    if (error)
        log_error("cannot speak to the old process: %s", strerror(error));
    return !error;
}

static bool start(struct generation *generation)
{
    int channel = program_inherited_channel();
    if (channel < 0 && channel != -ENOENT) {
        log_error("%s is set, but names no handover channel: %s", HANDOVER_VARIABLE,
                  strerror(-channel));
        return false;
    }
    unsigned number = program_inherited_generation();
    if (channel >= 0 && number)
        log_set_generation(number);
    sealed_keys_begin(generation, channel);
    if (channel >= 0)
        return begin_reload(generation, channel) && start_read_config(generation);
    struct offer passed = {0};
    const char *wrong = activation_take(&passed);
    if (wrong)
        log_error("%s", wrong);
    bool started = !wrong && start_read_config(generation) && start_cold(generation, &passed);
    offer_free(&passed);
    return started;
}

/* A process that stops waits for the processes that drain as well; a replaced one has handed them
 * on. */
static void on_drain_report(void *arg)
{
    struct process *process = arg;
    replacement_report_sessions(&process->replacement);
    control_draining(process->control, peer_stats_live(&process->generation.peer_stats));
    end_checks(&process->generation);
}

/* Returns 0 or an errno value; close_all() is right after either. */
static int make_loop(struct process *process)
{
    struct generation *generation = &process->generation;
    struct event_base *base = generation->base = event_base_new();
    if (!base)
        return errno;
    const struct peer_stats_means means = {.base = base,
                                           .children = &generation->children,
                                           .last_crash = &generation->last_crash,
                                           .draining_processes = &generation->draining_processes,
                                           .predecessor = &generation->predecessor};
    process->probation_over = event_new(base, -1, 0, on_probation_over, generation);
    process->control = control_new(generation, &control_events);
    process->signals = signals_watch(base, on_signal, process);
    generation->heartbeats = (struct heartbeats){
        .base = base, .tick_ms = HEARTBEAT_TICK_MS, .on_hung = reporting_hung, .arg = generation};
    pulse_init(&generation->heartbeats.pulse);
    process->publication.generation = generation;
    process->publication.control = process->control;
    process->publication.events = &control_events;
    process->closing = (struct closing){
        .generation = generation, .on_closed = on_listeners_closed, .arg = process};
    process->drain =
        (struct draining){.generation = generation, .on_report = on_drain_report, .arg = process};
    int error = event_source_open(&process->event_source, generation, &process->replacement);
    if (!error)
        error = peer_stats_open(&generation->peer_stats, &means);
    if (!error)
        error = drain_open(&process->drain);
    if (!error)
        error = publication_open(&process->publication);
    if (!error)
        error = watchdog_open(&process->watchdog, generation);
    if (!error)
        error = stop_limit_open(&process->stop_limit, &process->generation, &process->drain,
                                &process->publication);
    if (!error)
        error = observer_open(&process->observer, generation);
    if (!error)
        error = notify_begin(base);
    if (!error && !(process->probation_over && process->control && process->signals))
        error = ENOMEM;
    return error;
}

/* This process ends by its own fault, and not by order: the processes that live on, and the next
 * one, are to hear of it. */
static void note_failure(struct process *process)
{
    if (!process->generation.proxy)
        return;
    stats_set_lost(&process->generation.proxy->stats);
    publication_fail(&process->publication, process->generation.exit_status);
}

static struct control_end end_of(const struct process *process)
{
    const struct proxy *proxy = process->generation.proxy;
    return (struct control_end){.sessions = process->drain.sessions,
                                .cut = proxy ? proxy_overdue(proxy) : 0,
                                .others_cut = proxy ? drain_others_cut(&process->drain) : 0};
}

static void close_all(struct process *process)
{
    struct generation *generation = &process->generation;
    stop_limit_close(&process->stop_limit);
    if (generation->exit_status != EXIT_DONE)
        note_failure(process);
    const struct control_end end = end_of(process);
    publication_close(&process->publication, &end);
    old_side_free(generation->old_side);
    replacement_hang_up(&process->replacement);
    new_side_free(generation->new_side);
    draining_processes_free(&generation->draining_processes);
    peer_stats_close(&generation->peer_stats);
    closing_end(&process->closing);
    names_free(generation->names);
    checks_free(generation->checks);
    kept_state_close(generation);
    proxy_free(generation->proxy);
    ticket_keys_end(generation);
    handoff_free(generation->handoff);
    binds_free(generation->binds);
    signals_free(process->signals);
    if (process->probation_over)
        event_free(process->probation_over);
    drain_free(&process->drain);
    watchdog_close(&process->watchdog);
    observer_close(&process->observer);
    event_source_close(&process->event_source);
    notify_end();
    children_free(&generation->children);
    if (generation->base)
        event_base_free(generation->base);
    log_stop();
    config_errors_free(&generation->config_errors);
    config_free(generation->config);
    key_log_close(&generation->key_log);
    sealed_keys_end(generation);
    control_free(process->control);
}

int process_run(const struct program *program, const char *file)
{
    struct process process = {.generation = {.events = &generation_events,
                                             .program = program,
                                             .file = file,
                                             .exit_status = EXIT_OTHER,
                                             .started_at = clock_ms(),
                                             .peer_stats.process = -1},
                              .publication.life.fd = -1};
    struct generation *generation = &process.generation;
    const struct draining_processes_events events = {.on_gone = on_draining_processes_gone,
                                                     .on_end = on_draining_process_end,
                                                     .on_handoff = on_draining_process_handoff,
                                                     .on_event = on_draining_process_event,
                                                     .arg = &process};
    signals_begin();
    draining_processes_init(&generation->draining_processes, &events);
    int no_supervisor = supervisor_inherit();
    int error = make_loop(&process);
    if (no_supervisor)
        log_error("%s is set, but names no socket of a supervisor: %s", SUPERVISOR_VARIABLE,
                  strerror(no_supervisor));
    else if (error)
        log_error("cannot make the main loop: %s", strerror(error));
    else if (start(generation) && event_base_dispatch(generation->base) < 0)
        log_error("the main loop has failed: %s", strerror(errno));
    close_all(&process);
    return generation->exit_status;
}
