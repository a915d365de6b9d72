#include "proxy/worker.h"

#include "config/base/container_of.h"
#include "config/base/log.h"
#include "proxy/listen/listener.h"
#include "proxy/proxy.h"
#include "proxy/session/session.h"
#include "proxy/session/transfer.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Accepted at one go where backlogs are emptied. */
#define ACCEPT_BATCH 64
/* How long accepting rests when descriptors or memory ran out. */
#define STARVED_REST_MS 100u

uint64_t worker_now(struct worker *worker)
{
    if (worker->now == 0) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        worker->now = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    }
    return worker->now;
}

static uint64_t wheel_now(void *arg)
{
    return worker_now_ms(arg);
}

static void reap(struct worker *worker)
{
    struct session *session;
    while ((session = STAILQ_FIRST(&worker->dead))) {
        STAILQ_REMOVE_HEAD(&worker->dead, dead);
        if (session->server.fd >= 0) {
            STAILQ_INSERT_HEAD(&worker->spare, session, dead);
            worker->spares++;
        } else {
            session_free(session);
        }
    }
}

static void free_spares(struct worker *worker)
{
    struct session *session;
    while ((session = worker_take_spare(worker))) {
        conn_close(&session->server, &worker->poller, false);
        session_free(session);
    }
}

struct session *worker_take_spare(struct worker *worker)
{
    struct session *session = STAILQ_FIRST(&worker->spare);
    if (!session)
        return NULL;
    STAILQ_REMOVE_HEAD(&worker->spare, dead);
    worker->spares--;
    return session;
}

/* The sessions that had their share of the last turn go on; what they queue is for the next. */
static void go_on(struct worker *worker)
{
    struct session_queue turn = STAILQ_HEAD_INITIALIZER(turn);
    STAILQ_CONCAT(&turn, &worker->again);
    struct session *session;
    while ((session = STAILQ_FIRST(&turn))) {
        STAILQ_REMOVE_HEAD(&turn, again);
        session_continue(session);
    }
}

static void rest(struct worker *worker)
{
    struct listener *listener;
    TAILQ_FOREACH (listener, &worker->listeners, link)
        listener_pause(listener);
}

static void listen_again(struct worker *worker)
{
    struct listener *listener;
    TAILQ_FOREACH (listener, &worker->listeners, link)
        listener_resume(listener);
}

/* Listeners rest no longer; what is left to do is to look whether the shortage is over. */
static void end_rest(struct worker *worker)
{
    worker->listen_at =
        condition_lasts(&worker->shortage) ? condition_ends_at(&worker->shortage) : 0;
}

static void on_listen_at(struct worker *worker)
{
    end_rest(worker);
    if (condition_over(&worker->shortage, worker_now_ms(worker))) {
        log_notice("worker %u: accepting goes on without pauses", worker->index);
        worker->listen_at = 0;
    }
    if (worker->listening == LISTENING_OPEN || worker->listening == LISTENING_RETIRED)
        listen_again(worker);
}

void worker_listen_at(struct worker *worker, uint64_t time)
{
    if (worker->listen_at == 0 || time < worker->listen_at)
        worker->listen_at = time;
}

void worker_starve(struct worker *worker, int error)
{
    uint64_t now = worker_now_ms(worker);
    if (condition_met(&worker->shortage, error, now))
        log_warning("worker %u: accepting pauses, and clients wait in the backlog: %s",
                    worker->index, strerror(error));
    rest(worker);
    worker->listen_at = now + STARVED_REST_MS;
}

static uint64_t timers_due(const struct worker *worker)
{
    uint64_t due = wheel_due(&worker->wheel);
    return worker->listen_at && worker->listen_at < due ? worker->listen_at : due;
}

/* Some session waits for its next turn, not for an event. */
static bool has_work(const struct worker *worker)
{
    return !STAILQ_EMPTY(&worker->again) ||
           (!STAILQ_EMPTY(&worker->transfers) && transfers_wanted(worker));
}

static void run_timers(struct worker *worker)
{
    if (timers_due(worker) > worker_now_ms(worker))
        return;
    if (wheel_due(&worker->wheel) <= worker_now_ms(worker))
        wheel_turn(&worker->wheel);
    if (worker->listen_at && worker->listen_at <= worker_now_ms(worker))
        on_listen_at(worker);
}

/* Where sessions have ended in this turn of our own loop, its end sees to it: most places are
 * handed over by the worker that takes them, which then needs not ring at its own door. */
static void ring_grants(void *arg)
{
    struct worker *worker = arg;
    if (pthread_equal(atomic_load(&worker->self), pthread_self()) && !STAILQ_EMPTY(&worker->dead))
        worker->granted = true;
    else
        task_queue_post(&worker->task_queue, &worker->grants_task);
}

static void on_grants(void *arg)
{
    struct worker *worker = arg;
    grants_deliver(&worker->grants, ACCEPT_BATCH);
}

/* Sessions that have ended are freed, and those who were handed their places begin. */
static void end_turn(struct worker *worker)
{
    reap(worker);
    if (!worker->granted)
        return;
    worker->granted = false;
    grants_deliver(&worker->grants, ACCEPT_BATCH);
    reap(worker);
    if (worker->granted)
        task_queue_post(&worker->task_queue, &worker->grants_task);
    worker->granted = false;
}

static void *run(void *arg)
{
    struct worker *worker = arg;
    atomic_store(&worker->self, pthread_self());
    while (!worker->stopping) {
        poller_wake_at(&worker->poller, timers_due(worker));
        worker->now = 0;
        poller_turn(&worker->poller, has_work(worker) ? 0 : -1);
        run_timers(worker);
        /* First, since it may end a session that is to go on. */
        if (!STAILQ_EMPTY(&worker->transfers))
            transfers_fill_next(worker);
        go_on(worker);
        if (!STAILQ_EMPTY(&worker->dead))
            end_turn(worker);
    }
    return NULL;
}

static void on_tasks(struct watch *watch, uint32_t events)
{
    (void)events;
    struct worker *worker = container_of(watch, struct worker, mail);
    task_queue_run(&worker->task_queue);
}

static void on_listen(void *arg)
{
    struct worker *worker = arg;
    struct listener *listener;
    enum listening before = worker->listening;
    worker->listening = (enum listening)atomic_load(&worker->wanted);
    end_rest(worker);
    switch (worker->listening) {
    case LISTENING_HELD:
        rest(worker);
        break;
    case LISTENING_OPEN:
        if (before == LISTENING_OPEN) {
            TAILQ_FOREACH (listener, &worker->listeners, link)
                listener_look(listener);
            break;
        }
        rest(worker);
        listen_again(worker);
        break;
    case LISTENING_RETIRED:
        rest(worker); /* clients who wait need no place any more */
        listen_again(worker);
        break;
    case LISTENING_OVER:
        TAILQ_FOREACH (listener, &worker->listeners, link)
            while (!listener_is_held(listener) && listener_accept(listener, ACCEPT_BATCH))
                ;
        end_rest(worker);
        rest(worker);
        free_spares(worker);
        task_queue_post(&worker->proxy->task_queue, &worker->quiet_task);
        break;
    }
}

void worker_listen(struct worker *worker, enum listening listening)
{
    atomic_store(&worker->wanted, listening);
    task_queue_post(&worker->task_queue, &worker->listen_task);
}

static void on_terminate(void *arg)
{
    struct worker *worker = arg;
    terminate_surplus(worker);
}

void worker_terminate(struct worker *worker)
{
    task_queue_post(&worker->task_queue, &worker->terminate_task);
}

static void on_turn(void *arg)
{
    struct worker *worker = arg;
    task_queue_post(&worker->proxy->task_queue, &worker->turned_task);
}

void worker_ask_turn(struct worker *worker)
{
    task_queue_post(&worker->task_queue, &worker->turn_task);
}

static void on_stop(void *arg)
{
    struct worker *worker = arg;
    worker->stopping = true;
}

static int open_session_lists(struct worker *worker)
{
    size_t count = worker->proxy->frontend_count;
    atomic_uint_fast64_t *oldest = stats_worker_oldest(&worker->proxy->stats, worker->index);
    worker->session_lists = calloc(count, sizeof *worker->session_lists);
    for (size_t i = 0; worker->session_lists && i < count; i++)
        session_list_init(&worker->session_lists[i], &oldest[i]);
    return worker->session_lists ? 0 : ENOMEM;
}

static int open_loop(struct worker *worker)
{
    int error = poller_open(&worker->poller);
    if (error)
        return error;
    error = task_queue_open(&worker->task_queue);
    if (error) {
        poller_shut(&worker->poller);
        return error;
    }
    worker->mail.on_ready = on_tasks;
    error = poller_add(&worker->poller, worker->task_queue.fd, EPOLLIN, &worker->mail);
    if (error) {
        task_queue_close(&worker->task_queue);
        poller_shut(&worker->poller);
        return error;
    }
    wheel_open(&worker->wheel, wheel_now, session_on_timer, worker);
    return 0;
}

int worker_open(struct worker *worker, struct proxy *proxy, unsigned index)
{
    worker->proxy = proxy;
    worker->index = index;
    worker->counters = stats_counters(&proxy->stats, index);
    TAILQ_INIT(&worker->listeners);
    STAILQ_INIT(&worker->transfers);
    STAILQ_INIT(&worker->again);
    STAILQ_INIT(&worker->dead);
    STAILQ_INIT(&worker->spare);
    worker->spares_most = WORKER_SPARES;
    worker->listen_task = (struct task){.run = on_listen, .arg = worker};
    worker->terminate_task = (struct task){.run = on_terminate, .arg = worker};
    worker->turn_task = (struct task){.run = on_turn, .arg = worker};
    worker->stop_task = (struct task){.run = on_stop, .arg = worker};
    worker->grants_task = (struct task){.run = on_grants, .arg = worker};
    grants_init(&worker->grants, &proxy->waitlist, ring_grants, worker);
    int error = terminator_open(&worker->terminator, proxy->frontend_count);
    if (error)
        return error;
    error = relay_buffers_open(&worker->buffers);
    if (error) {
        terminator_close(&worker->terminator);
        return error;
    }
    error = open_session_lists(worker);
    if (!error)
        error = open_loop(worker);
    if (error) {
        free(worker->session_lists);
        relay_buffers_close(&worker->buffers);
        terminator_close(&worker->terminator);
    }
    return error;
}

/* On its CPU from its first instruction on. */
static int create_thread(struct worker *worker)
{
    const struct cpus *affinity = &worker->proxy->config->affinity;
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (error)
        return error;
    if (affinity->count) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(affinity->list[worker->index % affinity->count], &set);
        error = pthread_attr_setaffinity_np(&attributes, sizeof set, &set);
    }
    if (!error)
        error = pthread_create(&worker->thread, &attributes, run, worker);
    pthread_attr_destroy(&attributes);
    return error;
}

int worker_start(struct worker *worker)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    worker->now = 0;
    int error = create_thread(worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    worker->started = error == 0;
    return error;
}

void worker_stop(struct worker *worker)
{
    if (worker->started) {
        task_queue_post(&worker->task_queue, &worker->stop_task);
        pthread_join(worker->thread, NULL);
    }
    struct session *session;
    for (size_t i = 0; i < worker->proxy->frontend_count; i++)
        while ((session = TAILQ_FIRST(&worker->session_lists[i].list)))
            session_close(session, SESSION_STOPPED);
    go_on(worker);
    reap(worker);
    free_spares(worker);
}

void worker_close(struct worker *worker)
{
    while (!TAILQ_EMPTY(&worker->listeners))
        listener_free(TAILQ_FIRST(&worker->listeners));
    poller_shut(&worker->poller);
    task_queue_close(&worker->task_queue);
    free(worker->session_lists);
    relay_buffers_close(&worker->buffers);
    terminator_close(&worker->terminator);
}
