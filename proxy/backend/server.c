#include "proxy/backend/server.h"

#include "config/base/clock.h"
#include "config/base/log.h"
#include "proxy/backend/slow_start.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool is_checked(const struct server *server)
{
    return server->conf->check_track || server->backend->conf->check.kind != CHECK_OFF;
}

/* What a command or an agent says, of this server and of those that it follows. */
static bool is_kept_away(const struct server *server)
{
    for (; server; server = server->lead)
        if (server->now.admin != ADMIN_READY || server->now.agent >= AGENT_DRAIN)
            return true;
    return false;
}

/* The weight, with what an agent says; 0 to SERVER_WEIGHT_MAX. A server with a weight keeps 1 at
 * least, unless the agent says 0%. */
static unsigned advised_weight(const struct server *server)
{
    const struct server_state *now = &server->now;
    if (now->agent_percent < 0 || now->weight == 0)
        return now->weight;
    unsigned weight = (now->weight * (unsigned)now->agent_percent + 50) / 100;
    if (weight == 0 && now->agent_percent > 0)
        weight = 1;
    return weight < SERVER_WEIGHT_MAX ? weight : SERVER_WEIGHT_MAX;
}

bool server_is_usable(const struct server *server)
{
    const struct server_state *now = &server->now;
    return !is_kept_away(server) && now->check == CHECK_UP && !ejection_holds(&now->ejection) &&
           advised_weight(server) > 0 && (server_address(server) || server->conf->sni_port);
}

static void tell_checks(struct server *server)
{
    if (server->on_change)
        server->on_change(server);
}

/* Its sessions end where they are to; or, when it is up again, no longer do. */
static void note_down(struct server *server)
{
    bool close = server->backend->conf->check.on_down == ON_DOWN_CLOSE;
    bool ending = close && server->now.check == CHECK_DOWN;
    if (atomic_exchange_explicit(&server->ending, ending, memory_order_acq_rel) == ending)
        return;
    if (ending && server->backend->on_down)
        server->backend->on_down(server, server->backend->arg);
}

static void tell_followers(struct server *server, bool tell);

/* Does what its lead does; tell: a change is news. */
static void keep_up(struct server *server, bool tell)
{
    struct server_state *now = &server->now;
    const struct server *lead = server->lead;
    bool same = now->check == lead->now.check;
    now->last_error = lead->now.last_error;
    memcpy(now->reason, lead->now.reason, sizeof now->reason);
    now->check = lead->now.check;
    if (same || !tell) { /* a command or an agent may keep clients away from the lead */
        note_down(server);
        server->backend->weigh(server->backend, tell);
        tell_followers(server, tell);
        return;
    }
    if (now->check == CHECK_UP)
        server_comes_up(server);
    else
        server_count_event(server, COUNTER_OF(server_events, downs));
    happened(now->check == CHECK_UP ? HAPPENED_SERVER_UP : HAPPENED_SERVER_DOWN, LOG_LEVEL_NOTICE,
             HAPPENING_FIELDS(SERVER_FIELDS(server),
                              happening_word("cause", "the server that it follows")),
             "server %s/%s is %s, as %s/%s", server->backend->conf->name, server->name,
             now->check == CHECK_UP ? "UP" : "DOWN", lead->backend->conf->name, lead->name);
    server_changed(server, false);
}

static void tell_followers(struct server *server, bool tell)
{
    for (struct server *follower = server->first_follower; follower;
         follower = follower->next_follower)
        keep_up(follower, tell);
}

void server_changed(struct server *server, bool by_command)
{
    struct backend *backend = server->backend;
    server->now.changed_at = (uint64_t)time(NULL);
    backend->weigh(backend, true);
    tell_checks(server);
    note_down(server);
    if (backend->on_change)
        backend->on_change(server, by_command, backend->arg);
    tell_followers(server, true);
}

void server_comes_up(struct server *server)
{
    /* What failed before counts no more. */
    server->fail_times.count = 0;
    server->now.ejection.fails = 0;
    server->now.up_since = server->backend->conf->slow_start ? clock_ms() : 0;
}

void server_count_failure(struct server *server)
{
    if (server->backend->conf->max_fails == 0)
        return;
    if (atomic_fetch_add(&server->failures, 1) == 0)
        task_queue_post(server->backend->reclaimer->owner, &server->failures_task);
}

/* Checks in a row that are needed for the next change of the check state. */
static unsigned enough(const struct server *server)
{
    const struct backend_conf *conf = server->backend->conf;
    return server->now.check == CHECK_UP ? conf->check.fall : conf->check.rise;
}

/* The next check that contradicts the check state decides: what was known does not count. */
static void let_next_check_decide(struct server *server)
{
    server->now.streak = enough(server) - 1;
}

/* What the check state is before the first check. */
static enum check_state check_before_checks(const struct server *server)
{
    bool down = is_checked(server) && server->backend->conf->check.initial == CHECK_INITIAL_DOWN;
    return down ? CHECK_DOWN : CHECK_UP;
}

static struct endpoint *make_endpoint(const struct address *address)
{
    struct endpoint *endpoint = malloc(sizeof *endpoint);
    if (endpoint)
        endpoint->address = *address;
    return endpoint;
}

struct server *server_new(struct backend *backend, const struct server_conf *conf, const char *name,
                          const struct address *address, uint32_t place)
{
    struct endpoint *endpoint = address ? make_endpoint(address) : NULL;
    char *copy = strdup(name);
    struct server *server = aligned_alloc(_Alignof(struct server), sizeof *server);
    if ((address && !endpoint) || !copy || !server) {
        free(endpoint);
        free(copy);
        free(server);
        return NULL;
    }
    memset(server, 0, sizeof *server);
    server->conf = conf;
    server->backend = backend;
    server->name = copy;
    server->place = place;
    server->now = (struct server_state){.weight = conf->weight,
                                        .backup = conf->backup,
                                        .check = check_before_checks(server),
                                        .last_error = SERVER_UNCHECKED,
                                        .agent_percent = -1,
                                        .changed_at = (uint64_t)time(NULL)};
    let_next_check_decide(server);
    atomic_store(&server->endpoint, endpoint);
    return server;
}

void server_free(struct server *server)
{
    free(atomic_load(&server->endpoint));
    fail_times_free(&server->fail_times);
    free(server->name);
    free(server);
}

void server_count_event(const struct server *server, size_t counter)
{
    if (server->backend->tally)
        tally_event(server->backend->tally, server->record, counter);
}

void server_note_check_time(const struct server *server, uint64_t time)
{
    const struct tally *tally = server->backend->tally;
    if (tally)
        atomic_store_explicit(
            &tally_events(tally, server->record, false)[COUNTER_OF(server_events, check_time)],
            time, memory_order_relaxed);
}

struct server_sessions server_count_sessions(const struct server *server)
{
    const struct tally *tally = server->backend->tally;
    struct server_sessions sum = {0};
    for (unsigned i = 0; tally && i < tally->as.workers; i++) {
        const atomic_uint_fast64_t *record = tally_server(tally, i, server->record);
        sum.live += counter_read(&record[COUNTER_OF(server_figures, live)]);
        sum.all += counter_read(&record[COUNTER_OF(server_figures, sessions)]);
    }
    return sum;
}

/* The operator knows better. */
static void end_ejection(struct server *server)
{
    server->now.ejection = (struct ejection){0};
    server_comes_up(server);
    happened(HAPPENED_SERVER_BACK, LOG_LEVEL_NOTICE,
             HAPPENING_FIELDS(SERVER_FIELDS(server), happening_word("cause", "command")),
             "server %s/%s is back: its ejection is over by command", server->backend->conf->name,
             server->name);
    server_changed(server, true);
}

void server_set_admin(struct server *server, enum admin_state admin)
{
    enum admin_state before = server->now.admin;
    if (admin == before) {
        if (admin == ADMIN_READY && ejection_holds(&server->now.ejection))
            end_ejection(server);
        return;
    }
    server->now.admin = admin;
    if (before == ADMIN_MAINT && server->now.check == CHECK_UP)
        let_next_check_decide(server);
    if (before == ADMIN_MAINT) {
        server->now.ejection = (struct ejection){0};
        server_comes_up(server);
    }
    happened(
        HAPPENED_SERVER_ADMIN, LOG_LEVEL_NOTICE,
        HAPPENING_FIELDS(SERVER_FIELDS(server), happening_word("admin", server_admin_name(admin))),
        "server %s/%s is in state %s by command (it was %s)", server->backend->conf->name,
        server->name, server_admin_name(admin), server_admin_name(before));
    server_changed(server, true);
}

static void set_weight(struct server *server, unsigned weight, const char *by, bool by_command)
{
    unsigned before = server->now.weight;
    if (weight == before)
        return;
    server->now.weight = weight;
    happened(HAPPENED_SERVER_WEIGHT, LOG_LEVEL_NOTICE,
             HAPPENING_FIELDS(SERVER_FIELDS(server), happening_number("weight", weight),
                              happening_word("cause", by)),
             "server %s/%s has weight %u by %s (it was %u)", server->backend->conf->name,
             server->name, weight, by, before);
    server_changed(server, by_command);
}

unsigned server_maxconn(const struct server *server)
{
    return server->now.maxconn ? server->now.maxconn - 1 : server->conf->maxconn;
}

static void publish_maxconn(struct server *server)
{
    struct backend *backend = server->backend;
    if (backend->on_share)
        backend->on_share(server, slow_start_percent(server->now.up_since,
                                                     backend->conf->slow_start, clock_ms()));
}

static void format_maxconn(unsigned maxconn, char text[static 16])
{
    if (maxconn)
        snprintf(text, 16, "%u", maxconn);
    else
        snprintf(text, 16, "unlimited");
}

bool server_set_maxconn(struct server *server, unsigned maxconn)
{
    unsigned before = server_maxconn(server);
    char text[16], was[16];
    if (!server->seat)
        return false;
    if (maxconn == before)
        return true;
    server->now.maxconn = maxconn + 1;
    publish_maxconn(server);
    format_maxconn(maxconn, text);
    format_maxconn(before, was);
    happened(HAPPENED_SERVER_MAXCONN, LOG_LEVEL_NOTICE,
             HAPPENING_FIELDS(SERVER_FIELDS(server), happening_number("maxconn", maxconn)),
             "server %s/%s has maxconn %s by command (it was %s)", server->backend->conf->name,
             server->name, text, was);
    server_changed(server, true);
    return true;
}

void server_set_weight(struct server *server, unsigned weight)
{
    set_weight(server, weight, "command", true);
}

void server_follow_record(struct server *server, unsigned weight, bool backup)
{
    if (server->now.told_weight != weight)
        set_weight(server, weight, "its SRV record", false);
    server->now.told_weight = weight;
    if (server->now.backup == backup)
        return;
    server->now.backup = backup;
    log_notice("server %s/%s is %s backup by its SRV record", server->backend->conf->name,
               server->name, backup ? "a" : "no");
    server_changed(server, false);
}

static bool is_same_address(const struct address *a, const struct address *b)
{
    return a && b ? address_equal(a, b) : a == b;
}

static const char *address_text(const struct address *address, char text[static ADDRESS_TEXT_MAX])
{
    return address ? address_format_portless(address, text) : "none";
}

/* Publishes the address. *before gets the endpoint that it replaces. Returns 0 or ENOMEM. */
static int exchange_address(struct server *server, const struct address *address,
                            struct endpoint **before)
{
    struct endpoint *endpoint = address ? make_endpoint(address) : NULL;
    if (address && !endpoint)
        return ENOMEM;
    *before = atomic_exchange_explicit(&server->endpoint, endpoint, memory_order_acq_rel);
    return 0;
}

int server_begin_address(struct server *server, const struct address *address)
{
    struct endpoint *before;
    int error = exchange_address(server, address, &before);
    if (error)
        return error;
    if (before)
        reclaim(server->backend->reclaimer, &before->retired);
    tell_checks(server);
    server->backend->weigh(server->backend, false);
    return 0;
}

void server_begin_record(struct server *server, unsigned weight, bool backup)
{
    if (server->now.told_weight != weight)
        server->now.weight = weight;
    server->now.told_weight = weight;
    server->now.backup = backup;
    server->backend->weigh(server->backend, false);
}

int server_set_address(struct server *server, const struct address *address)
{
    char text[ADDRESS_TEXT_MAX], text_before[ADDRESS_TEXT_MAX];
    if (is_same_address(server_address(server), address))
        return 0;
    struct endpoint *before;
    int error = exchange_address(server, address, &before);
    if (error)
        return error;
    happened(HAPPENED_SERVER_ADDRESS, LOG_LEVEL_NOTICE,
             HAPPENING_FIELDS(SERVER_FIELDS(server),
                              happening_word("address", address_text(address, text))),
             "server %s/%s has address %s (it was %s)", server->backend->conf->name, server->name,
             address_text(address, text),
             address_text(before ? &before->address : NULL, text_before));
    if (before)
        reclaim(server->backend->reclaimer, &before->retired);
    let_next_check_decide(server);
    server->now.ejection = (struct ejection){0};
    server_comes_up(server);
    server_changed(server, false);
    return 0;
}

/* How many servers are left: "1 of 3 servers is usable". */
#define USABLE_TEXT_MAX 64
static const char *usable_text(const struct backend *backend, char text[static USABLE_TEXT_MAX])
{
    const struct server_set *set = backend_servers(backend);
    size_t usable = 0;
    for (size_t i = 0; i < set->count; i++)
        usable += server_is_usable(set->list[i]);
    snprintf(text, USABLE_TEXT_MAX, "%zu of %zu server%s %s usable", usable, set->count,
             set->count == 1 ? "" : "s", usable == 1 ? "is" : "are");
    return text;
}

void server_passed(struct server *server)
{
    struct server_state *now = &server->now;
    char text[USABLE_TEXT_MAX];
    now->last_error = 0;
    now->reason[0] = '\0';
    if (now->check == CHECK_UP) {
        now->streak = 0;
        return;
    }
    if (++now->streak < enough(server))
        return;
    now->check = CHECK_UP;
    happened(HAPPENED_SERVER_UP, LOG_LEVEL_NOTICE,
             HAPPENING_FIELDS(SERVER_FIELDS(server), happening_word("cause", "checks passed")),
             "server %s/%s is UP: %u checks passed in a row; %s", server->backend->conf->name,
             server->name, now->streak, usable_text(server->backend, text));
    now->streak = 0;
    server_comes_up(server);
    server_changed(server, false);
}

void server_failed(struct server *server, int error, const char *reason)
{
    struct server_state *now = &server->now;
    bool first = now->last_error == SERVER_UNCHECKED;
    char text[USABLE_TEXT_MAX];
    now->last_error = error;
    snprintf(now->reason, sizeof now->reason, "%s", reason);
    if (now->check == CHECK_DOWN) {
        now->streak = 0;
        return;
    }
    now->streak++;
    log_debug("server %s/%s: a check failed, %u of %u: %s", server->backend->conf->name,
              server->name, now->streak, enough(server), server_last_check(server));
    if (now->streak < enough(server))
        return;
    now->check = CHECK_DOWN;
    happened(
        HAPPENED_SERVER_DOWN, LOG_LEVEL_WARNING,
        HAPPENING_FIELDS(SERVER_FIELDS(server), happening_word("cause", server_last_check(server))),
        "server %s/%s is DOWN: %s%s; %s", server->backend->conf->name, server->name,
        server_last_check(server), first ? ", at its first check" : "",
        usable_text(server->backend, text));
    now->streak = 0;
    server_count_event(server, COUNTER_OF(server_events, downs));
    server_changed(server, false);
}

const char *server_last_check(const struct server *server)
{
    const struct server_state *now = &server->now;
    if (now->last_error == SERVER_UNCHECKED)
        return "not checked";
    if (now->last_error == 0)
        return "passed";
    return now->reason[0] ? now->reason : strerror(now->last_error);
}

enum check_pace server_check_pace(const struct server *server)
{
    if (server->now.streak > 0)
        return PACE_CHANGING;
    return server->now.check == CHECK_UP ? PACE_NORMAL : PACE_DOWN;
}

static void elect_again(const struct server *server)
{
    if (server->now.backup)
        server->backend->elected = (struct elected){.backups = true, .backup = server->place};
}

void server_adopt(struct server *server, const struct server_state *state, uint64_t check_due)
{
    server->now = *state;
    atomic_store(&server->check_due, check_due);
    if (!is_checked(server) || state->last_error == SERVER_UNCHECKED) {
        server->now.check = check_before_checks(server);
        server->now.last_error = SERVER_UNCHECKED;
        let_next_check_decide(server);
    }
    if (server->now.streak >= enough(server))
        let_next_check_decide(server);
    if (server->backend->conf->check.kind != CHECK_AGENT) {
        server->now.agent = AGENT_SAYS_NOTHING;
        server->now.agent_percent = -1;
    }
    note_down(server);
    publish_maxconn(server);
    struct backend *backend = server->backend;
    uint64_t most = clock_ms() + EJECTION_MOST * backend->conf->eject_time;
    if (backend->conf->max_fails == 0)
        server->now.ejection = (struct ejection){0};
    else if (server->now.ejection.until > most)
        server->now.ejection.until = most;
    if (state->holds)
        elect_again(server);
    backend->weigh(backend, false);
    tell_checks(server);
    tell_followers(server, false);
}

void server_take_over(struct server *server)
{
    elect_again(server);
    server->backend->weigh(server->backend, false);
}

void server_hear_check(struct server *server, const struct server_state *state)
{
    struct server_state *now = &server->now;
    if (!is_checked(server) || now->check == state->check)
        return;
    now->check = state->check;
    now->streak = 0;
    now->last_error = state->last_error;
    memcpy(now->reason, state->reason, sizeof now->reason);
    if (now->check == CHECK_UP)
        server_comes_up(server);
    char text[USABLE_TEXT_MAX];
    log_notice("server %s/%s is %s: %s; %s", server->backend->conf->name, server->name,
               now->check == CHECK_UP ? "UP" : "DOWN", server_last_check(server),
               usable_text(server->backend, text));
    server_changed(server, false);
}

void server_advised(struct server *server, enum agent_state agent, int percent)
{
    struct server_state *now = &server->now;
    if (agent == AGENT_SAYS_NOTHING)
        agent = now->agent;
    if (percent < 0)
        percent = now->agent_percent;
    if (agent == now->agent && percent == now->agent_percent)
        return;
    now->agent = agent;
    now->agent_percent = percent;
    char share[32] = "";
    if (percent >= 0)
        snprintf(share, sizeof share, ", %d%% of the weight", percent);
    happened(
        HAPPENED_SERVER_AGENT, LOG_LEVEL_NOTICE,
        HAPPENING_FIELDS(SERVER_FIELDS(server), happening_word("agent", server_agent_name(server))),
        "server %s/%s: its agent says %s%s", server->backend->conf->name, server->name,
        server_agent_name(server), share);
    server_changed(server, false);
}

void server_follow(struct server *server, struct server *lead)
{
    server->lead = lead;
    server->next_follower = lead->first_follower;
    lead->first_follower = server;
    server->now.check = lead->now.check;
    server->now.last_error = lead->now.last_error;
    note_down(server);
    server->backend->weigh(server->backend, false);
}

const char *server_agent_name(const struct server *server)
{
    static const char *const names[] = {[AGENT_SAYS_NOTHING] = "-",
                                        [AGENT_READY] = "ready",
                                        [AGENT_DRAIN] = "drain",
                                        [AGENT_MAINT] = "maint"};
    return names[server->now.agent];
}

const char *server_admin_name(enum admin_state admin)
{
    static const char *const names[] = {
        [ADMIN_READY] = "ready", [ADMIN_DRAIN] = "drain", [ADMIN_MAINT] = "maint"};
    return names[admin];
}

const char *server_check_name(const struct server *server)
{
    if (!is_checked(server))
        return "off";
    return server->now.check == CHECK_UP ? "up" : "down";
}
