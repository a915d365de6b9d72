#include "proxy/backend/check/checks.h"

#include "config/base/clock.h"
#include "proxy/backend/backend.h"
#include "proxy/backend/check/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

struct checks {
    struct event_base *base;
    struct backend *backends;
    const struct config *config;
    struct probe_plan *plans; /* one for each backend */
    struct task_queue *tasks; /* of the main thread */
    unsigned programs;        /* that may run at once */
    struct schedule schedule;
    bool open; /* the schedule; not before there is a server to check */
    struct checkings all;
    bool begun;
    size_t unknown; /* servers that on_known waits for */
    struct event known;
    void (*on_known)(void *arg);
    void *arg;
};

static const struct check_conf *conf_of(const struct checking *checking)
{
    return checking->plan->conf;
}

static struct checks *checks_of(const struct checking *checking)
{
    return checking->schedule->told_task.arg;
}

/* --- from servers to the thread ------------------------------------------------------------ */

/* Where the server is to be checked now; length 0: nowhere. */
static struct address wanted_address(const struct checking *checking)
{
    const struct server *server = checking->server;
    const struct check_conf *conf = conf_of(checking);
    const struct address *own = server_address(server);
    if (!own || server->now.admin == ADMIN_MAINT)
        return (struct address){0};
    struct address address = server->conf->check_address.length ? server->conf->check_address
                             : conf->address.length             ? conf->address
                                                                : *own;
    unsigned port = server->conf->check_port ? server->conf->check_port : conf->port;
    if (!port)
        port = address_port(own);
    if (port)
        address_set_port(&address, port);
    return address;
}

/* again: what the thread has told already may not count any more. */
static void retarget(struct checking *checking, bool again)
{
    struct check_target target = checking->target; /* written by this thread only */
    const struct address address = wanted_address(checking);
    if (address.length != target.address.length ||
        (address.length && !address_equal(&address, &target.address))) {
        target.address = address;
        target.version++;
    }
    target.tell += again;
    target.pace = server_check_pace(checking->server);
    schedule_retarget(checking, &target);
}

static void on_server_change(struct server *server)
{
    retarget(server->checking, true);
}

/* --- from the thread to servers ------------------------------------------------------------ */

/* Something is known of the server now, or nothing will be. */
static void note_known(struct checking *checking)
{
    struct checks *checks = checks_of(checking);
    if (!checking->awaited)
        return;
    checking->awaited = false;
    if (--checks->unknown == 0)
        event_active(&checks->known, EV_TIMEOUT, 0);
}

static void conclude(struct checking *checking, const struct probe_result *result)
{
    if (result->error)
        server_failed(checking->server, result->error, result->reason);
    else
        server_passed(checking->server);
    server_advised(checking->server, result->agent_state, result->agent_percent);
    if (server_check_pace(checking->server) != checking->target.pace)
        retarget(checking, false);
}

/* A result does not count if the server went to MAINT, or got another address, after the check had
 * begun. */
static void on_told(void *arg)
{
    struct checks *checks = arg;
    struct check_told *told;
    while ((told = schedule_take(&checks->schedule))) {
        struct checking *checking = told->checking;
        if (told->checked && told->version == checking->target.version)
            conclude(checking, &told->result);
        note_known(checking);
        free(told);
    }
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

/* --- begin and end ------------------------------------------------------------------------- */

unsigned checks_descriptors(const struct config *config)
{
    size_t count = 0;
    for (size_t i = 0; i < config->backend_count && count < CHECKS_MOST; i++)
        if (config->backends[i].check.kind != CHECK_OFF)
            count += backend_most_servers(&config->backends[i]);
    if (count == 0)
        return 0;
    return SCHEDULE_DESCRIPTORS + (count < CHECKS_MOST ? (unsigned)count : CHECKS_MOST);
}

/* What a server is asked for by TLS: HOST of "HOST:PORT", "HOST", "[HOST]:PORT". */
static char *name_of(const struct check_conf *conf)
{
    if (conf->sni || !conf->host)
        return conf->sni ? strdup(conf->sni) : NULL;
    if (conf->host[0] == '[')
        return strndup(conf->host + 1, strcspn(conf->host + 1, "]"));
    return strndup(conf->host, strcspn(conf->host, ":"));
}

static int make_plan(struct probe_plan *plan, const struct backend_conf *backend)
{
    const struct check_conf *conf = &backend->check;
    plan->conf = conf;
    plan->source = backend->source.kind == SOURCE_ADDRESS ? &backend->source : NULL;
    if (!conf->tls && conf->kind != CHECK_TLS)
        return 0;
    plan->tls = tls_client_context_new(conf);
    plan->name = name_of(conf);
    return plan->tls && (plan->name || (!conf->sni && !conf->host)) ? 0 : ENOMEM;
}

static size_t place_of(const struct server *server)
{
    const struct server_set *set = backend_servers(server->backend);
    size_t i = 0;
    while (i < set->count && set->list[i] != server)
        i++;
    return i;
}

/* Where the frontend of the same name listens, as that of a [listen] does; NULL: there is none, or
 * its sockets are passed to it. */
static const struct address *proxy_address(const struct config *config, const char *backend)
{
    for (size_t i = 0; i < config->frontend_count; i++) {
        const struct frontend_conf *frontend = &config->frontends[i];
        for (size_t j = 0; strcmp(frontend->name, backend) == 0 && j < frontend->bind_count; j++)
            if (!bind_is_activated(&frontend->binds[j]))
                return &frontend->binds[j].at.address;
    }
    return NULL;
}

/* False: there is no memory. */
static bool make_program(struct checking *checking)
{
    checking->backend_id = (size_t)(checking->plan - checks_of(checking)->plans) + 1;
    checking->server_id = place_of(checking->server) + 1;
    checking->proxy_address =
        proxy_address(checks_of(checking)->config, checking->server->backend->conf->name);
    checking->program = calloc(1, sizeof *checking->program);
    return checking->program;
}

static struct checking *make(struct checks *checks, struct server *server)
{
    struct checking *checking = calloc(1, sizeof *checking);
    if (!checking)
        return NULL;
    checking->server = server;
    checking->schedule = &checks->schedule;
    checking->plan = &checks->plans[server->backend - checks->backends];
    if (conf_of(checking)->kind == CHECK_EXEC && !make_program(checking)) {
        free(checking);
        return NULL;
    }
    server->checking = checking;
    server->on_change = on_server_change;
    return checking;
}

/* Returns 0 or an errno value. */
static int open_schedule(struct checks *checks)
{
    int error = 0;
    if (!checks->open)
        error = schedule_open(&checks->schedule, checks->tasks, checks->programs, on_told, checks);
    if (error)
        return error;
    checks->open = true;
    return checks->schedule.started ? 0 : schedule_start(&checks->schedule);
}

/* The servers of a backend have names of their own, also those that come from one line. */
static struct server *find_lead(const struct checks *checks, const char *name)
{
    size_t length = strcspn(name, "/");
    for (size_t i = 0; i < checks->config->backend_count && name[length]; i++) {
        const struct backend *backend = &checks->backends[i];
        if (strlen(backend->conf->name) == length &&
            strncmp(backend->conf->name, name, length) == 0)
            return backend_find(backend, name + length + 1);
    }
    return NULL;
}

int checks_add(struct checks *checks, struct server *server)
{
    if (server->conf->check_track) {
        struct server *lead = find_lead(checks, server->conf->check_track);
        if (lead && !server->lead)
            server_follow(server, lead);
        return 0;
    }
    int error = open_schedule(checks);
    if (error)
        return error;
    struct checking *checking = make(checks, server);
    if (!checking)
        return ENOMEM;
    STAILQ_INSERT_TAIL(&checks->all, checking, link);
    retarget(checking, true);
    if (checks->begun) {
        atomic_store(&server->check_due, clock_ms());
        schedule_add(&checks->schedule, checking);
    }
    return 0;
}

static int add_backend(struct checks *checks, const struct backend *backend)
{
    const struct server_set *set = backend_servers(backend);
    int error = 0;
    bool checked = backend->conf->check.kind != CHECK_OFF;
    for (size_t i = 0; !error && i < set->count; i++)
        if (checked || set->list[i]->conf->check_track)
            error = checks_add(checks, set->list[i]);
    return error;
}

int checks_new(struct backend *backends, const struct config *config, struct event_base *base,
               struct task_queue *tasks, unsigned programs, struct checks **made)
{
    const size_t count = config->backend_count;
    struct checks *checks = calloc(1, sizeof *checks);
    if (!checks)
        return ENOMEM;
    checks->base = base;
    checks->tasks = tasks;
    checks->programs = programs;
    checks->backends = backends;
    checks->config = config;
    STAILQ_INIT(&checks->all);
    evtimer_assign(&checks->known, base, on_known, checks);
    checks->plans = calloc(count ? count : 1, sizeof *checks->plans);
    int error = checks->plans ? 0 : ENOMEM;
    for (size_t i = 0; !error && i < count; i++)
        error = make_plan(&checks->plans[i], backends[i].conf);
    for (size_t i = 0; !error && i < count; i++)
        error = add_backend(checks, &backends[i]);
    if (error)
        checks_free(checks);
    else
        *made = checks;
    return error;
}

void checks_begin(struct checks *checks)
{
    uint64_t now = clock_ms();
    size_t n = 0;
    struct checking *checking;
    checks->begun = true;
    STAILQ_FOREACH (checking, &checks->all, link) {
        uint64_t interval = plan_interval(conf_of(checking), checking->target.pace);
        uint64_t due = atomic_load(&checking->server->check_due);
        if (checking->awaited)
            due = now;
        else if (due == 0 || due > now + interval)
            due = now + plan_phase(n, interval);
        atomic_store(&checking->server->check_due, due);
        schedule_add(&checks->schedule, checking);
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
    const struct timeval interval = clock_interval(checks->unknown ? most : 0);
    event_add(&checks->known, &interval);
    checks_begin(checks);
}

static void free_plans(struct checks *checks)
{
    for (size_t i = 0; checks->plans && i < checks->config->backend_count; i++) {
        tls_client_context_free(checks->plans[i].tls);
        free(checks->plans[i].name);
    }
    free(checks->plans);
}

bool checks_ask_turn(struct checks *checks, void (*on_turned)(void *arg), void *arg)
{
    if (!checks->open || !checks->schedule.started)
        return false;
    schedule_ask_turn(&checks->schedule, on_turned, arg);
    return true;
}

void checks_free(struct checks *checks)
{
    struct checking *checking;
    if (!checks)
        return;
    if (checks->open)
        schedule_stop(&checks->schedule);
    while ((checking = STAILQ_FIRST(&checks->all))) {
        STAILQ_REMOVE_HEAD(&checks->all, link);
        schedule_end(checking);
        checking->server->on_change = NULL;
        checking->server->checking = NULL;
        free(checking);
    }
    if (checks->open)
        schedule_close(&checks->schedule);
    event_del(&checks->known);
    free_plans(checks);
    free(checks);
}
