#include "proxy/backend/check/checks.h"

#include "config/base/clock.h"
#include "config/base/condition.h"
#include "config/base/container_of.h"
#include "config/base/log.h"
#include "proxy/backend/check/probe.h"
#include "proxy/engine/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

/* The checks of one server. */
struct checking {
    struct server *server;
    struct checks *checks;
    struct event due;
    struct probe probe;
    bool awaited;              /* on_known waits for its first result */
    struct condition shortage; /* of ours: the probe could not connect */
    STAILQ_ENTRY(checking) link;
    STAILQ_ENTRY(checking) waiting;
};

struct checks {
    struct event_base *base;
    STAILQ_HEAD(, checking) all;
    bool begun;
    unsigned under_way;              /* probes */
    STAILQ_HEAD(, checking) waiting; /* checks that are due, because there are CHECKS_MOST probes */
    size_t unknown;                  /* servers that on_known waits for */
    struct event known;
    void (*on_known)(void *arg);
    void *arg;
};

static void add(struct event *event, uint64_t milliseconds)
{
    const struct timeval interval = clock_interval(milliseconds);
    event_add(event, &interval);
}

static const struct backend_conf *conf_of(const struct checking *checking)
{
    return checking->server->backend->conf;
}

static void await_due(struct checking *checking)
{
    uint64_t now = clock_ms();
    uint64_t due = checking->server->now.check_due;
    add(&checking->due, due > now ? due - now : 0);
}

/* The next check is a whole number of intervals after the last one: servers that were spread stay
 * spread, even if the loop was late. */
static void plan_next(struct checking *checking)
{
    uint64_t interval = conf_of(checking)->check.interval;
    uint64_t now = clock_ms();
    uint64_t *due = &checking->server->now.check_due;
    *due += interval;
    if (*due <= now)
        *due += (now - *due) / interval * interval + interval;
    await_due(checking);
}

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

/* Something is known of the server now, or nothing will be. */
static void note_known(struct checking *checking)
{
    struct checks *checks = checking->checks;
    if (!checking->awaited)
        return;
    checking->awaited = false;
    if (--checks->unknown == 0)
        event_active(&checks->known, EV_TIMEOUT, 0);
}

/* Where the server is to be checked, or NULL: it is not to be checked. */
static const struct address *wanted_address(const struct checking *checking)
{
    const struct server *server = checking->server;
    return server->now.admin == ADMIN_MAINT ? NULL : server_address(server);
}

/* The server went to MAINT, or got another address, after the check had begun. */
static bool is_outdated(const struct checking *checking)
{
    const struct address *address = wanted_address(checking);
    return !address || !address_equal(address, &checking->probe.address);
}

/* error: 0, or why the server could not be connected to. */
static void conclude(struct checking *checking, int error)
{
    bool shortage = error && socket_is_shortage(error);
    note_shortage(checking, shortage ? error : 0);
    if (shortage || is_outdated(checking))
        ;
    else if (error)
        server_failed(checking->server, error);
    else
        server_passed(checking->server);
    note_known(checking);
    plan_next(checking);
}

static void begin(struct checking *checking)
{
    const struct address *address = wanted_address(checking);
    if (!address) {
        note_shortage(checking, 0);
        note_known(checking);
        plan_next(checking);
        return;
    }
    int error = probe_begin(&checking->probe, address, conf_of(checking)->check.timeout);
    if (error)
        conclude(checking, error);
    else
        checking->checks->under_way++;
}

/* Begins checks that are due, as many as there may be. */
static void begin_waiting(struct checks *checks)
{
    struct checking *checking;
    while (checks->under_way < CHECKS_MOST && (checking = STAILQ_FIRST(&checks->waiting))) {
        STAILQ_REMOVE_HEAD(&checks->waiting, waiting);
        begin(checking);
    }
}

static void on_probe_end(struct probe *probe, int error)
{
    struct checking *checking = container_of(probe, struct checking, probe);
    checking->checks->under_way--;
    conclude(checking, error);
    begin_waiting(checking->checks);
}

static void on_due(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct checking *checking = arg;
    STAILQ_INSERT_TAIL(&checking->checks->waiting, checking, waiting);
    begin_waiting(checking->checks);
}

static void on_known(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct checks *checks = arg;
    void (*tell)(void *) = checks->on_known;
    event_del(&checks->known);
    checks->on_known = NULL;
    if (tell)
        tell(checks->arg);
}

unsigned checks_descriptors(const struct config *config)
{
    size_t count = 0;
    for (size_t i = 0; i < config->backend_count && count < CHECKS_MOST; i++)
        if (config->backends[i].check.kind != CHECK_OFF)
            count += config->backends[i].server_count;
    return count < CHECKS_MOST ? (unsigned)count : CHECKS_MOST;
}

static bool add_backend(struct checks *checks, const struct backend *backend)
{
    const struct server_set *set = backend_servers(backend);
    for (size_t i = 0; backend->conf->check.kind != CHECK_OFF && i < set->count; i++)
        if (!checks_add(checks, set->list[i]))
            return false;
    return true;
}

struct checks *checks_new(struct backend *backends, size_t count, struct event_base *base)
{
    struct checks *checks = calloc(1, sizeof *checks);
    if (!checks)
        return NULL;
    checks->base = base;
    STAILQ_INIT(&checks->all);
    STAILQ_INIT(&checks->waiting);
    evtimer_assign(&checks->known, base, on_known, checks);
    for (size_t i = 0; i < count; i++)
        if (!add_backend(checks, &backends[i])) {
            checks_free(checks);
            return NULL;
        }
    return checks;
}

bool checks_add(struct checks *checks, struct server *server)
{
    struct checking *checking = calloc(1, sizeof *checking);
    if (!checking)
        return false;
    checking->server = server;
    checking->checks = checks;
    checking->shortage.quiet_ms = 3 * conf_of(checking)->check.interval;
    probe_init(&checking->probe, checks->base, on_probe_end);
    evtimer_assign(&checking->due, checks->base, on_due, checking);
    STAILQ_INSERT_TAIL(&checks->all, checking, link);
    if (checks->begun) {
        server->now.check_due = clock_ms();
        await_due(checking);
    }
    return true;
}

/* Part of the interval for the n-th server. By the golden ratio, any number of servers is spread
 * evenly, also where the intervals differ. */
static uint64_t phase(size_t n, uint64_t interval)
{
    uint32_t turn = (uint32_t)n * UINT32_C(2654435769);
    return (interval * turn) >> 32;
}

void checks_begin(struct checks *checks)
{
    uint64_t now = clock_ms();
    size_t n = 0;
    struct checking *checking;
    checks->begun = true;
    STAILQ_FOREACH (checking, &checks->all, link) {
        uint64_t interval = conf_of(checking)->check.interval;
        uint64_t *due = &checking->server->now.check_due;
        if (checking->awaited)
            *due = now;
        else if (*due == 0 || *due > now + interval)
            *due = now + phase(n, interval);
        await_due(checking);
        n++;
    }
}

void checks_begin_unknown_first(struct checks *checks, millis most, void (*tell)(void *arg),
                                void *arg)
{
    struct checking *checking;
    checks->on_known = tell;
    checks->arg = arg;
    STAILQ_FOREACH (checking, &checks->all, link) {
        checking->awaited = checking->server->now.last_error == SERVER_UNCHECKED;
        checks->unknown += checking->awaited;
    }
    add(&checks->known, checks->unknown ? most : 0);
    checks_begin(checks);
}

void checks_free(struct checks *checks)
{
    struct checking *checking;
    if (!checks)
        return;
    while ((checking = STAILQ_FIRST(&checks->all))) {
        STAILQ_REMOVE_HEAD(&checks->all, link);
        event_del(&checking->due);
        probe_cancel(&checking->probe);
        free(checking);
    }
    event_del(&checks->known);
    free(checks);
}
