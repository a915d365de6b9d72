#include "proxy/backend/check.h"

#include "config/base/clock.h"
#include "config/base/condition.h"
#include "config/base/log.h"
#include "proxy/engine/socket.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

struct probe {
    struct server *server;
    struct checks *checks;
    struct event due;
    struct event answer; /* while fd is open */
    int fd;
    struct address address;    /* that the server had when the check began */
    bool awaited;              /* by on_met */
    struct condition shortage; /* of ours: it could not be connected to the server */
    STAILQ_ENTRY(probe) link;
};

struct checks {
    struct event_base *base;
    struct probe *probes;
    size_t count;
    unsigned asking;              /* connections under way */
    STAILQ_HEAD(, probe) waiting; /* due, but there were CHECKS_MOST */
    size_t strangers;             /* that on_met waits for */
    struct event met;
    void (*on_met)(void *arg);
    void *arg;
};

static void add(struct event *event, uint64_t milliseconds)
{
    const struct timeval interval = clock_interval(milliseconds);
    event_add(event, &interval);
}

static const struct backend_conf *conf_of(const struct probe *probe)
{
    return probe->server->backend->conf;
}

static void await_due(struct probe *probe)
{
    uint64_t now = clock_ms();
    uint64_t due = probe->server->now.check_due;
    add(&probe->due, due > now ? due - now : 0);
}

/* A whole number of intervals after the last: servers that were spread stay so, whatever held the
 * loop up. */
static void plan_next(struct probe *probe)
{
    uint64_t interval = conf_of(probe)->check_interval;
    uint64_t now = clock_ms();
    uint64_t *due = &probe->server->now.check_due;
    *due += interval;
    if (*due <= now)
        *due += (now - *due) / interval * interval + interval;
    await_due(probe);
}

/* The last check met a shortage, or (error 0) did not. */
static void note_shortage(struct probe *probe, int error)
{
    const struct server *server = probe->server;
    if (error && condition_met(&probe->shortage, error, clock_ms()))
        log_warning("server %s/%s cannot be checked, and stays as it is: %s",
                    server->backend->conf->name, server->name,
                    error == EADDRINUSE ? "no local port is free for a connection to it"
                                        : strerror(error));
    if (!error && condition_over(&probe->shortage, clock_ms()))
        log_notice("server %s/%s can be checked again", server->backend->conf->name, server->name);
}

static void met(struct probe *probe)
{
    struct checks *checks = probe->checks;
    if (!probe->awaited)
        return;
    probe->awaited = false;
    if (--checks->strangers == 0)
        event_active(&checks->met, EV_TIMEOUT, 0);
}

/* The server is to be checked, and where: NULL if it is not. */
static const struct address *wanted_address(const struct probe *probe)
{
    return probe->server->now.admin == ADMIN_MAINT ? NULL : server_address(probe->server);
}

/* The server went to MAINT, or got another address, after the check had begun. */
static bool is_outdated(const struct probe *probe)
{
    const struct address *address = wanted_address(probe);
    return !address || !address_equal(address, &probe->address);
}

/* error: 0, or why the server could not be connected to. */
static void conclude(struct probe *probe, int error)
{
    bool shortage = error && socket_is_shortage(error);
    note_shortage(probe, shortage ? error : 0);
    if (shortage || is_outdated(probe))
        ;
    else if (error)
        server_failed(probe->server, error);
    else
        server_passed(probe->server);
    met(probe);
    plan_next(probe);
}

static int outcome(const struct probe *probe)
{
    int error = socket_error(probe->fd);
    if (!error && socket_is_self_connected(probe->fd, address_port(&probe->address)))
        error = ECONNREFUSED; /* nobody listens there */
    return error;
}

static void begin(struct probe *probe);

static void go_on(struct checks *checks)
{
    struct probe *probe;
    while (checks->asking < CHECKS_MOST && (probe = STAILQ_FIRST(&checks->waiting))) {
        STAILQ_REMOVE_HEAD(&checks->waiting, link);
        begin(probe);
    }
}

static void on_answer(evutil_socket_t fd, short what, void *arg)
{
    struct probe *probe = arg;
    struct checks *checks = probe->checks;
    int error = what & EV_TIMEOUT ? ETIMEDOUT : outcome(probe);
    event_del(&probe->answer);
    socket_close_reset(fd);
    probe->fd = -1;
    checks->asking--;
    conclude(probe, error);
    go_on(checks);
}

static void begin(struct probe *probe)
{
    struct checks *checks = probe->checks;
    int error;
    const struct address *address = wanted_address(probe);
    if (!address) {
        note_shortage(probe, 0);
        met(probe);
        plan_next(probe);
        return;
    }
    probe->address = *address;
    probe->fd = socket_connect(address, &error);
    if (probe->fd < 0) {
        conclude(probe, error);
        return;
    }
    checks->asking++;
    event_assign(&probe->answer, checks->base, probe->fd, EV_WRITE, on_answer, probe);
    add(&probe->answer, conf_of(probe)->check_timeout);
}

static void on_due(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct probe *probe = arg;
    STAILQ_INSERT_TAIL(&probe->checks->waiting, probe, link);
    go_on(probe->checks);
}

static void on_met(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct checks *checks = arg;
    void (*tell)(void *) = checks->on_met;
    event_del(&checks->met);
    checks->on_met = NULL;
    if (tell)
        tell(checks->arg);
}

static size_t count_checked(const struct backend_conf *conf)
{
    return conf->check == CHECK_OFF ? 0 : conf->server_count;
}

unsigned checks_descriptors(const struct config *config)
{
    size_t count = 0;
    for (size_t i = 0; i < config->backend_count && count < CHECKS_MOST; i++)
        count += count_checked(&config->backends[i]);
    return count < CHECKS_MOST ? (unsigned)count : CHECKS_MOST;
}

struct checks *checks_new(struct backend *backends, size_t count, struct event_base *base)
{
    struct checks *checks = calloc(1, sizeof *checks);
    if (!checks)
        return NULL;
    size_t most = 1;
    for (size_t i = 0; i < count; i++)
        most += count_checked(backends[i].conf);
    checks->base = base;
    checks->probes = calloc(most, sizeof *checks->probes);
    if (!checks->probes) {
        free(checks);
        return NULL;
    }
    STAILQ_INIT(&checks->waiting);
    evtimer_assign(&checks->met, base, on_met, checks);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count_checked(backends[i].conf); j++) {
            struct probe *probe = &checks->probes[checks->count++];
            *probe = (struct probe){
                .server = backend_servers(&backends[i])->list[j], .checks = checks, .fd = -1};
            probe->shortage.quiet_ms = 3 * conf_of(probe)->check_interval;
            evtimer_assign(&probe->due, base, on_due, probe);
        }
    return checks;
}

/* The n-th of any number of servers, as far from the others within the interval as can be: by the
 * golden ratio, whatever other intervals there are among them. */
static uint64_t phase(size_t n, uint64_t interval)
{
    uint32_t turn = (uint32_t)n * UINT32_C(2654435769);
    return (interval * turn) >> 32;
}

void checks_begin(struct checks *checks)
{
    uint64_t now = clock_ms();
    for (size_t i = 0; i < checks->count; i++) {
        struct probe *probe = &checks->probes[i];
        uint64_t interval = conf_of(probe)->check_interval;
        uint64_t *due = &probe->server->now.check_due;
        if (probe->awaited)
            *due = now;
        else if (*due == 0 || *due > now + interval)
            *due = now + phase(i, interval);
        await_due(probe);
    }
}

void checks_begin_meeting(struct checks *checks, millis most, void (*tell)(void *arg), void *arg)
{
    checks->on_met = tell;
    checks->arg = arg;
    for (size_t i = 0; i < checks->count; i++) {
        struct probe *probe = &checks->probes[i];
        probe->awaited = probe->server->now.last_error == SERVER_UNCHECKED;
        checks->strangers += probe->awaited;
    }
    add(&checks->met, checks->strangers ? most : 0);
    checks_begin(checks);
}

void checks_free(struct checks *checks)
{
    if (!checks)
        return;
    for (size_t i = 0; i < checks->count; i++) {
        struct probe *probe = &checks->probes[i];
        event_del(&probe->due);
        if (probe->fd >= 0) {
            event_del(&probe->answer);
            socket_close_reset(probe->fd);
        }
    }
    event_del(&checks->met);
    free(checks->probes);
    free(checks);
}
