#include "reload/handover/peer_stats.h"

#include "config/base/log.h"
#include "proxy/proxy.h"
#include "proxy/server_limits.h"
#include "reload/base/children.h"
#include "reload/base/crash.h"
#include "reload/handover/draining_processes.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

/* For a process that has hung up, to end: its log may take 3 s to (log_stop()). */
static const struct timeval end_timeout = {.tv_sec = 10};

/* How often the sessions of other processes are counted, while there are others. */
static const struct timeval look_interval = {.tv_usec = 20000};

static bool has_begun(const struct peer_stats *peer_stats)
{
    return peer_stats->others != NULL;
}

static void free_peer(struct peer *peer)
{
    if (!peer)
        return;
    if (peer->end)
        event_free(peer->end);
    if (peer->process >= 0)
        close(peer->process);
    stats_close(&peer->stats);
    free(peer->frontends);
    tally_map_free(&peer->map);
    free(peer);
}

static void add_figures(const struct peer *peer, struct figures *sum)
{
    stats_add_workers(&peer->stats, sum);
    if (!peer->base_is_ours)
        stats_add_base(&peer->stats, sum);
}

/* A crash shows by sessions that were not ended, or by a wait status. */
static void note_if_crashed(const struct peer *peer)
{
    const struct stats_head *head = &peer->stats.as;
    unsigned lost = stats_lost(&peer->stats);
    if (peer->judged || (lost == 0 && peer->outcome == 0))
        return;
    const struct crash crash = crash_now(head->generation, head->pid, peer->outcome, lost);
    crash_note(peer->peer_stats->means.last_crash, &peer->peer_stats->proxy->stats.tally, &crash);
}

/* Zeros for each server of the tally; NULL: out of memory. */
static uint64_t *new_live(const struct tally *own)
{
    return calloc((size_t)own->as.servers + 1, sizeof(uint64_t));
}

/* Adds the sessions that others have on each server now. */
static void add_live_of_others(struct peer_stats *peer_stats, uint64_t *live)
{
    const struct tally *own = &peer_stats->proxy->stats.tally;
    struct peer *peer;
    TAILQ_FOREACH (peer, &peer_stats->list, link)
        if (!peer->gone && peer->stats.tally.memory &&
            tally_map_make(&peer->map, own, &peer->stats.tally) == 0)
            tally_add_live(live, &peer->stats.tally, &peer->map);
}

static void count_at_servers(struct peer_stats *peer_stats)
{
    uint64_t *live = NULL;
    if (peer_stats->balanced && (live = new_live(&peer_stats->proxy->stats.tally))) {
        add_live_of_others(peer_stats, live);
        proxy_count_at_servers(peer_stats->proxy, live);
    }
    free(live);
}

/* Which sources and rates of others count, and which sessions at servers. */
static void tell_proxy(struct peer_stats *peer_stats)
{
    size_t count = 0;
    const struct peer *peer;
    TAILQ_FOREACH (peer, &peer_stats->list, link)
        count += !peer->gone;
    const struct stats **list = calloc(count + 1, sizeof(struct stats *));
    if (!list)
        return;
    count = 0;
    TAILQ_FOREACH (peer, &peer_stats->list, link)
        if (!peer->gone)
            list[count++] = &peer->stats;
    proxy_set_peers(peer_stats->proxy, list, count);
    free(list);
    count_at_servers(peer_stats);
}

static void add_refusals(const struct peer *peer, size_t frontend, struct refusals *sum)
{
    if (!peer->frontends || peer->frontends[frontend] == STATS_NO_FRONTEND)
        return;
    stats_add_refusals(&peer->stats, peer->frontends[frontend], false, sum);
    if (!peer->base_is_ours)
        stats_add_refusals(&peer->stats, peer->frontends[frontend], true, sum);
}

/* Of the tally of peer, what counts here. Returns 0 or ENOMEM. */
static int add_tally(struct peer *peer, struct tally_sums *sums)
{
    const struct tally *tally = &peer->stats.tally;
    int error = 0;
    unsigned parts = TALLY_OWN;
    if (!peer->gone)
        parts |= TALLY_LIVE;
    if (!peer->base_is_ours)
        parts |= TALLY_BASE;
    if (tally->memory)
        error = tally_map_make(&peer->map, &peer->peer_stats->proxy->stats.tally, tally);
    if (tally->memory && !error)
        tally_sums_add(sums, tally, &peer->map, parts);
    return error;
}

static void fold_tally(struct peer *peer)
{
    struct tally *own = &peer->peer_stats->proxy->stats.tally;
    struct tally_sums sums;
    int error = tally_sums_open(&sums, own);
    if (!error)
        error = add_tally(peer, &sums);
    if (error)
        log_warning("out of memory: what generation %u counted of frontends and servers is lost",
                    peer->stats.as.generation);
    else
        tally_inherit(own, &sums);
    tally_sums_close(&sums);
}

static void fold(struct peer *peer)
{
    struct figures figures = {0};
    struct proxy *proxy = peer->peer_stats->proxy;
    note_if_crashed(peer);
    add_figures(peer, &figures);
    stats_inherit(&proxy->stats, &figures);
    fold_tally(peer);
    for (size_t i = 0; i < proxy->service.config->frontend_count; i++) {
        struct refusals refusals = {0};
        add_refusals(peer, i, &refusals);
        stats_inherit_refusals(&proxy->stats, i, &refusals);
    }
    proxy_inherit(proxy, &peer->stats);
    TAILQ_REMOVE(&peer->peer_stats->list, peer, link);
    free_peer(peer);
}

/* The process is gone: nothing can write its shared stats any more. outcome: its wait status, if it
 * was a child of this process and that is known; else 0. */
static void on_gone(struct peer *peer, int outcome)
{
    struct peer_stats *peer_stats = peer->peer_stats;
    peer->gone = true;
    peer->outcome = outcome;
    if (peer->end)
        event_del(peer->end);
    if (has_begun(peer_stats) && !peer_stats->successor_folds && peer != peer_stats->successor)
        fold(peer);
    if (has_begun(peer_stats))
        tell_proxy(peer_stats);
}

static int outcome_of(const struct peer *peer)
{
    int outcome;
    pid_t pid = (pid_t)peer->stats.as.pid;
    return children_take_former(peer->peer_stats->means.children, pid, &outcome) ? outcome : 0;
}

/* The peer of the list, if it lives. */
static struct peer *find(const struct peer_stats *peer_stats, unsigned generation, pid_t pid)
{
    struct peer *peer;
    TAILQ_FOREACH (peer, &peer_stats->list, link)
        if (!peer->gone && peer->stats.as.generation == generation &&
            (pid_t)peer->stats.as.pid == pid)
            return peer;
    return NULL;
}

/* The process has closed all that others need, and is stopped or stuck before its exit. */
static void end_it(const struct peer *peer)
{
    log_warning("generation %u (pid %u) does not end, and is killed", peer->stats.as.generation,
                peer->stats.as.pid);
    (void)pidfd_send_signal(peer->process, SIGKILL, NULL, 0);
    event_add(peer->end, NULL);
}

static void on_end(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    struct peer *peer = arg;
    if (what & EV_TIMEOUT) {
        end_it(peer);
        return;
    }
    on_gone(peer, outcome_of(peer));
}

/* Also when its parent has not waited for it yet, which may take long. */
static bool has_ended(pid_t pid)
{
    char path[32], stat[512];
    if (kill(pid, 0) && errno == ESRCH)
        return true;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = file >= 0 ? read(file, stat, sizeof stat - 1) : 0;
    if (file >= 0)
        close(file);
    if (length <= 0)
        return false;
    stat[length] = '\0';
    const char *name_end = strrchr(stat, ')');
    return name_end && (strncmp(name_end, ") Z", 3) == 0 || strncmp(name_end, ") X", 3) == 0);
}

/* For kernels without pidfds: before Linux 5.3. */
static bool is_gone(const struct peer *peer)
{
    if (peer->process < 0)
        return has_ended((pid_t)peer->stats.as.pid);
    struct pollfd poller = {.fd = peer->process, .events = POLLIN};
    return poll(&poller, 1, 0) > 0;
}

static void find_frontends(struct peer *peer)
{
    const struct config *config = peer->peer_stats->proxy->service.config;
    peer->frontends = calloc(config->frontend_count + 1, sizeof *peer->frontends);
    for (size_t i = 0; peer->frontends && i < config->frontend_count; i++)
        peer->frontends[i] = stats_find_frontend(&peer->stats, config->frontends[i].name, i);
}

static unsigned frontend_live(const struct peer *peer, size_t frontend)
{
    if (peer->gone || !peer->frontends || peer->frontends[frontend] == STATS_NO_FRONTEND)
        return 0;
    return stats_frontend_live(&peer->stats, peer->frontends[frontend]);
}

/* Sessions of processes without shared stats, by their last messages. */
static uint64_t live_by_message(const struct peer_stats *peer_stats)
{
    const struct message_sessions *predecessor = peer_stats->means.predecessor;
    uint64_t live = 0;
    const struct draining_process *draining_process;
    TAILQ_FOREACH (draining_process, &peer_stats->means.draining_processes->list, link)
        if (!peer_stats_find(peer_stats, draining_process->generation, draining_process->pid))
            live += draining_process->sessions;
    if (predecessor->pid != 0 &&
        !peer_stats_find(peer_stats, predecessor->generation, (pid_t)predecessor->pid))
        live += predecessor->sessions;
    return live;
}

static uint64_t others_live(const struct peer_stats *peer_stats)
{
    if (peer_stats->forgotten)
        return 0;
    uint64_t live = live_by_message(peer_stats);
    const struct peer *peer;
    TAILQ_FOREACH (peer, &peer_stats->list, link)
        if (!peer->gone)
            live += stats_live(&peer->stats);
    return live;
}

static void count_others(struct peer_stats *peer_stats)
{
    uint64_t all = others_live(peer_stats);
    const struct config *config = peer_stats->proxy->service.config;
    size_t frontends = config->frontend_count;
    memset(peer_stats->others, 0, frontends * sizeof *peer_stats->others);
    const struct peer *peer;
    TAILQ_FOREACH (peer, &peer_stats->list, link)
        for (size_t i = 0; i < frontends; i++)
            if (config->frontends[i].max_sessions)
                peer_stats->others[i] += frontend_live(peer, i);
    proxy_count_others(peer_stats->proxy, all < LIMIT_NONE ? (unsigned)all : LIMIT_NONE,
                       peer_stats->others);
}

#define PEERS_MAX 256

static void share_servers(const struct peer_stats *peer_stats)
{
    struct limits_peer peers[PEERS_MAX];
    const struct stats *own = &peer_stats->proxy->stats;
    size_t count = 0;
    const struct peer *peer;
    TAILQ_FOREACH (peer, &peer_stats->list, link)
        if (!peer->gone && count < PEERS_MAX)
            peers[count++] = (struct limits_peer){
                .stats = &peer->stats, .elder = peer->stats.as.generation < own->as.generation};
    server_limits_look(peer_stats->proxy, peers, count);
}

/* Processes without a pidfd: the loop does not report their end. */
static void look_for_ends(struct peer_stats *peer_stats)
{
    struct peer *peer = TAILQ_FIRST(&peer_stats->list);
    while (peer) {
        struct peer *next = TAILQ_NEXT(peer, link);
        if (!peer->gone && !peer->end && is_gone(peer))
            on_gone(peer, outcome_of(peer));
        peer = next;
    }
}

void peer_stats_on_child(struct peer_stats *peer_stats)
{
    int outcome;
    pid_t pid;
    while ((pid = children_take_former(peer_stats->means.children, 0, &outcome))) {
        struct peer *peer;
        TAILQ_FOREACH (peer, &peer_stats->list, link)
            if (!peer->gone && (pid_t)peer->stats.as.pid == pid)
                break;
        if (peer)
            on_gone(peer, outcome);
    }
}

static bool wants_looks(const struct peer_stats *peer_stats)
{
    const struct peer_stats_means *means = &peer_stats->means;
    const struct peer *peer;
    TAILQ_FOREACH (peer, &peer_stats->list, link)
        if (peer_stats->limited || !peer->end)
            return true;
    if (peer_stats->forgotten)
        return false;
    return peer_stats->limited &&
           (means->draining_processes->count || means->predecessor->pid != 0);
}

/* Sums over all servers and workers of all processes are made once in so many looks. */
#define LOOKS_AT_SERVERS 5

static void on_look(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct peer_stats *peer_stats = arg;
    look_for_ends(peer_stats);
    if (!peer_stats->forgotten)
        count_others(peer_stats);
    if (peer_stats->looks++ % LOOKS_AT_SERVERS == 0)
        count_at_servers(peer_stats);
    share_servers(peer_stats);
    if (!wants_looks(peer_stats))
        event_del(peer_stats->look);
}

int peer_stats_open(struct peer_stats *peer_stats, const struct peer_stats_means *means)
{
    TAILQ_INIT(&peer_stats->list);
    peer_stats->means = *means;
    peer_stats->process = pidfd_open(getpid(), 0);
    peer_stats->look = event_new(means->base, -1, EV_PERSIST, on_look, peer_stats);
    return peer_stats->look ? 0 : ENOMEM;
}

static void free_list(struct peer_stats *peer_stats)
{
    struct peer *peer;
    while ((peer = TAILQ_FIRST(&peer_stats->list))) {
        TAILQ_REMOVE(&peer_stats->list, peer, link);
        if (peer != peer_stats->successor)
            free_peer(peer);
    }
    if (peer_stats->look)
        event_del(peer_stats->look);
}

void peer_stats_forget(struct peer_stats *peer_stats)
{
    peer_stats->forgotten = true;
    if (!server_limits_exist(peer_stats->proxy))
        free_list(peer_stats);
}

void peer_stats_close(struct peer_stats *peer_stats)
{
    free_list(peer_stats);
    free_peer(peer_stats->successor);
    if (peer_stats->look)
        event_free(peer_stats->look);
    if (peer_stats->process >= 0)
        close(peer_stats->process);
    free(peer_stats->others);
}

/* Folds those that ended when that could not be done. */
static void fold_gone(struct peer_stats *peer_stats)
{
    struct peer *peer = TAILQ_FIRST(&peer_stats->list);
    while (peer) {
        struct peer *next = TAILQ_NEXT(peer, link);
        if (peer->gone)
            fold(peer);
        peer = next;
    }
}

int peer_stats_begin(struct peer_stats *peer_stats, struct proxy *proxy)
{
    const struct config *config = proxy->service.config;
    peer_stats->proxy = proxy;
    peer_stats->others = calloc(config->frontend_count + 1, sizeof *peer_stats->others);
    if (!peer_stats->others)
        return ENOMEM;
    peer_stats->limited = config->max_sessions != 0;
    for (size_t i = 0; i < config->frontend_count; i++)
        peer_stats->limited |= config->frontends[i].max_sessions != 0;
    peer_stats->balanced = proxy_counts_at_servers(proxy);
    peer_stats->limited |= server_limits_exist(proxy) || peer_stats->balanced;
    struct peer *peer;
    TAILQ_FOREACH (peer, &peer_stats->list, link)
        find_frontends(peer);
    fold_gone(peer_stats);
    tell_proxy(peer_stats);
    return 0;
}

void peer_stats_count(struct peer_stats *peer_stats)
{
    count_others(peer_stats);
    count_at_servers(peer_stats);
    share_servers(peer_stats);
    if (wants_looks(peer_stats))
        event_add(peer_stats->look, &look_interval);
}

void peer_stats_accept(struct peer_stats *peer_stats, bool accepts)
{
    server_limits_accept(peer_stats->proxy, accepts);
    share_servers(peer_stats);
}

static bool is_known(const struct peer_stats *peer_stats, const struct stats *stats)
{
    const struct peer *peer;
    TAILQ_FOREACH (peer, &peer_stats->list, link)
        if (peer->stats.as.generation == stats->as.generation &&
            peer->stats.as.pid == stats->as.pid &&
            peer->stats.as.started_at == stats->as.started_at)
            return true;
    return false;
}

/* NULL: it has been logged. */
static struct peer *make_peer(struct peer_stats *peer_stats, const struct received *message)
{
    const struct message_stats *about = message->payload;
    if (message->fd_count == 0) {
        log_warning("the shared stats of a process did not arrive: what it counts will be missing");
        return NULL;
    }
    struct stats stats;
    const char *wrong = stats_read(&stats, message->fds[0]);
    message->fds[0] = -1;
    if (wrong) {
        log_warning("the shared stats of a process are refused, and what it counts will be "
                    "missing: the descriptor is "
                    "%s",
                    wrong);
        return NULL;
    }
    if (is_known(peer_stats, &stats)) {
        stats_close(&stats);
        return NULL;
    }
    struct peer *peer = calloc(1, sizeof *peer);
    if (!peer) {
        stats_close(&stats);
        log_warning("out of memory: what a generation counts will be missing");
        return NULL;
    }
    peer->stats = stats;
    peer->peer_stats = peer_stats;
    peer->base_is_ours = about->base_is_ours != 0;
    peer->process = -1;
    if (message->fd_count > 1) {
        peer->process = message->fds[1];
        message->fds[1] = -1;
        peer->end = event_new(peer_stats->means.base, peer->process, EV_READ, on_end, peer);
        if (peer->end)
            event_add(peer->end, NULL);
    }
    if (has_begun(peer_stats))
        find_frontends(peer);
    return peer;
}

static void insert(struct peer_stats *peer_stats, struct peer *peer)
{
    struct peer *at;
    TAILQ_FOREACH (at, &peer_stats->list, link)
        if (at->stats.as.generation > peer->stats.as.generation)
            break;
    if (at)
        TAILQ_INSERT_BEFORE(at, peer, link);
    else
        TAILQ_INSERT_TAIL(&peer_stats->list, peer, link);
    peer->counted = true;
    if (has_begun(peer_stats))
        tell_proxy(peer_stats);
}

void peer_stats_add(struct peer_stats *peer_stats, const struct received *message)
{
    struct peer *peer = make_peer(peer_stats, message);
    if (peer)
        insert(peer_stats, peer);
}

void peer_stats_add_successor(struct peer_stats *peer_stats, const struct received *message)
{
    if (peer_stats->successor)
        return;
    peer_stats->successor = make_peer(peer_stats, message);
    if (peer_stats->successor)
        peer_stats->successor->base_is_ours = peer_stats->successor->judged = true;
}

void peer_stats_count_successor(struct peer_stats *peer_stats)
{
    if (peer_stats->successor && !peer_stats->successor->counted)
        insert(peer_stats, peer_stats->successor);
    peer_stats_count(peer_stats);
}

static void send_stats(struct channel *channel, const struct stats *stats, int process,
                       bool base_is_ours)
{
    const struct message_stats about = {.base_is_ours = base_is_ours};
    const int fds[] = {stats->fd, process};
    channel_send(channel, MESSAGE_STATS, &about, sizeof about, fds, process >= 0 ? 2 : 1);
}

void peer_stats_tell_predecessor(struct peer_stats *peer_stats, struct channel *predecessor)
{
    send_stats(predecessor, &peer_stats->proxy->stats, peer_stats->process, false);
}

void peer_stats_tell_successor(struct peer_stats *peer_stats, struct channel *successor)
{
    peer_stats->successor_folds = true;
    send_stats(successor, &peer_stats->proxy->stats, peer_stats->process, false);
    const struct peer *peer;
    TAILQ_FOREACH (peer, &peer_stats->list, link)
        send_stats(successor, &peer->stats, peer->process, peer->base_is_ours);
}

void peer_stats_resume(struct peer_stats *peer_stats)
{
    peer_stats->successor_folds = false;
    server_limits_accept(peer_stats->proxy, true);
    peer_stats_count_successor(peer_stats);
    peer_stats->successor = NULL;
    fold_gone(peer_stats);
}

void peer_stats_keep_canary(struct peer_stats *peer_stats)
{
    struct peer *canary = peer_stats->successor;
    if (canary) {
        canary->judged = false;
        canary->outcome = canary->gone ? outcome_of(canary) : 0;
    }
    peer_stats_resume(peer_stats);
    peer_stats_on_child(peer_stats);
}

uint64_t peer_stats_successor_live(const struct peer_stats *peer_stats)
{
    return peer_stats->successor ? stats_lost(&peer_stats->successor->stats) : 0;
}

void peer_stats_expect_end(const struct peer_stats *peer_stats, unsigned generation, pid_t pid)
{
    const struct peer *peer = find(peer_stats, generation, pid);
    if (peer && peer->end)
        event_add(peer->end, &end_timeout);
}

static bool is_heard(const struct peer_stats *peer_stats, const struct stats_head *as)
{
    const struct draining_process *draining_process;
    TAILQ_FOREACH (draining_process, &peer_stats->means.draining_processes->list, link)
        if (draining_process->generation == as->generation &&
            draining_process->pid == (pid_t)as->pid)
            return true;
    return false;
}

void peer_stats_expect_ends(const struct peer_stats *peer_stats)
{
    const struct peer *peer;
    TAILQ_FOREACH (peer, &peer_stats->list, link)
        if (!peer->gone && peer->end && peer != peer_stats->successor &&
            !is_heard(peer_stats, &peer->stats.as) && stats_live(&peer->stats) == 0)
            event_add(peer->end, &end_timeout);
}

const struct peer *peer_stats_find(const struct peer_stats *peer_stats, unsigned generation,
                                   pid_t pid)
{
    return find(peer_stats, generation, pid);
}

struct figures peer_stats_base(const struct peer_stats *peer_stats)
{
    struct figures sum = {0};
    stats_add_base(&peer_stats->proxy->stats, &sum);
    const struct peer *peer;
    TAILQ_FOREACH (peer, &peer_stats->list, link) {
        if (peer->gone)
            stats_add_workers(&peer->stats, &sum);
        if (!peer->base_is_ours)
            stats_add_base(&peer->stats, &sum);
    }
    return sum;
}

struct figures peer_stats_figures(const struct peer_stats *peer_stats)
{
    struct figures sum = peer_stats_base(peer_stats);
    stats_add_workers(&peer_stats->proxy->stats, &sum);
    const struct peer *peer;
    TAILQ_FOREACH (peer, &peer_stats->list, link)
        if (!peer->gone)
            stats_add_workers(&peer->stats, &sum);
    return sum;
}

int peer_stats_tally(const struct peer_stats *peer_stats, struct tally_sums *sums)
{
    const struct tally *own = &peer_stats->proxy->stats.tally;
    int error = tally_sums_open(sums, own);
    if (error)
        return error;
    tally_sums_add(sums, own, NULL, TALLY_OWN | TALLY_BASE | TALLY_LIVE);
    struct peer *peer;
    TAILQ_FOREACH (peer, &peer_stats->list, link)
        if ((error = add_tally(peer, sums)))
            return error;
    return 0;
}

static void observe_queues(const struct proxy *proxy, struct tally *own)
{
    for (size_t i = 0; i < proxy->service.config->backend_count; i++)
        if (proxy->service.backends[i].queue)
            tally_note_waiting(own, i, pool_waiting(&proxy->service.backends[i].queue->pool));
}

static void observe_servers(struct peer_stats *peer_stats, const uint64_t *live, uint64_t elapsed)
{
    struct proxy *proxy = peer_stats->proxy;
    struct tally *own = &proxy->stats.tally;
    for (size_t i = 0; i < proxy->service.config->backend_count; i++) {
        const struct server_set *set = backend_servers(&proxy->service.backends[i]);
        for (size_t j = 0; j < set->count; j++) {
            const struct server *server = set->list[j];
            tally_note_live(own, server->record, live[server->record]);
            if (server->now.check == CHECK_DOWN)
                tally_note_downtime(own, server->record, elapsed);
        }
    }
}

void peer_stats_observe(struct peer_stats *peer_stats, uint64_t elapsed)
{
    struct tally *own = &peer_stats->proxy->stats.tally;
    uint64_t *live = new_live(own);
    if (!live)
        return;
    tally_add_live(live, own, NULL);
    add_live_of_others(peer_stats, live);
    observe_servers(peer_stats, live, elapsed);
    observe_queues(peer_stats->proxy, own);
    for (size_t i = 0; i < own->as.frontends; i++)
        tally_note_frontend_live(own, i, peer_stats_frontend_live(peer_stats, i));
    free(live);
}

uint64_t peer_stats_frontend_live(const struct peer_stats *peer_stats, size_t frontend)
{
    uint64_t live = stats_frontend_live(&peer_stats->proxy->stats, frontend);
    const struct peer *peer;
    TAILQ_FOREACH (peer, &peer_stats->list, link)
        live += frontend_live(peer, frontend);
    return live;
}

struct refusals peer_stats_refusals(const struct peer_stats *peer_stats, size_t frontend)
{
    struct refusals sum = {0};
    stats_add_refusals(&peer_stats->proxy->stats, frontend, false, &sum);
    stats_add_refusals(&peer_stats->proxy->stats, frontend, true, &sum);
    const struct peer *peer;
    TAILQ_FOREACH (peer, &peer_stats->list, link)
        add_refusals(peer, frontend, &sum);
    return sum;
}

uint64_t peer_stats_live(const struct peer_stats *peer_stats)
{
    return proxy_live(peer_stats->proxy) + others_live(peer_stats);
}
