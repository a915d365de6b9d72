#include "proxy/backend/check/schedule.h"

#include "config/base/clock.h"
#include "config/base/container_of.h"
#include "config/base/log.h"
#include "config/base/thread.h"
#include "proxy/backend/check/plan.h"
#include "proxy/engine/socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct check_conf *conf_of(const struct checking *checking)
{
    return checking->plan->conf;
}

static uint32_t chance(struct schedule *schedule)
{
    /* splitmix64, published by its author as public domain */
    uint64_t z = schedule->seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ (z >> 31)) >> 32);
}

/* --- when ---------------------------------------------------------------------------------- */

static void await_due(struct checking *checking, uint64_t due)
{
    uint64_t now = clock_ms();
    uint64_t wake = plan_wake(due, plan_interval(conf_of(checking), checking->used.pace));
    const struct timeval interval = clock_interval(due > now ? wake - now : 0);
    checking->next_at = due;
    atomic_store_explicit(&checking->server->check_due, due, memory_order_relaxed);
    event_add(&checking->due, &interval);
}

static void plan(struct checking *checking)
{
    await_due(checking, plan_next(conf_of(checking), checking->used.pace, checking->last_at,
                                  clock_ms(), chance(checking->schedule)));
}

/* --- what ---------------------------------------------------------------------------------- */

/* The last check met a shortage, or (error 0) did not. */
static void note_shortage(struct checking *checking, int error)
{
    const struct server *server = checking->server;
    if (error && condition_met(&checking->shortage, error, clock_ms()))
        log_warning("server %s/%s cannot be checked, and stays as it is: %s",
                    server->backend->conf->name, server->name,
                    error == EADDRINUSE ? "no local port is free for a connection to it"
                                        : strerror(error));
    if (!error && condition_over(&checking->shortage, clock_ms()))
        log_notice("server %s/%s can be checked again", server->backend->conf->name, server->name);
}

static bool is_alike(const struct probe_result *a, const struct probe_result *b)
{
    return a->error == b->error && a->agent_state == b->agent_state &&
           a->agent_percent == b->agent_percent && strcmp(a->reason, b->reason) == 0;
}

/* The main thread has heard the same so often that once more would change nothing. */
static bool is_known(struct checking *checking, const struct probe_result *result)
{
    const struct check_conf *conf = conf_of(checking);
    unsigned enough = (conf->rise > conf->fall ? conf->rise : conf->fall) + 1;
    if (!is_alike(&checking->told, result)) {
        checking->told = *result;
        checking->told_alike = 0;
    }
    if (checking->told_alike >= enough)
        return true;
    checking->told_alike++;
    return false;
}

/* Without memory nothing is told, as if there had been no check. */
static void tell(struct checking *checking, const struct probe_result *result)
{
    struct schedule *schedule = checking->schedule;
    struct check_told *told = calloc(1, sizeof *told);
    if (!told) {
        checking->told_alike = 0;
        return;
    }
    told->checking = checking;
    told->version = checking->used.version;
    told->checked = result;
    if (result)
        told->result = *result;
    pthread_mutex_lock(&schedule->lock);
    STAILQ_INSERT_TAIL(&schedule->told, told, next);
    pthread_mutex_unlock(&schedule->lock);
    task_queue_post(schedule->main, &schedule->told_task);
}

/* There is nothing to tell but that; the main thread may wait for it. */
static void tell_nothing(struct checking *checking)
{
    if (checking->told_alike == 0)
        tell(checking, NULL);
    checking->told_alike = 1;
    checking->told = (struct probe_result){.error = -1};
}

/* --- checks -------------------------------------------------------------------------------- */

static void read_target(struct checking *checking)
{
    unsigned before = checking->used.tell;
    pthread_mutex_lock(&checking->schedule->lock);
    checking->used = checking->target;
    pthread_mutex_unlock(&checking->schedule->lock);
    if (checking->used.tell != before)
        checking->told_alike = 0;
}

static void count(const struct checking *checking, const struct probe_result *result)
{
    server_count_event(checking->server, result->error ? COUNTER_OF(server_events, checks_failed)
                                                       : COUNTER_OF(server_events, checks_passed));
    server_note_check_time(checking->server, clock_us() - checking->began_at);
}

/* A check has a result. */
static void conclude(struct checking *checking, const struct probe_result *result)
{
    bool shortage = result->error && socket_is_shortage(result->error);
    note_shortage(checking, shortage ? result->error : 0);
    if (!shortage)
        count(checking, result);
    if (shortage)
        tell_nothing(checking);
    else if (!is_known(checking, result))
        tell(checking, result);
    plan(checking);
}

/* Programs have a limit of their own. */
static void begin_program(struct checking *checking)
{
    const struct server *server = checking->server;
    const struct backend_conf *backend = server->backend->conf;
    const struct exec_task task = {
        .command = conf_of(checking)->command,
        .backend = backend->name,
        .server = server->name,
        .backend_id = checking->backend_id,
        .server_id = checking->server_id,
        .proxy = checking->proxy_address,
        .address = checking->used.address,
        .tls = server->conf->tls,
        .maxconn = server->conf->maxconn,
        .sessions = server_count_sessions(server).live,
        .timeout = conf_of(checking)->timeout,
    };
    checking->probing = true;
    exec_begin(checking->program, &task);
}

static void begin(struct checking *checking)
{
    struct schedule *schedule = checking->schedule;
    read_target(checking);
    checking->began_at = clock_us();
    if (checking->used.address.length == 0) {
        note_shortage(checking, 0);
        tell_nothing(checking);
        plan(checking);
        return;
    }
    if (checking->program) {
        begin_program(checking);
        return;
    }
    unsigned port = address_port(&checking->used.address);
    checking->probe.own_port = local_ports_include(&schedule->local_ports, port) ? port : 0;
    int error = probe_begin(&checking->probe, &checking->used.address);
    if (error == 0) {
        checking->probing = true;
        schedule->under_way++;
        return;
    }
    conclude(checking, &(const struct probe_result){.error = error, .agent_percent = -1});
}

/* Begins checks that are due, as many as there may be. */
static void begin_waiting(struct schedule *schedule)
{
    struct checking *checking;
    while (!schedule->stopping && schedule->under_way < CHECKS_MOST &&
           (checking = STAILQ_FIRST(&schedule->waiting))) {
        STAILQ_REMOVE_HEAD(&schedule->waiting, next_waiting);
        begin(checking);
    }
}

static void on_verdict(struct probe *probe, const struct probe_result *result)
{
    conclude(container_of(probe, struct checking, probe), result);
}

static void on_program_verdict(struct exec_run *run, int error, const char *reason)
{
    struct probe_result result = {.error = error, .agent_percent = -1};
    snprintf(result.reason, sizeof result.reason, "%s", reason);
    conclude(run->arg, &result);
}

static void enqueue(struct checking *checking)
{
    if (checking->program) {
        if (!checking->schedule->stopping)
            begin(checking);
        return;
    }
    STAILQ_INSERT_TAIL(&checking->schedule->waiting, checking, next_waiting);
    begin_waiting(checking->schedule);
}

static void on_end(struct probe *probe)
{
    struct checking *checking = container_of(probe, struct checking, probe);
    checking->probing = false;
    checking->schedule->under_way--;
    begin_waiting(checking->schedule);
}

static void on_program_end(struct exec_run *run)
{
    struct checking *checking = run->arg;
    checking->probing = false;
    if (checking->overdue) {
        checking->overdue = false;
        enqueue(checking);
    }
}

static void on_due(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct checking *checking = arg;
    checking->last_at = checking->next_at;
    if (checking->probing && checking->program) {
        checking->overdue = true; /* it was killed, and has not ended yet */
        return;
    }
    if (checking->probing) { /* the last one has its verdict, and is only being closed */
        probe_cancel(&checking->probe);
        checking->probing = false;
        checking->schedule->under_way--;
    }
    enqueue(checking);
}

/* --- what the main thread asks for --------------------------------------------------------- */

static void adopt_pace(struct checking *checking)
{
    enum check_pace before = checking->used.pace;
    pthread_mutex_lock(&checking->schedule->lock);
    checking->used.pace = checking->target.pace;
    pthread_mutex_unlock(&checking->schedule->lock);
    /* A check that is under way or waits is followed by a plan anyway. */
    if (checking->used.pace != before && event_pending(&checking->due, EV_TIMEOUT, NULL))
        plan(checking);
}

/* The PROXY header of the checks of a server. */
static enum send_proxy proxy_of(const struct checking *checking)
{
    const struct check_conf *conf = conf_of(checking);
    const struct server_conf *server = checking->server->conf;
    bool own = !conf->port && !conf->address.length && !server->check_port &&
               !server->check_address.length;
    switch (conf->proxy) {
    case CHECK_PROXY_AUTO:
        return own ? server->send_proxy : SEND_PROXY_NO;
    case CHECK_PROXY_YES:
        return server->send_proxy == SEND_PROXY_V2 ? SEND_PROXY_V2 : SEND_PROXY_V1;
    case CHECK_PROXY_V1:
        return SEND_PROXY_V1;
    case CHECK_PROXY_V2:
        return SEND_PROXY_V2;
    case CHECK_PROXY_NO:
        break;
    }
    return SEND_PROXY_NO;
}

/* What TLS asks the server for: what the options say, or the name that its address comes from. */
static const char *name_of(const struct checking *checking)
{
    const struct server_conf *server = checking->server->conf;
    return checking->plan->name ? checking->plan->name : server->service ? NULL : server->host;
}

/* Where the options of the check say nothing else of TLS, a server that speaks TLS with its
 * sessions is checked as these see it. NULL: it is not. */
static const struct tls_target *target_of(const struct checking *checking)
{
    const struct check_conf *conf = conf_of(checking);
    const struct server_conf *server = checking->server->conf;
    bool said = conf->verify || conf->verify_none || conf->sni || conf->address.length ||
                server->check_address.length;
    return said ? NULL : server->tls;
}

static void set_up(struct checking *checking)
{
    struct schedule *schedule = checking->schedule;
    checking->shortage.quiet_ms = 3 * conf_of(checking)->interval;
    probe_init(&checking->probe, schedule->base, checking->plan, name_of(checking),
               proxy_of(checking), on_verdict, on_end);
    checking->probe.as_sessions = target_of(checking);
    if (checking->program)
        exec_run_init(checking->program, &schedule->programs, on_program_verdict, on_program_end,
                      checking);
    evtimer_assign(&checking->due, schedule->base, on_due, checking);
    read_target(checking);
    uint64_t due = atomic_load_explicit(&checking->server->check_due, memory_order_relaxed);
    uint64_t interval = plan_interval(conf_of(checking), checking->used.pace);
    checking->last_at = due > interval ? due - interval : 0;
    await_due(checking, due);
}

static void on_retarget(void *arg)
{
    struct schedule *schedule = arg;
    for (;;) {
        pthread_mutex_lock(&schedule->lock);
        struct checking *checking = STAILQ_FIRST(&schedule->retargeted);
        if (checking) {
            STAILQ_REMOVE_HEAD(&schedule->retargeted, next_retargeted);
            checking->retargeted = false;
        }
        pthread_mutex_unlock(&schedule->lock);
        if (!checking)
            return;
        if (checking->probe.base)
            adopt_pace(checking);
        else
            set_up(checking);
    }
}

static void on_stop(void *arg)
{
    struct schedule *schedule = arg;
    schedule->stopping = true;
    exec_stop(&schedule->programs);
    event_base_loopbreak(schedule->base);
}

static void on_turn(void *arg)
{
    struct schedule *schedule = arg;
    task_queue_post(schedule->main, &schedule->turned_task);
}

/* --- the thread ---------------------------------------------------------------------------- */

static void on_tasks(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct schedule *schedule = arg;
    task_queue_run(&schedule->tasks);
}

static void on_finish_over(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    *(bool *)arg = true;
}

/* Lets the probes that are under way end. */
static void finish(struct schedule *schedule)
{
    const struct timeval most = clock_interval(SCHEDULE_FINISH_MS);
    struct event timer;
    bool over = false;
    evtimer_assign(&timer, schedule->base, on_finish_over, &over);
    event_add(&timer, &most);
    while (schedule->under_way > 0 && !over)
        event_base_loop(schedule->base, EVLOOP_ONCE);
    event_del(&timer);
}

static void *run(void *arg)
{
    struct schedule *schedule = arg;
    pthread_setname_np(pthread_self(), "checks");
    while (!schedule->stopping)
        event_base_loop(schedule->base, EVLOOP_NO_EXIT_ON_EMPTY);
    finish(schedule);
    return NULL;
}

int schedule_open(struct schedule *schedule, struct task_queue *main, unsigned programs,
                  void (*on_told)(void *arg), void *arg)
{
    *schedule = (struct schedule){
        .main = main,
        .told_task = {.run = on_told, .arg = arg},
        .retarget_task = {.run = on_retarget, .arg = schedule},
        .stop_task = {.run = on_stop, .arg = schedule},
        .turn_task = {.run = on_turn, .arg = schedule},
        .seed = clock_ms(),
    };
    STAILQ_INIT(&schedule->told);
    STAILQ_INIT(&schedule->retargeted);
    STAILQ_INIT(&schedule->waiting);
    int error = task_queue_open(&schedule->tasks);
    if (error)
        return error;
    schedule->base = event_base_new();
    schedule->local_ports = socket_local_ports();
    if (!schedule->base ||
        event_assign(&schedule->bell, schedule->base, schedule->tasks.fd, EV_READ | EV_PERSIST,
                     on_tasks, schedule) ||
        event_add(&schedule->bell, NULL)) {
        if (schedule->base)
            event_base_free(schedule->base);
        task_queue_close(&schedule->tasks);
        return ENOMEM;
    }
    exec_init(&schedule->programs, schedule->base, programs);
    pthread_mutex_init(&schedule->lock, NULL);
    return 0;
}

static void post_checking(struct checking *checking)
{
    struct schedule *schedule = checking->schedule;
    checking->added = true;
    if (!checking->retargeted) {
        checking->retargeted = true;
        STAILQ_INSERT_TAIL(&schedule->retargeted, checking, next_retargeted);
    }
}

void schedule_add(struct schedule *schedule, struct checking *checking)
{
    pthread_mutex_lock(&schedule->lock);
    post_checking(checking);
    pthread_mutex_unlock(&schedule->lock);
    task_queue_post(&schedule->tasks, &schedule->retarget_task);
}

void schedule_retarget(struct checking *checking, const struct check_target *target)
{
    struct schedule *schedule = checking->schedule;
    pthread_mutex_lock(&schedule->lock);
    bool other_pace = checking->added && checking->target.pace != target->pace;
    checking->target = *target;
    if (other_pace)
        post_checking(checking);
    pthread_mutex_unlock(&schedule->lock);
    if (other_pace)
        task_queue_post(&schedule->tasks, &schedule->retarget_task);
}

int schedule_start(struct schedule *schedule)
{
    int error = thread_start(&schedule->thread, NULL, run, schedule);
    schedule->started = error == 0;
    return error;
}

struct check_told *schedule_take(struct schedule *schedule)
{
    pthread_mutex_lock(&schedule->lock);
    struct check_told *told = STAILQ_FIRST(&schedule->told);
    if (told)
        STAILQ_REMOVE_HEAD(&schedule->told, next);
    pthread_mutex_unlock(&schedule->lock);
    return told;
}

void schedule_stop(struct schedule *schedule)
{
    if (!schedule->started)
        return;
    task_queue_post(&schedule->tasks, &schedule->stop_task);
    pthread_join(schedule->thread, NULL);
    schedule->started = false;
    exec_stop(&schedule->programs);
    task_queue_withdraw(schedule->main, &schedule->told_task);
    task_queue_withdraw(schedule->main, &schedule->turned_task);
}

void schedule_ask_turn(struct schedule *schedule, void (*on_turned)(void *arg), void *arg)
{
    schedule->turned_task = (struct task){.run = on_turned, .arg = arg};
    task_queue_post(&schedule->tasks, &schedule->turn_task);
}

void schedule_end(struct checking *checking)
{
    if (checking->probe.base) {
        event_del(&checking->due);
        probe_cancel(&checking->probe);
        if (checking->program)
            exec_cancel(checking->program);
    }
    free(checking->program);
}

void schedule_close(struct schedule *schedule)
{
    struct check_told *told;
    while ((told = schedule_take(schedule)))
        free(told);
    event_del(&schedule->bell);
    event_base_free(schedule->base);
    task_queue_close(&schedule->tasks);
    pthread_mutex_destroy(&schedule->lock);
}
