#include "proxy/worker.h"

#include "config/base/thread.h"
#include "proxy/session/lifecycle.h"
#include "proxy/session/transfer.h"
#include "proxy/session/turn.h"

#include <sched.h>

static uint64_t timers_due(const struct worker *worker)
{
    uint64_t due = wheel_due(&worker->sessions.loop.wheel);
    uint64_t listen_at = worker->acceptor.listen_at;
    return listen_at && listen_at < due ? listen_at : due;
}

static void run_timers(struct worker *worker)
{
    struct loop *loop = &worker->sessions.loop;
    if (timers_due(worker) > loop_now_ms(loop))
        return;
    if (wheel_due(&loop->wheel) <= loop_now_ms(loop))
        wheel_turn(&loop->wheel);
    if (worker->acceptor.listen_at && worker->acceptor.listen_at <= loop_now_ms(loop))
        acceptor_on_time(&worker->acceptor);
}

static void *run(void *arg)
{
    struct worker *worker = arg;
    struct session_set *sessions = &worker->sessions;
    acceptor_begin(&worker->acceptor);
    while (!worker->stopping) {
        bool busy = turn_is_needed(sessions) && turn_has_work(sessions);
        loop_turn(&sessions->loop, timers_due(worker), busy);
        run_timers(worker);
        if (turn_is_needed(sessions))
            turn_go_on(sessions);
        if (!STAILQ_EMPTY(&sessions->dead))
            acceptor_end_turn(&worker->acceptor);
    }
    return NULL;
}

static void on_listen(void *arg)
{
    struct worker *worker = arg;
    enum listening listening = (enum listening)atomic_load(&worker->wanted);
    acceptor_listen(&worker->acceptor, listening);
    sessions_keep_spares(&worker->sessions, listening == LISTENING_OPEN);
    if (listening == LISTENING_OVER)
        task_queue_post(worker->sessions.service->main, &worker->quiet_task);
}

void worker_listen(struct worker *worker, enum listening listening)
{
    atomic_store(&worker->wanted, listening);
    loop_post(&worker->sessions.loop, &worker->listen_task);
}

/* A task that is posted while tasks run is run in the next turn. */
static void on_terminate_next(void *arg)
{
    struct worker *worker = arg;
    if (terminate_next(&worker->terminator))
        loop_post(&worker->sessions.loop, &worker->terminate_next_task);
}

static void on_terminate(void *arg)
{
    struct worker *worker = arg;
    terminate_surplus(&worker->terminator);
    on_terminate_next(worker);
}

void worker_terminate(struct worker *worker)
{
    loop_post(&worker->sessions.loop, &worker->terminate_task);
}

static void on_evict_next(void *arg)
{
    struct worker *worker = arg;
    if (evict_next(&worker->evictor))
        loop_post(&worker->sessions.loop, &worker->evict_next_task);
}

static void on_evict(void *arg)
{
    struct worker *worker = arg;
    evict_begin(&worker->evictor);
    on_evict_next(worker);
}

void worker_evict(struct worker *worker)
{
    loop_post(&worker->sessions.loop, &worker->evict_task);
}

static void on_turn(void *arg)
{
    struct worker *worker = arg;
    task_queue_post(worker->sessions.service->main, &worker->turned_task);
}

void worker_ask_turn(struct worker *worker)
{
    loop_post(&worker->sessions.loop, &worker->turn_task);
}

static void on_move(void *arg)
{
    struct worker *worker = arg;
    worker->sessions.movable = true;
}

void worker_let_move(struct worker *worker)
{
    loop_post(&worker->sessions.loop, &worker->move_task);
}

static void on_stop(void *arg)
{
    struct worker *worker = arg;
    worker->stopping = true;
}

int worker_open(struct worker *worker, struct service *service, unsigned index, struct stats *stats)
{
    worker->listen_task = (struct task){.run = on_listen, .arg = worker};
    worker->terminate_task = (struct task){.run = on_terminate, .arg = worker};
    worker->terminate_next_task = (struct task){.run = on_terminate_next, .arg = worker};
    worker->evict_task = (struct task){.run = on_evict, .arg = worker};
    worker->evict_next_task = (struct task){.run = on_evict_next, .arg = worker};
    worker->evictor.set = &worker->sessions;
    worker->turn_task = (struct task){.run = on_turn, .arg = worker};
    worker->move_task = (struct task){.run = on_move, .arg = worker};
    worker->stop_task = (struct task){.run = on_stop, .arg = worker};
    int error = session_set_open(&worker->sessions, service, index, stats, session_on_timer);
    if (error)
        return error;
    worker->sessions.on_parked = transfers_on_parked;
    error = terminator_open(&worker->terminator, &worker->sessions);
    if (error)
        session_set_close(&worker->sessions);
    else
        acceptor_open(&worker->acceptor, &worker->sessions);
    return error;
}

/* On its CPU from its first instruction on. */
static int create_thread(struct worker *worker, const struct cpus *affinity)
{
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (error)
        return error;
    if (affinity->count) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(affinity->list[worker->sessions.index % affinity->count], &set);
        error = pthread_attr_setaffinity_np(&attributes, sizeof set, &set);
    }
    if (!error)
        error = thread_start(&worker->thread, &attributes, run, worker);
    pthread_attr_destroy(&attributes);
    return error;
}

int worker_start(struct worker *worker, const struct cpus *affinity)
{
    worker->sessions.loop.now = 0;
    int error = create_thread(worker, affinity);
    worker->started = error == 0;
    return error;
}

void worker_stop(struct worker *worker)
{
    if (worker->started) {
        loop_post(&worker->sessions.loop, &worker->stop_task);
        pthread_join(worker->thread, NULL);
    }
    sessions_stop(&worker->sessions);
}

void worker_close(struct worker *worker)
{
    acceptor_close(&worker->acceptor);
    terminator_close(&worker->terminator);
    session_set_close(&worker->sessions);
}
