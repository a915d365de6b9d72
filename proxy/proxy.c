#include "proxy/proxy.h"

#include "config/base/clock.h"
#include "config/base/happening.h"
#include "config/options/options.h"
#include "proxy/backend/queue.h"
#include "proxy/listen/listener.h"
#include "proxy/names/lookup.h"
#include "proxy/session/lifecycle.h"
#include "proxy/session/source_place.h"
#include "proxy/session/walk.h"
#include "proxy/stages/forwarding.h"
#include "proxy/stages/stage_list.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static void on_worker_quiet(void *arg)
{
    struct proxy *proxy = arg;
    if (--proxy->not_quiet == 0)
        proxy->events.on_quiet(proxy->events.arg);
}

static void on_worker_turned(void *arg)
{
    struct proxy *proxy = arg;
    if (--proxy->turning == 0 && proxy->events.on_turned)
        proxy->events.on_turned(proxy->events.arg);
}

static void on_empty(void *arg)
{
    struct proxy *proxy = arg;
    proxy->events.on_empty(proxy->events.arg);
}

static void on_tasks(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct proxy *proxy = arg;
    task_queue_run(&proxy->task_queue);
}

static int open_task_queue(struct proxy *proxy, struct event_base *base)
{
    int error = task_queue_open(&proxy->task_queue);
    if (error)
        return error;
    if (event_assign(&proxy->bell, base, proxy->task_queue.fd, EV_READ | EV_PERSIST, on_tasks,
                     proxy) ||
        event_add(&proxy->bell, NULL)) {
        task_queue_close(&proxy->task_queue);
        return ENOMEM;
    }
    return 0;
}

static void on_server(struct server *server, bool by_command, void *arg)
{
    struct proxy *proxy = arg;
    if (proxy->events.on_server)
        proxy->events.on_server(server, by_command, proxy->events.arg);
}

static void on_server_down(struct server *server, void *arg)
{
    struct proxy *proxy = arg;
    (void)server;
    for (unsigned i = 0; i < proxy->worker_count; i++)
        worker_evict(&proxy->workers[i]);
}

/* Lines of the access log tell how many sessions a backend has. */
static bool logs_backends(const struct config *config)
{
    bool lines = false;
    for (size_t i = 0; i < config->frontend_count; i++)
        lines |= config->frontends[i].access_log.every > 0;
    return lines && log_format_has(&config->log_format, ACCESS_SESSIONS_BACKEND);
}

static int open_backends(struct proxy *proxy, unsigned workers, struct event_base *base)
{
    const struct config *config = proxy->service.config;
    proxy->service.backends = calloc(config->backend_count + 1, sizeof *proxy->service.backends);
    if (!proxy->service.backends)
        return ENOMEM;
    for (size_t i = 0; i < config->backend_count; i++) {
        struct backend *backend = &proxy->service.backends[i];
        if (backend_open(backend, &config->backends[i], workers, &proxy->reclaimer))
            return ENOMEM;
        if (logs_backends(config))
            backend->counts |= BACKEND_COUNTS_ALL;
        backend->on_change = on_server;
        backend->on_down = on_server_down;
        backend->arg = proxy;
        backend_start(backend, base);
    }
    return 0;
}

/* For names that clients ask for, where a server is the name that the client asks for. */
static int open_lookups(struct proxy *proxy, struct event_base *base)
{
    const struct config *config = proxy->service.config;
    const struct resolver_conf *conf = forwarding_resolver(config);
    if (conf)
        proxy->service.lookups = lookups_new(base, &proxy->task_queue, conf);
    return conf && !proxy->service.lookups ? ENOMEM : 0;
}

/* Where the workers count sessions of frontends and servers. */
static void count_in_tally(struct proxy *proxy)
{
    for (size_t i = 0; i < proxy->service.frontend_count; i++) {
        proxy->service.frontends[i].index = (uint32_t)i;
        proxy->service.frontends[i].tally = (uint32_t)(i * COUNTERS_OF(frontend_figures));
    }
    for (size_t i = 0; i < proxy->service.config->backend_count; i++)
        backend_count(&proxy->service.backends[i], &proxy->stats.tally, i);
}

static int open_queues(struct proxy *proxy)
{
    int error = 0;
    for (size_t i = 0; !error && i < proxy->service.config->backend_count; i++)
        error = queue_open(&proxy->service.backends[i], &proxy->stats);
    return error;
}

static void set_queue_worker(struct proxy *proxy, unsigned worker)
{
    struct task_queue *tasks = &proxy->workers[worker].sessions.loop.tasks;
    for (size_t i = 0; i < proxy->service.config->backend_count; i++)
        queue_set_worker(proxy->service.backends[i].queue, worker, tasks);
}

static void close_backends(struct proxy *proxy)
{
    for (size_t i = 0; proxy->service.backends && i < proxy->service.config->backend_count; i++) {
        queue_close(&proxy->service.backends[i]);
        backend_close(&proxy->service.backends[i]);
    }
    free(proxy->service.backends);
}

static void close_workers(struct proxy *proxy)
{
    for (unsigned i = 0; i < proxy->worker_count; i++)
        worker_stop(&proxy->workers[i]);
    for (unsigned i = 0; i < proxy->worker_count; i++)
        worker_close(&proxy->workers[i]);
}

int proxy_new(const struct config *config, unsigned generation, unsigned worker_count,
              unsigned max_sessions, struct event_base *base, const struct proxy_events *events,
              struct proxy **made)
{
    struct proxy *proxy = calloc(1, sizeof *proxy);
    if (!proxy)
        return ENOMEM;
    proxy->service.config = config;
    proxy->service.generation = generation;
    proxy->service.main = &proxy->task_queue;
    TAILQ_INIT(&proxy->service.walks);
    if (getrandom(&proxy->service.instance, sizeof proxy->service.instance, GRND_NONBLOCK) < 0)
        proxy->service.instance = clock_ms() << 22 ^ (uint64_t)getpid();
    proxy->stats.fd = -1;
    waitlist_open(&proxy->service.waitlist);
    proxy->events = *events;
    proxy->max_sessions = max_sessions;
    proxy->service.local_ports = socket_local_ports();
    proxy->service.empty_task = (struct task){.run = on_empty, .arg = proxy};
    int error = open_task_queue(proxy, base);
    if (error) {
        waitlist_close(&proxy->service.waitlist);
        free(proxy);
        return error;
    }
    proxy->service.frontend_count = config->frontend_count + 1;
    proxy->service.frontends =
        calloc(proxy->service.frontend_count, sizeof *proxy->service.frontends);
    proxy->workers = calloc(worker_count, sizeof *proxy->workers);
    proxy->service.sets = calloc(worker_count, sizeof *proxy->service.sets);
    proxy->service.workers = worker_count;
    proxy->service.port_orders = port_orders_new(local_ports_count(&proxy->service.local_ports));
    error = proxy->service.frontends && proxy->workers && proxy->service.sets &&
                    proxy->service.port_orders
                ? 0
                : ENOMEM;
    if (!error)
        error = reclaimer_open(&proxy->reclaimer, &proxy->task_queue, worker_count);
    if (!error)
        error = open_backends(proxy, worker_count, base);
    if (!error)
        error = open_lookups(proxy, base);
    if (!error)
        error = stats_open(&proxy->stats, config, generation, worker_count);
    if (!error)
        error = outages_begin(&proxy->outages, &proxy->service, base);
    if (!error)
        count_in_tally(proxy);
    if (!error)
        error = open_queues(proxy);
    if (!error)
        place_queue_init(&proxy->service.places, stats_sessions(&proxy->stats),
                         &proxy->service.waitlist, NULL);
    if (!error && stats_sources(&proxy->stats)) {
        proxy->service.sources = sources_open(stats_sources(&proxy->stats), config->max_sources);
        error = proxy->service.sources ? 0 : ENOMEM;
    }
    for (size_t i = 0; !error && i < config->frontend_count; i++) {
        proxy->service.frontends[i].conf = &config->frontends[i];
        if (config->frontends[i].backend)
            proxy->service.frontends[i].backend =
                &proxy->service.backends[config->frontends[i].backend - config->backends];
        place_queue_init(&proxy->service.frontends[i].places,
                         stats_frontend_sessions(&proxy->stats, i), &proxy->service.waitlist,
                         &proxy->service.places);
        proxy->service.frontends[i].keep = KEEP_ALL;
        proxy->service.frontends[i].first_look = session_first_look(&config->frontends[i]);
        proxy->service.frontends[i].prepares = tcp_tuning_is_given(&config->frontends[i].tcp) ||
                                               config->frontends[i].access_log.every > 0;
        proxy->service.frontends[i].record = stats_frontend(&proxy->stats, i);
        if (proxy->service.sources)
            frontend_rate_open(&proxy->service, &proxy->service.frontends[i]);
        error = stage_list_open(&proxy->service, &proxy->service.frontends[i]);
    }
    if (!error) {
        options_set_initial(OWNER_FRONTEND, &proxy->departed);
        proxy->departed.drain_timeout = config->drain_timeout;
        proxy->departed.stop_timeout = config->stop_timeout;
        proxy->service.frontends[config->frontend_count].keep = KEEP_ALL;
        proxy->service.frontends[config->frontend_count].conf = &proxy->departed;
        atomic_store(&proxy->departed_sessions.max, LIMIT_NONE);
        place_queue_init(&proxy->service.frontends[config->frontend_count].places,
                         &proxy->departed_sessions, &proxy->service.waitlist,
                         &proxy->service.places);
        proxy_count_others(proxy, 0, NULL);
    }
    while (!error && proxy->worker_count < worker_count) {
        struct worker *worker = &proxy->workers[proxy->worker_count];
        error = worker_open(worker, &proxy->service, proxy->worker_count, &proxy->stats);
        if (error)
            break;
        worker->quiet_task = (struct task){.run = on_worker_quiet, .arg = proxy};
        worker->turned_task = (struct task){.run = on_worker_turned, .arg = proxy};
        reclaimer_add_reader(&proxy->reclaimer, &worker->sessions.loop.tasks);
        proxy->service.sets[proxy->service.set_count++] = &worker->sessions;
        set_queue_worker(proxy, proxy->worker_count);
        proxy->worker_count++;
    }
    if (error)
        proxy_free(proxy);
    else
        *made = proxy;
    return error;
}

void proxy_keep_spares(struct proxy *proxy, unsigned most)
{
    for (unsigned i = 0; i < proxy->worker_count; i++)
        proxy->workers[i].sessions.spares_most = most < SPARES_MAX ? most : SPARES_MAX;
}

void proxy_allow(struct proxy *proxy, unsigned max_sessions)
{
    proxy->max_sessions = max_sessions;
}

int proxy_add_listener(struct proxy *proxy, unsigned worker, int fd, bool shared,
                       const atomic_bool *held, size_t frontend, const struct bind_conf *bind)
{
    return listener_add(&proxy->workers[worker].acceptor.group, fd, shared, held,
                        &proxy->service.frontends[frontend], bind);
}

static bool launches_checks(const struct config *config)
{
    for (size_t i = 0; i < config->backend_count; i++)
        if (config->backends[i].check.kind == CHECK_EXEC)
            return true;
    return false;
}

int proxy_start(struct proxy *proxy)
{
    proxy_share_descriptors(proxy, false);
    for (unsigned i = 0; i < proxy->worker_count; i++) {
        int error = worker_start(&proxy->workers[i], &proxy->service.config->affinity);
        if (error)
            return error;
    }
    return 0;
}

static void listen_all(struct proxy *proxy, enum listening listening)
{
    for (unsigned i = 0; i < proxy->worker_count; i++)
        worker_listen(&proxy->workers[i], listening);
}

void proxy_accept(struct proxy *proxy)
{
    listen_all(proxy, LISTENING_OPEN);
}

void proxy_pause(struct proxy *proxy, size_t index, uint64_t at)
{
    struct frontend *frontend = &proxy->service.frontends[index];
    if (!atomic_load(&frontend->paused_at) == !at)
        return;
    atomic_store(&frontend->paused_at, at);
    /* In any other state the workers see it when they listen next. */
    for (unsigned i = 0; i < proxy->worker_count; i++)
        if (atomic_load(&proxy->workers[i].wanted) == LISTENING_OPEN)
            worker_listen(&proxy->workers[i], LISTENING_OPEN);
    happened(at ? HAPPENED_FRONTEND_PAUSED : HAPPENED_FRONTEND_RESUMED, LOG_LEVEL_NOTICE,
             HAPPENING_FIELDS(happening_word("frontend", frontend->conf->name)),
             at ? "frontend %s is paused by command: new clients wait in the backlog"
                : "frontend %s is resumed by command: clients are accepted again",
             frontend->conf->name);
    if (proxy->events.on_frontend)
        proxy->events.on_frontend(frontend, proxy->events.arg);
}

void proxy_begin_paused(struct proxy *proxy, size_t index, uint64_t at)
{
    atomic_store(&proxy->service.frontends[index].paused_at, at);
}

/* A client that the main thread has accepted for a worker. */
struct accepted_client {
    struct task task;
    struct session_set *set;
    struct frontend *frontend;
    const struct bind_conf *bind;
    int fd;
    struct address address;
};

static void on_accepted_client(void *arg)
{
    struct accepted_client *accepted_client = arg;
    session_open(accepted_client->set, accepted_client->frontend, accepted_client->bind,
                 accepted_client->fd, &accepted_client->address);
    free(accepted_client);
}

/* Returns 0 or an errno value; EAGAIN: nobody waits. */
static int accept_client(int fd, struct accepted_client **accepted)
{
    struct accepted_client *accepted_client = calloc(1, sizeof *accepted_client);
    if (!accepted_client)
        return ENOMEM;
    accepted_client->fd = engine_accept(fd, &accepted_client->address);
    if (accepted_client->fd >= 0) {
        *accepted = accepted_client;
        return 0;
    }
    int error = -accepted_client->fd;
    free(accepted_client);
    return error;
}

bool proxy_accept_from(struct proxy *proxy, int fd, size_t frontend, const struct bind_conf *bind,
                       unsigned most, unsigned *count)
{
    while (proxy_live(proxy) < most) {
        struct accepted_client *accepted_client;
        int error = accept_client(fd, &accepted_client);
        if (error)
            return error == EAGAIN;
        accepted_client->set = service_next_set(&proxy->service);
        accepted_client->frontend = &proxy->service.frontends[frontend];
        accepted_client->bind = bind;
        accepted_client->task = (struct task){.run = on_accepted_client, .arg = accepted_client};
        place_force(&accepted_client->frontend->places);
        loop_post(&accepted_client->set->loop, &accepted_client->task);
        ++*count;
    }
    return false;
}

void proxy_retire(struct proxy *proxy)
{
    listen_all(proxy, LISTENING_RETIRED);
}

void proxy_quiet(struct proxy *proxy)
{
    proxy->not_quiet = proxy->worker_count;
    listen_all(proxy, LISTENING_OVER);
}

void proxy_ask_turns(struct proxy *proxy)
{
    if (proxy->turning > 0)
        return;
    proxy->turning = proxy->worker_count;
    for (unsigned i = 0; i < proxy->worker_count; i++)
        worker_ask_turn(&proxy->workers[i]);
}

void proxy_drain(struct proxy *proxy)
{
    atomic_store(&proxy->service.draining, true);
    if (proxy_live(proxy) == 0)
        task_queue_post(&proxy->task_queue, &proxy->service.empty_task);
}

void proxy_terminate(struct proxy *proxy, enum session_end reason)
{
    atomic_store(&proxy->service.terminate_reason, reason);
    for (unsigned i = 0; i < proxy->worker_count; i++)
        worker_terminate(&proxy->workers[i]);
}

uint64_t proxy_overdue(const struct proxy *proxy)
{
    struct figures figures = {0};
    stats_add_workers(&proxy->stats, &figures);
    return figures.overdue;
}

/* posix_spawn(3) returns before the child has closed what it inherits, so with programs that check
 * servers no moment is known in which no child has the descriptors. */
void proxy_share_descriptors(struct proxy *proxy, bool shared)
{
    shared |= launches_checks(proxy->service.config);
    for (unsigned i = 0; i < proxy->worker_count; i++)
        engine_share(&proxy->workers[i].sessions.loop.engine, shared);
}

/* What is left for this process of a limit that it shares. */
static unsigned room(unsigned max, unsigned others)
{
    if (max == 0)
        return LIMIT_NONE;
    return max > others ? max - others : 0;
}

void proxy_count_others(struct proxy *proxy, unsigned all, const unsigned *by_frontend)
{
    unsigned most = room(proxy->service.config->max_sessions, all);
    if (proxy->max_sessions && proxy->max_sessions < most)
        most = proxy->max_sessions;
    bool wanted = limit_move(proxy->service.places.limit, most);
    for (size_t i = 0; i < proxy->service.config->frontend_count; i++) {
        struct frontend *frontend = &proxy->service.frontends[i];
        unsigned others = by_frontend ? by_frontend[i] : 0;
        if (limit_move(frontend->places.limit, room(frontend->conf->max_sessions, others)))
            place_serve(&frontend->places);
    }
    if (wanted)
        place_serve(&proxy->service.places);
}

void proxy_count_at_servers(struct proxy *proxy, const uint64_t *live)
{
    for (size_t i = 0; i < proxy->service.config->backend_count; i++) {
        const struct backend *backend = &proxy->service.backends[i];
        const struct server_set *set = backend_servers(backend);
        for (size_t j = 0; (backend->counts & BACKEND_COUNTS_SERVERS) && j < set->count; j++)
            atomic_store_explicit(&set->list[j]->others, (unsigned)live[set->list[j]->record],
                                  memory_order_relaxed);
    }
}

bool proxy_counts_at_servers(const struct proxy *proxy)
{
    for (size_t i = 0; i < proxy->service.config->backend_count; i++)
        if (proxy->service.backends[i].counts & BACKEND_COUNTS_SERVERS)
            return true;
    return false;
}

void proxy_set_peers(struct proxy *proxy, const struct stats *const *list, size_t count)
{
    struct sources *sources = proxy->service.sources;
    if (!sources)
        return;
    struct sources_peers *peers = sources_peers_new(count);
    for (size_t i = 0; peers && i < count; i++) {
        const struct stats_head *head = &list[i]->as;
        struct sources_view *view =
            head->sources_size
                ? sources_view_open(list[i]->fd, head->sources_offset, head->sources_size)
                : NULL;
        if (view)
            peers->views[peers->count++] = view;
    }
    struct sources_peers *before = sources_publish(sources, peers);
    if (before)
        reclaim_with(&proxy->reclaimer, &before->retired, sources_peers_release);
}

void proxy_inherit(struct proxy *proxy, const struct stats *stats)
{
    const struct stats_head *head = &stats->as;
    if (!proxy->service.sources || !head->sources_size)
        return;
    struct sources_view *view =
        sources_view_open(stats->fd, head->sources_offset, head->sources_size);
    if (view)
        sources_inherit(proxy->service.sources, view, clock_ms() * 1000000);
    sources_view_close(view);
}

unsigned proxy_live(const struct proxy *proxy)
{
    return service_live(&proxy->service);
}

void proxy_free(struct proxy *proxy)
{
    if (!proxy)
        return;
    close_workers(proxy);
    outages_end(&proxy->outages);
    lookups_free(proxy->service.lookups);
    event_del(&proxy->bell);
    task_queue_close(&proxy->task_queue);
    walks_free(&proxy->service);
    sources_close(proxy->service.sources);
    stats_close(&proxy->stats);
    waitlist_close(&proxy->service.waitlist);
    free(proxy->service.sets);
    port_orders_free(proxy->service.port_orders);
    free(proxy->workers);
    close_backends(proxy);
    reclaimer_close(&proxy->reclaimer);
    for (size_t i = 0; proxy->service.frontends && i < proxy->service.frontend_count; i++)
        stage_list_close(&proxy->service.frontends[i]);
    free(proxy->service.frontends);
    options_release(OWNER_FRONTEND, &proxy->departed);
    free(proxy);
}
