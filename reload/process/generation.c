#include "reload/process/generation.h"

#include "config/base/clock.h"
#include "config/base/log.h"
#include "config/load.h"
#include "reload/base/notify.h"
#include "reload/base/privileges.h"
#include "reload/base/signals.h"
#include "reload/control/control.h"
#include "reload/control/running.h"
#include "reload/handover/handover.h"
#include "reload/handover/server_states.h"
#include "reload/handover/session_handoff.h"
#include "reload/handover/succession.h"
#include "reload/listeners/activation.h"
#include "reload/listeners/linger.h"
#include "reload/listeners/opening.h"
#include "reload/process/moving.h"

#include <errno.h>
#include <event2/event.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *generation_state_name(enum generation_state state)
{
    static const char *const names[] = {
        [GENERATION_STARTING] = "starting",   [GENERATION_CANARY] = "canary",
        [GENERATION_ACTIVE] = "active",       [GENERATION_PROBATION] = "standby",
        [GENERATION_LINGERING] = "lingering", [GENERATION_STOPPING] = "stopping",
        [GENERATION_DRAINING] = "draining",
    };
    return names[state];
}

void generation_report(const char *line, void *arg)
{
    struct generation *generation = arg;
    log_error("%s", line);
    if (generation->succession)
        succession_progress(generation->succession, line);
}

struct message_sessions generation_about(const struct generation *generation)
{
    return (struct message_sessions){.generation = generation->number,
                                     .pid = (uint32_t)getpid(),
                                     .sessions = proxy_live(generation->proxy),
                                     .config_hash = generation->config_hash,
                                     .deadline = drain_deadline(generation),
                                     /* Told as early as with COMMIT. */
                                     .standby = generation->state <= GENERATION_PROBATION};
}

struct rescue_means generation_rescue_means(const struct generation *generation)
{
    return (struct rescue_means){.proxy = generation->proxy,
                                 .binds = generation->binds,
                                 .base = generation->base,
                                 .most = generation->descriptors.sessions,
                                 .linger_timeout = generation->config->linger_timeout};
}

void generation_exit(struct generation *generation, int exit_status)
{
    generation->exit_status = exit_status;
    event_base_loopbreak(generation->base);
}

static unsigned choose_workers(const struct config *config)
{
    struct cpus usable;
    if (config->workers)
        return config->workers;
    if (config->affinity.count)
        return config->affinity.count;
    cpus_usable(&usable);
    return usable.count ? usable.count : 1;
}

/* What can be done, and is hardly meant. */
static void warn_of_affinity(const struct generation *generation)
{
    const struct config *config = generation->config;
    char text[CPUS_TEXT_MAX];
    if (config->affinity.count && generation->workers > config->affinity.count)
        log_warning("cpu-affinity: %u workers share CPU %s", generation->workers,
                    cpus_format(&config->affinity, text));
    for (size_t i = 0; i < config->frontend_count && config->affinity.count == 0; i++)
        for (size_t j = 0; j < config->frontends[i].bind_count; j++)
            if (config->frontends[i].binds[j].steer == STEER_CPU) {
                log_warning("%s: steer=cpu without cpu-affinity: workers are not on the CPUs they "
                            "serve",
                            config->frontends[i].binds[j].text);
                return;
            }
}

static unsigned allowed(const struct generation *generation, unsigned fit)
{
    unsigned wanted = generation->config->max_sessions;
    return wanted && wanted < fit ? wanted : fit;
}

/* False: it has been reported that the limit of descriptors is too low. */
static bool plan_descriptors(struct generation *generation, const struct offer *offer)
{
    struct descriptors *plan = &generation->descriptors;
    char text[DESCRIPTORS_TEXT_MAX], line[DESCRIPTORS_TEXT_MAX + PATH_MAX];
    unsigned wanted = generation->config->max_sessions;
    *plan =
        descriptors_plan(generation->config, generation->workers, offer, privileges_descriptors());
    if (!descriptors_suffice(plan, text)) {
        snprintf(line, sizeof line, "%s: %s", generation->file, text);
        generation_report(line, generation);
        return false;
    }
    if (wanted > plan->sessions)
        log_warning("max-sessions: %u sessions take more descriptors than the limit of %u: only "
                    "%u are accepted at a time (ulimit -n, LimitNOFILE=)",
                    wanted, plan->limit, plan->sessions);
    if (descriptors_are_few(plan, text))
        log_warning("%s", text);
    return true;
}

void generation_predecessor_closed(struct generation *generation)
{
    if (!generation->proxy)
        return;
    publication_settle(generation);
    proxy_allow(generation->proxy, allowed(generation, generation->descriptors.sessions));
    peer_stats_count(&generation->peer_stats);
}

static void on_proxy_turned(void *arg)
{
    struct generation *generation = arg;
    pulse_on_turned(&generation->heartbeats.pulse);
}

static void on_proxy_empty(void *arg)
{
    struct generation *generation = arg;
    if (generation->state != GENERATION_DRAINING || generation->drained)
        return;
    generation->drained = true;
    drain_log_end(generation);
    if (generation->draining_processes.count == 0)
        generation_exit(generation, EXIT_DONE);
}

/* Who comes after us is told all, who was before us of commands: it has checks of its own. */
static void on_proxy_server(struct server *server, bool by_command, void *arg)
{
    struct generation *generation = arg;
    struct message_server record;
    server_states_record(server, &record);
    handover_tell_server(generation, &record);
    if (!by_command)
        return;
    succession_tell_server(generation->succession, &record);
    draining_processes_tell_server(&generation->draining_processes, &record);
}

/* Who stops the proxy goes last: the service manager takes our end for the end of all. */
static void on_draining_processes_gone(void *arg)
{
    struct generation *generation = arg;
    if (generation->drained)
        generation_exit(generation, EXIT_DONE);
}

static void on_draining_process_end(const struct draining_process *draining_process, void *arg)
{
    const struct generation *generation = arg;
    peer_stats_expect_end(&generation->peer_stats, draining_process->generation,
                          draining_process->pid);
}

bool generation_prepare(struct generation *generation, struct offer *offer,
                        struct offer *duplicates)
{
    char tag[32];
    snprintf(tag, sizeof tag, "generation %u", generation->number);
    log_set_tag(tag);
    warn_of_affinity(generation);
    if (!plan_descriptors(generation, offer) || !publication_prepare(generation)) {
        generation->exit_status = EXIT_OTHER;
        return false;
    }
    generation->binds = binds_open(generation->config, generation->workers, offer, duplicates,
                                   generation_report, generation);
    if (!generation->binds) {
        generation->exit_status = EXIT_BIND;
        return false;
    }
    const struct proxy_events events = {.on_quiet = moving_on_quiet,
                                        .on_turned = on_proxy_turned,
                                        .on_empty = on_proxy_empty,
                                        .on_server = on_proxy_server,
                                        .arg = generation};
    generation->proxy = proxy_new(generation->config, generation->number, generation->workers,
                                  allowed(generation, generation->descriptors.sessions_meanwhile),
                                  generation->base, &events);
    int error = generation->proxy ? binds_give(generation->binds, generation->proxy) : errno;
    if (!error) {
        proxy_keep_spares(generation->proxy, generation->descriptors.spares);
        generation->checks = checks_new(generation->proxy->service.backends,
                                        generation->config->backend_count, generation->base);
        error = generation->checks ? 0 : ENOMEM;
    }
    if (!error)
        error = peer_stats_begin(&generation->peer_stats);
    if (!error)
        error = proxy_start(generation->proxy);
    if (!error)
        pulse_begin(&generation->heartbeats.pulse, generation->proxy);
    if (error) {
        char line[128];
        snprintf(line, sizeof line, "cannot start the workers: %s%s", strerror(error),
                 error == EAGAIN ? " (a limit of threads: ulimit -u, TasksMax=)" : "");
        generation_report(line, generation);
        generation->exit_status = EXIT_OTHER;
        return false;
    }
    if (!generation->succession)
        checks_begin(generation->checks);
    return true;
}

void generation_try(struct generation *generation)
{
    binds_try(generation->binds);
    peer_stats_count(&generation->peer_stats);
    proxy_accept(generation->proxy);
    generation->state = GENERATION_CANARY;
    log_notice("canary: pid %d, generation %u accepts", (int)getpid(), generation->number);
}

static void serve(struct generation *generation)
{
    lingering_free(generation->lingering);
    generation->lingering = NULL;
    peer_stats_count(&generation->peer_stats);
    binds_listen_late(generation->binds);
    binds_release(generation->binds);
    proxy_accept(generation->proxy);
    generation->state = GENERATION_ACTIVE;
    notify_ready(getpid());
    log_notice("serving: pid %d, generation %u, %u workers, %zu binds", (int)getpid(),
               generation->number, generation->workers, generation->binds->count);
}

bool generation_serve(struct generation *generation)
{
    if (!publication_publish(generation))
        return false;
    serve(generation);
    return true;
}

void generation_serve_anyway(struct generation *generation)
{
    if (!binds_publish(generation->binds, generation_report, generation))
        log_error("not all Unix binds can be published: some clients find nobody");
    publication_force(generation, 0);
    serve(generation);
}

static void drain(struct generation *generation, enum session_end reason)
{
    if (generation->state != GENERATION_DRAINING) {
        checks_free(generation->checks);
        generation->checks = NULL;
    }
    generation->state = GENERATION_DRAINING;
    drain_begin(generation, reason);
}

static void on_listeners_closed(void *arg)
{
    struct generation *generation = arg;
    lingering_free(generation->lingering);
    generation->lingering = NULL;
    if (generation->succession) { /* we were a canary: what we have goes on elsewhere */
        generation->stop_wanted = false;
        publication_forget(generation);
        succession_returned(generation);
    } else if (generation->handover) {
        publication_forget(generation);
        handover_closed(generation);
    }
    bool stopping = generation->state == GENERATION_STOPPING || generation->stop_wanted;
    drain(generation, stopping ? SESSION_STOPPED : SESSION_DRAIN_TIMEOUT);
    if (stopping)
        handoff_end(generation->handoff);
    handoff_go_on(generation->handoff);
}

static void begin_lingering(struct generation *generation, millis timeout, bool alone)
{
    generation->lingering = lingering_start(generation->binds, generation->proxy, generation->base,
                                            timeout, alone, on_listeners_closed, generation);
    if (!generation->lingering) {
        log_error("out of memory: the listeners close without lingering");
        binds_close(generation->binds);
        on_listeners_closed(generation);
    }
}

void generation_go_back(struct generation *generation, millis linger_timeout)
{
    log_notice("canary: generation %u goes back", generation->number);
    generation->state = GENERATION_LINGERING;
    generation->stop_wanted = false; /* that is what it asked back for */
    begin_lingering(generation, linger_timeout, false);
}

void generation_retire(struct generation *generation)
{
    generation->state = GENERATION_PROBATION;
    publication_retire(generation);
    if (generation->config->probation == 0) {
        generation_end_probation(generation);
        return;
    }
    struct timeval interval = clock_interval(generation->config->probation);
    event_add(generation->probation_over, &interval);
    control_step(generation->control, "on probation: pid %d stands by", (int)getpid());
    proxy_retire(generation->proxy);
}

void generation_end_probation(struct generation *generation)
{
    if (generation->state != GENERATION_PROBATION)
        return;
    event_del(generation->probation_over);
    generation->state = GENERATION_LINGERING;
    handover_tell_lingering(generation);
    control_step(generation->control, "lingering: pid %d closes its listeners", (int)getpid());
    begin_lingering(generation, generation->config->linger_timeout, false);
}

static void on_probation_over(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    generation_end_probation(arg);
}

void generation_take_back(struct generation *generation, pid_t successor)
{
    event_del(generation->probation_over);
    lingering_free(generation->lingering);
    generation->lingering = NULL;
    binds_take_back(generation->binds);
    proxy_accept(generation->proxy);
    generation->state = GENERATION_ACTIVE;
    publication_take_back(generation, successor);
    notify_main_pid(getpid());
    notify_ready(getpid());
}

static const struct reload_order no_order;
static const struct reload_order order_by_signal = {.wanted = true, .by_signal = true};

void generation_reload_as_by_signal(struct generation *generation)
{
    (void)generation_reload(generation, &order_by_signal);
}

enum exit_status generation_reload(struct generation *generation, const struct reload_order *order)
{
    if (generation->state != GENERATION_ACTIVE || generation->stop_wanted)
        return EXIT_OTHER;
    if (generation->handover || generation->next.wanted)
        return EXIT_BUSY;
    if (generation->succession) { /* our own predecessor's listeners go first */
        generation->next = *order;
        succession_hurry(generation->succession);
    } else {
        handover_begin(generation, order);
    }
    return EXIT_DONE;
}

const char *generation_abort(struct generation *generation)
{
    if (generation->state != GENERATION_ACTIVE || generation->handover || !generation->next.wanted)
        return handover_abort(generation);
    generation->next = no_order;
    generation_reload_over(generation, EXIT_FAILED, "it was called off", 0);
    return NULL;
}

void generation_note_reload(struct generation *generation, enum exit_status status,
                            const char *text, uint64_t milliseconds)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    generation->last_reload = (struct reload_result){
        .any = true, .status = status, .at = (uint64_t)now.tv_sec, .duration = milliseconds};
    snprintf(generation->last_reload.text, sizeof generation->last_reload.text, "%s", text);
}

void generation_rolled_back(struct generation *generation, const char *text)
{
    log_error("%s on probation: generation %u serves again", text, generation->number);
    generation_note_reload(generation, EXIT_FAILED, text, generation->last_reload.duration);
    control_rolled_back(generation->control, text);
    generation_go_on(generation);
}

void generation_reload_over(struct generation *generation, enum exit_status status,
                            const char *text, uint64_t milliseconds)
{
    generation_note_reload(generation, status, text, milliseconds);
    if (status == EXIT_DONE) {
        log_notice("reloaded: %s", text);
    } else {
        log_error("reload failed: %s; generation %u serves on", text, generation->number);
        notify_ready(getpid());
    }
    control_reload_over(generation->control, status, text);
    if (status != EXIT_DONE)
        generation_go_on(generation);
}

void generation_go_on(struct generation *generation)
{
    if (generation->state != GENERATION_ACTIVE)
        return;
    if (generation->stop_wanted) {
        generation->stop_wanted = false;
        generation_stop(generation);
    } else if (generation->next.wanted) {
        const struct reload_order order = generation->next;
        generation->next = no_order;
        handover_begin(generation, &order);
    }
}

void generation_stop(struct generation *generation)
{
    switch (generation->state) {
    case GENERATION_STARTING:
        generation_exit(generation, EXIT_DONE);
        break;
    case GENERATION_CANARY:
        generation->stop_wanted = true;
        succession_ask_back(generation->succession);
        break;
    case GENERATION_ACTIVE:
        if (generation->handover || generation->succession) { /* to its end, generation_go_on() */
            generation->stop_wanted = true;
            handover_cancel(generation);
            if (generation->succession)
                succession_hurry(generation->succession);
            return;
        }
        generation->next = no_order;
        control_reload_over(generation->control, EXIT_FAILED, "the proxy was told to stop");
        log_notice("stopping: no new connections are accepted");
        notify_stopping();
        drain_await_others(generation);
        draining_processes_stop(&generation->draining_processes);
        generation->state = GENERATION_STOPPING;
        begin_lingering(generation, generation->config->linger_timeout, true);
        break;
    case GENERATION_PROBATION:
        generation->stop_wanted = true;
        generation_end_probation(generation);
        break;
    case GENERATION_LINGERING:
        generation->stop_wanted = true;
        handoff_end(generation->handoff);
        break;
    case GENERATION_STOPPING:
        break;
    case GENERATION_DRAINING:
        handoff_end(generation->handoff);
        if (generation->drain.reason != SESSION_STOPPED)
            drain(generation, SESSION_STOPPED);
        break;
    }
}

static void end_at_once(struct generation *generation)
{
    succession_tell_end(generation->succession);
    generation_exit(generation, EXIT_DONE);
}

static void stop_by_signal(struct generation *generation)
{
    if (generation->stop_signalled) {
        log_warning("told to stop a second time: ending at once");
        end_at_once(generation);
        return;
    }
    generation->stop_signalled = true;
    generation_stop(generation);
}

static void reload_by_signal(struct generation *generation)
{
    switch (generation_reload(generation, &order_by_signal)) {
    case EXIT_BUSY:
        if (!generation->next.wanted) /* signals coalesce into one more reload */
            generation->next = order_by_signal;
        break;
    case EXIT_OTHER:
        /* It is to serve: the file may have changed since it was read. */
        if (generation->state == GENERATION_STARTING || generation->state == GENERATION_CANARY) {
            generation->next = order_by_signal;
            break;
        }
        log_notice("reload: generation %u is %s and does not reload", generation->number,
                   generation_state_name(generation->state));
        break;
    default:
        break;
    }
}

static void on_signal(int number, void *arg)
{
    struct generation *generation = arg;
    switch (number) {
    case SIGUSR2:
    case SIGHUP:
        reload_by_signal(generation);
        break;
    case SIGUSR1:
        log_reopen();
        break;
    case SIGCHLD:
        children_collect(&generation->children);
        handover_on_child(generation);
        replacement_on_child(&generation->replacement);
        peer_stats_on_child(&generation->peer_stats);
        break;
    case SIGTERM:
        stop_by_signal(generation);
        break;
    case SIGINT:
        log_notice("interrupted: ending at once");
        end_at_once(generation);
        break;
    default:
        break;
    }
}

/* The configuration, and the user it names. */
static bool settle_identity(struct generation *generation)
{
    struct config_errors errors;
    signals_drop_reloads();
    generation->config = config_load(generation->file, &errors);
    for (size_t i = 0; i < errors.count; i++)
        generation_report(errors.lines[i], generation);
    config_errors_free(&errors);
    generation->exit_status = EXIT_INVALID;
    if (!generation->config)
        return false;

    const struct config *config = generation->config;
    generation->config_hash = running_hash(config);
    generation->exit_status = EXIT_OTHER;
    char line[512];
    int error = privileges_make_directory(config->control, config->user);
    if (!error && config->pidfile)
        error = privileges_make_directory(config->pidfile, config->user);
    if (error)
        log_warning("cannot make the directory of control socket or pidfile: %s", strerror(error));
    const char *wrong = privileges_become(config->user);
    if (wrong) {
        snprintf(line, sizeof line, "%s: user: %s", generation->file, wrong);
        generation_report(line, generation);
        return false;
    }
    if (access(generation->file, R_OK))
        log_warning("%s: the user who serves cannot read it: reloads will fail", generation->file);
    error = log_open(config->log_target, config->log_path, config->log_level);
    if (error) {
        snprintf(line, sizeof line, "%s: log %s: %s", generation->file, config->log_path,
                 strerror(error));
        generation_report(line, generation);
        return false;
    }
    error = log_start(); /* before the first line that a deaf syslogd could hold up */
    if (error) {
        snprintf(line, sizeof line, "%s: cannot start the log's thread: %s", generation->file,
                 strerror(error));
        generation_report(line, generation);
        return false;
    }
    generation->workers = choose_workers(config);
    generation->draining_processes.max = config->max_generations;
    return true;
}

static bool start_cold(struct generation *generation, struct offer *passed)
{
    pid_t pid = control_holder(generation->config->control);
    if (pid) {
        char who[32] = "a process";
        if (pid > 0)
            snprintf(who, sizeof who, "process %d", (int)pid);
        log_error("%s: %s serves this already (it listens on %s)", generation->file, who,
                  generation->config->control);
        generation->exit_status = EXIT_OTHER;
        return false;
    }
    generation->number = 1;
    if (!generation_prepare(generation, passed, NULL))
        return false;
    struct crash crash;
    if (life_read(generation->config->control, &crash))
        crash_note(&generation->last_crash, &crash);
    if (!generation_serve(generation))
        return false;
    publication_settle(generation);
    return true;
}

static bool start(struct generation *generation)
{
    int channel = program_inherited_channel();
    if (channel < 0 && errno != ENOENT) {
        log_error("%s is set, but names no handover channel: %s", HANDOVER_VARIABLE,
                  strerror(errno));
        return false;
    }
    if (channel >= 0)
        return succession_begin(generation, channel) && settle_identity(generation);
    struct offer passed = {0};
    const char *wrong = activation_take(&passed);
    if (wrong)
        log_error("%s", wrong);
    bool started = !wrong && settle_identity(generation) && start_cold(generation, &passed);
    offer_free(&passed);
    return started;
}

static bool make_loop(struct generation *generation)
{
    generation->base = event_base_new();
    if (!generation->base)
        return false;
    generation->probation_over = event_new(generation->base, -1, 0, on_probation_over, generation);
    generation->control = control_new(generation);
    generation->signals = signals_watch(generation->base, on_signal, generation);
    generation->heartbeats = (struct heartbeats){
        .base = generation->base, .on_hung = control_warn, .arg = generation->control};
    pulse_init(&generation->heartbeats.pulse);
    return peer_stats_open(&generation->peer_stats, generation) == 0 &&
           life_open(&generation->life, generation) == 0 && drain_open(generation) &&
           publication_open(generation) && watchdog_open(&generation->watchdog, generation) &&
           notify_begin(generation->base) == 0 && generation->probation_over &&
           generation->control && generation->signals;
}

/* Our end is our own fault, and no order: whoever outlives us, or comes next, is to hear of it. */
static void leave_word(struct generation *generation)
{
    if (!generation->proxy)
        return;
    stats_set_lost(&generation->proxy->stats);
    life_fail(&generation->life, generation->exit_status);
}

static void close_all(struct generation *generation)
{
    if (generation->exit_status != EXIT_DONE)
        leave_word(generation);
    publication_close(generation);
    handover_free(generation->handover);
    replacement_hang_up(&generation->replacement);
    succession_free(generation->succession);
    draining_processes_free(&generation->draining_processes);
    peer_stats_close(&generation->peer_stats);
    lingering_free(generation->lingering);
    checks_free(generation->checks);
    proxy_free(generation->proxy);
    handoff_free(generation->handoff);
    binds_free(generation->binds);
    signals_free(generation->signals);
    if (generation->probation_over)
        event_free(generation->probation_over);
    drain_free(&generation->drain);
    watchdog_close(&generation->watchdog);
    notify_end();
    children_free(&generation->children);
    if (generation->base)
        event_base_free(generation->base);
    log_stop();
    config_free(generation->config);
    control_free(generation->control);
}

int generation_run(const struct program *program, const char *file)
{
    /* close_all() may come before those two are opened. */
    struct generation generation = {.program = program,
                                    .file = file,
                                    .exit_status = EXIT_OTHER,
                                    .started_at = clock_ms(),
                                    .peer_stats.process = -1,
                                    .life.fd = -1};
    const struct draining_processes_events events = {.on_gone = on_draining_processes_gone,
                                                     .on_end = on_draining_process_end,
                                                     .on_handoff = moving_on_handoff,
                                                     .arg = &generation};
    signals_begin();
    draining_processes_init(&generation.draining_processes, &events);
    if (!make_loop(&generation))
        log_error("cannot make the main loop: %s", strerror(errno));
    else if (start(&generation) && event_base_dispatch(generation.base) < 0)
        log_error("the main loop has failed: %s", strerror(errno));
    close_all(&generation);
    return generation.exit_status;
}
