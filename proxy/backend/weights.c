#include "proxy/backend/weights.h"

#include "config/base/clock.h"
#include "config/base/happening.h"
#include "config/base/log.h"
#include "proxy/backend/balance/algorithm.h"
#include "proxy/backend/balance/table.h"
#include "proxy/backend/slow_start.h"

#include <event2/event.h>
#include <time.h>

/* --- the table -------------------------------------------------------------------------------- */

/* Tables may take one twentieth of the main thread's time: the pause until the next one is so many
 * times as long as the last one took. */
#define TABLE_PAUSE_FACTOR 20u
/* Before another attempt, without memory. */
#define TABLE_RETRY_MS 1000u

static uint64_t own_microseconds(void)
{
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
}

static void make_table(struct backend *backend)
{
    uint64_t begin = own_microseconds();
    struct balance_table *table = backend->algorithm->make_table(backend_servers(backend));
    uint64_t pause = (own_microseconds() - begin) * TABLE_PAUSE_FACTOR / 1000;
    backend->table_due = clock_ms() + (table ? pause : TABLE_RETRY_MS);
    backend->table_is_stale = !table;
    if (!table)
        return;
    struct balance_table *before =
        atomic_exchange_explicit(&backend->table, table, memory_order_acq_rel);
    if (before)
        reclaim(backend->reclaimer, &before->retired);
}

/* The table of the algorithm is made anew, if it has one: at once where there is no timer, and else
 * soon, so that many changes in a short time cost one table. */
static void outdate_table(struct backend *backend, uint64_t now)
{
    if (!backend->algorithm->make_table)
        return;
    backend->table_is_stale = true;
    if (!backend->has_timer || backend->table_due <= now)
        make_table(backend);
}

/* --- ejections -------------------------------------------------------------------------------- */

/* Those that are over; with all, the others too. True: there was one. */
static bool end_ejections(struct backend *backend, uint64_t now, bool all)
{
    const struct server_set *set = backend_servers(backend);
    bool any = false;
    for (size_t i = 0; i < set->count; i++) {
        struct server *server = set->list[i];
        const struct ejection *ejection = &server->now.ejection;
        if (!ejection_holds(ejection) || (!all && ejection->until > now))
            continue;
        const char *cause =
            ejection->until > now ? "no other server is usable" : "its ejection is over";
        happened(HAPPENED_SERVER_BACK, LOG_LEVEL_NOTICE,
                 HAPPENING_FIELDS(happening_word("backend", backend->conf->name),
                                  happening_word("server", server->name),
                                  happening_word("cause", cause)),
                 "server %s/%s is back: %s", backend->conf->name, server->name, cause);
        ejection_end(&server->now.ejection, now);
        server->now.changed_at = (uint64_t)time(NULL);
        server_comes_up(server);
        server->is_back = any = true;
    }
    return any;
}

/* --- shares ----------------------------------------------------------------------------------- */

static struct elected elect(const struct backend *backend, struct election *election)
{
    const struct server_set *set = backend_servers(backend);
    *election = election_begin(backend->conf->backup == BACKUP_ALL, backend->conf->failback,
                               backend->elected);
    for (size_t i = 0; i < set->count; i++)
        election_add(election, i, server_is_usable(set->list[i]), set->list[i]->now.backup);
    return election_end(election);
}

/* Without the slow start. What an agent says is exact, for a server of weight 1 as well. */
static unsigned whole_share(const struct server *server)
{
    _Static_assert(SHARE_OF_ONE == 100, "a percent of the weight is one part of the share");
    const struct server_state *now = &server->now;
    if (now->agent_percent < 0)
        return now->weight * SHARE_OF_ONE;
    unsigned share = now->weight * (unsigned)now->agent_percent;
    return share < SERVER_WEIGHT_MAX * SHARE_OF_ONE ? share : SERVER_WEIGHT_MAX * SHARE_OF_ONE;
}

/* Of a usable server: 1 at least. */
static unsigned share_of(const struct server *server, uint64_t now)
{
    uint64_t length = server->backend->conf->slow_start;
    unsigned percent = slow_start_percent(server->now.up_since, length, now);
    unsigned share = whole_share(server) * percent / 100;
    return share > 0 ? share : 1;
}

static bool publish(struct server *server, unsigned share)
{
    if (share == server_share(server))
        return false;
    atomic_store_explicit(&server->share, share, memory_order_relaxed);
    return true;
}

static void tell_queue(struct backend *backend, uint64_t now)
{
    const struct server_set *set = backend_servers(backend);
    for (size_t i = 0; i < set->count; i++)
        backend->on_share(set->list[i], slow_start_percent(set->list[i]->now.up_since,
                                                           backend->conf->slow_start, now));
}

static void tell_who_serves(const struct backend *backend, struct elected before, size_t usable)
{
    const struct server_set *set = backend_servers(backend);
    const char *name = backend->conf->name;
    struct elected now = backend->elected;
    if (usable > 0 && backend->usable == 0)
        happened(HAPPENED_BACKEND_DOWN, LOG_LEVEL_ERROR,
                 HAPPENING_FIELDS(happening_word("backend", name)),
                 "backend %s has no usable server left: new clients are refused", name);
    else if (usable == 0 && backend->usable > 0)
        happened(HAPPENED_BACKEND_UP, LOG_LEVEL_NOTICE,
                 HAPPENING_FIELDS(happening_word("backend", name)),
                 "backend %s has a usable server again", name);
    if (now.backups && backend->conf->backup == BACKUP_ALL && !before.backups)
        happened(HAPPENED_BACKUP_SERVES, LOG_LEVEL_NOTICE,
                 HAPPENING_FIELDS(happening_word("backend", name)),
                 "backend %s: the backup servers take over", name);
    else if (now.backups && backend->conf->backup == BACKUP_FIRST &&
             (!before.backups || now.backup != before.backup))
        happened(HAPPENED_BACKUP_SERVES, LOG_LEVEL_NOTICE,
                 HAPPENING_FIELDS(happening_word("backend", name),
                                  happening_word("server", set->list[now.backup]->name)),
                 "backend %s: backup server %s takes over", name, set->list[now.backup]->name);
    else if (before.backups && !now.backups && backend->usable > 0)
        log_notice("backend %s: the servers without the attribute backup serve again", name);
}

/* The next change that time brings: milliseconds. */
static uint64_t next_change(const struct backend *backend, uint64_t now)
{
    const struct server_set *set = backend_servers(backend);
    uint64_t next = backend->table_is_stale ? backend->table_due : UINT64_MAX;
    for (size_t i = 0; i < set->count; i++) {
        const struct server_state *state = &set->list[i]->now;
        uint64_t due = slow_start_due(state->up_since, backend->conf->slow_start, now);
        if (ejection_holds(&state->ejection) && state->ejection.until < due)
            due = state->ejection.until;
        if (due < next)
            next = due;
    }
    return next;
}

static void set_timer(struct backend *backend, uint64_t now)
{
    uint64_t next = backend->has_timer ? next_change(backend, now) : UINT64_MAX;
    if (!backend->has_timer)
        return;
    const struct timeval interval = clock_interval(next > now ? next - now : 0);
    if (next == UINT64_MAX)
        event_del(&backend->timer);
    else
        event_add(&backend->timer, &interval);
}

/* The callback may look at all of the backend. */
static void tell_who_is_back(struct backend *backend)
{
    const struct server_set *set = backend_servers(backend);
    for (size_t i = 0; i < set->count; i++) {
        bool is_back = set->list[i]->is_back;
        set->list[i]->is_back = false;
        if (is_back && backend->on_change)
            backend->on_change(set->list[i], false, backend->arg);
    }
}

void weights_publish(struct backend *backend, uint64_t now, bool tell)
{
    const struct server_set *set = backend_servers(backend);
    struct elected before = backend->elected;
    struct election election;
    size_t usable = backend->usable;
    bool changed = false;
    end_ejections(backend, now, false);
    struct elected elected = elect(backend, &election);
    /* While states of another process are taken over, others may be about to be usable. */
    if (tell && !election.active && !election.backup && end_ejections(backend, now, true))
        elected = elect(backend, &election);
    backend->elected = elected;
    backend->usable = 0;
    for (size_t i = 0; i < set->count; i++) {
        struct server *server = set->list[i];
        bool backup = server->now.backup;
        bool serves =
            server_is_usable(server) && election_has_elected(&election, elected, i, backup);
        changed |= publish(server, serves ? share_of(server, now) : 0);
        backend->usable += serves;
        server->now.holds = serves && backup && !backend->conf->failback;
    }
    if (changed || backend->table_is_stale)
        outdate_table(backend, now);
    if (changed)
        atomic_fetch_add_explicit(&backend->version, 1, memory_order_release);
    if (tell) /* workers know by now */
        tell_who_serves(backend, before, usable);
    if (changed && backend->on_share)
        tell_queue(backend, now);
    set_timer(backend, now);
    tell_who_is_back(backend);
}
