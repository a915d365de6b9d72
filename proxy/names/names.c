#include "proxy/names/names.h"

#include "config/base/clock.h"
#include "config/base/condition.h"
#include "config/base/happening.h"
#include "config/base/log.h"
#include "config/loops.h"
#include "config/names/prefer.h"
#include "config/names/resolver.h"
#include "config/syntax/value.h"
#include "proxy/names/slots.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Three fields of an event. */
#define WHICH(follower)                                                                            \
    happening_word("backend", backend_name(follower)),                                             \
        happening_word("server", (follower)->conf->name),                                          \
        happening_word("name", (follower)->conf->text)

/* After a failure a name is asked for again so soon, then after twice that time, and so on. */
#define RETRY_MIN_MS 1000
#define RETRY_MAX_MS 30000

/* A server, or a slot, and what it had. */
struct place_of_address {
    struct server *server;
    struct address last; /* before the present one; length 0: none */
};

/* The name of one line of the file. */
struct follower {
    struct names *names;
    const struct server_conf *conf;
    struct backend *backend;
    size_t backend_index;
    struct first_answer *first;
    struct place_of_address *places; /* room for conf->max; of a single server for one */
    size_t count;
    struct question *question; /* NULL: none is under way */
    struct event due;
    uint64_t answered_at; /* clock_ms() of the last good answer; 0: there was none */
    uint64_t whole_at;    /* the same of one in which nothing was missing */
    unsigned failures;    /* since then */
    bool told_failure;    /* it has been logged */
    bool given_up;        /* the addresses have been taken away */
    struct condition overfull, refused;
};

struct names {
    const struct config *config;
    struct backend *backends;
    struct event_base *base;
    struct checks *checks;
    struct resolver *resolver; /* NULL: nothing is followed */
    struct loops *loops;
    struct first_answers answers;
    bool begun;                 /* changes are logged and reported */
    struct follower *followers; /* one for each of the answers */
    size_t count;
};

static const char *backend_name(const struct follower *follower)
{
    return follower->backend->conf->name;
}

static size_t most(const struct follower *follower)
{
    return follower->conf->what == RESOLVE_ALL ? follower->conf->max : 1;
}

/* Whether its name is asked for after the start. */
static bool is_followed(const struct follower *follower)
{
    return follower->backend->conf->resolve == RESOLVE_LIVE || follower->answered_at == 0;
}

/* --- servers ------------------------------------------------------------------------------- */

/* Makes slots until there are `count`. Returns 0 or an errno value. */
static int make_slots(struct follower *follower, size_t count)
{
    while (follower->count < count) {
        char *name = NULL;
        if (asprintf(&name, "%s-%zu", follower->conf->name, follower->count + 1) < 0)
            return ENOMEM;
        struct server *server = backend_add(follower->backend, follower->conf, name, NULL);
        free(name);
        if (!server)
            return ENOMEM;
        follower->places[follower->count++].server = server;
        if (follower->backend->conf->check.kind == CHECK_OFF && !follower->conf->check_track)
            continue;
        int error = checks_add(follower->names->checks, server);
        if (error)
            log_warning("server %s/%s cannot be checked: %s", backend_name(follower), server->name,
                        strerror(error));
    }
    return 0;
}

static void set_address(struct follower *follower, struct place_of_address *place,
                        const struct address *address)
{
    const struct address *before = server_address(place->server);
    const struct address last = before ? *before : place->last;
    if (before && address && address_equal(before, address))
        return;
    if (follower->names->begun ? server_set_address(place->server, address)
                               : server_begin_address(place->server, address)) {
        log_error("server %s/%s: out of memory: it keeps its address", backend_name(follower),
                  place->server->name);
        return;
    }
    place->last = last;
}

/* What the SRV record of the server says. */
static void follow_record(struct follower *follower, struct server *server, unsigned weight,
                          bool backup)
{
    if (follower->names->begun)
        server_follow_record(server, weight, backup);
    else
        server_begin_record(server, weight, backup);
}

/* --- addresses that must not be ------------------------------------------------------------ */

static const struct address *address_now(size_t backend, size_t n, void *arg)
{
    static const struct address none;
    const struct names *names = arg;
    const struct server_set *set = backend_servers(&names->backends[backend]);
    if (n >= set->count)
        return NULL;
    const struct address *address = server_address(set->list[n]);
    return address ? address : &none;
}

/* True: sessions to that address would come back, without end. Said once. */
static bool is_refused(struct follower *follower, const struct address *address)
{
    char text[ADDRESS_TEXT_MAX];
    const struct frontend_conf *frontend;
    const struct bind_conf *bind = loops_find(follower->names->loops, follower->backend_index,
                                              address, address_now, follower->names, &frontend);
    if (bind && condition_met(&follower->refused, 1, clock_ms()))
        log_error("server %s/%s: '%s' has address %s, which is bind %s of frontend %s of this "
                  "proxy: it is not used, since each session would return to backend %s, without "
                  "end",
                  backend_name(follower), follower->conf->name, follower->conf->text,
                  address_format(address, text), bind->text, frontend->name,
                  backend_name(follower));
    return bind != NULL;
}

/* Moves the items that may be used to the front. Returns how many. */
static size_t leave_out_refused(struct follower *follower, struct answer_item *items, size_t count)
{
    size_t good = 0;
    for (size_t i = 0; i < count; i++)
        if (!is_refused(follower, &items[i].address))
            items[good++] = items[i];
    if (good == count && condition_over(&follower->refused, clock_ms()))
        log_notice("server %s/%s: no address of '%s' is this proxy any more",
                   backend_name(follower), follower->conf->name, follower->conf->text);
    return good;
}

/* --- answers ------------------------------------------------------------------------------- */

static void use_one(struct follower *follower, unsigned keep, const struct answer_item *items,
                    size_t count)
{
    struct place_of_address *place = &follower->places[0];
    const struct address *now = server_address(place->server);
    static const struct address none;
    size_t chosen = slots_choose(now ? now : &none, items, count);
    if (!now || !slots_is_kept(now, keep))
        set_address(follower, place, &items[chosen].address);
    place->server->now.answered_at = follower->answered_at;
}

static void note_overfull(struct follower *follower, size_t without, size_t all)
{
    if (without && condition_met(&follower->overfull, 1, clock_ms()))
        log_warning("servers %s/%s-*: '%s' has %zu addresses: %zu of them are not used, since max "
                    "is %u",
                    backend_name(follower), follower->conf->name, follower->conf->text, all,
                    without, follower->conf->max);
    if (!without && condition_over(&follower->overfull, clock_ms()))
        log_notice("servers %s/%s-*: all addresses of '%s' are used again", backend_name(follower),
                   follower->conf->name, follower->conf->text);
}

static void fill_slot(struct follower *follower, size_t slot, const struct answer_item *item,
                      unsigned weight, bool backup)
{
    struct place_of_address *place = &follower->places[slot];
    if (follower->conf->service)
        follow_record(follower, place->server, weight, backup);
    set_address(follower, place, &item->address);
    place->server->now.answered_at = follower->answered_at;
}

/* Which items are in which slots is known: changes the servers, the backups last. Otherwise a
 * backup that comes first in the answer would take over, and so would one of two that exchange
 * their priorities: for a moment there would be no other server. */
static void fill_slots(struct follower *follower, unsigned keep, const struct answer_item *items,
                       size_t count, const size_t *slots, const unsigned *weights, bool *taken)
{
    uint16_t priority = slots_priority(items, count);
    for (int backup = 0; backup < 2; backup++)
        for (size_t i = 0; i < count; i++) {
            if ((items[i].priority != priority) != backup || slots[i] == SLOT_NONE ||
                make_slots(follower, slots[i] + 1))
                continue;
            taken[slots[i]] = true;
            fill_slot(follower, slots[i], &items[i], weights[i], backup);
        }
    for (size_t i = 0; i < follower->count; i++) {
        const struct address *address = server_address(follower->places[i].server);
        if (address && !taken[i] && !slots_is_kept(address, keep))
            set_address(follower, &follower->places[i], NULL);
    }
}

static void use_all(struct follower *follower, unsigned keep, const struct answer_item *items,
                    size_t count)
{
    struct slot *now = calloc(follower->count + 1, sizeof *now);
    size_t *slots = calloc(count, sizeof *slots);
    unsigned *weights = calloc(count, sizeof *weights);
    bool *taken = calloc(most(follower), sizeof *taken);
    size_t without = SIZE_MAX;
    for (size_t i = 0; now && i < follower->count; i++) {
        const struct address *address = server_address(follower->places[i].server);
        if (address)
            now[i].address = *address;
        now[i].last = follower->places[i].last;
    }
    if (now && slots && weights && taken) {
        slots_weigh(items, count, weights);
        without = slots_assign(now, follower->count, most(follower), keep, items, count, slots);
    }
    if (without == SIZE_MAX) {
        log_error("servers %s/%s-*: out of memory: they keep their addresses",
                  backend_name(follower), follower->conf->name);
    } else {
        fill_slots(follower, keep, items, count, slots, weights, taken);
        note_overfull(follower, without, count);
    }
    free(now);
    free(slots);
    free(weights);
    free(taken);
}

static void take_away(struct follower *follower)
{
    for (size_t i = 0; i < follower->count; i++)
        set_address(follower, &follower->places[i], NULL);
}

static bool has_address(const struct follower *follower)
{
    for (size_t i = 0; i < follower->count; i++)
        if (server_address(follower->places[i].server))
            return true;
    return false;
}

/* min counts where max is less. */
static uint64_t bounded(uint64_t time, uint64_t min, uint64_t max)
{
    uint64_t most = time > max ? max : time;
    return most < min ? min : most;
}

static void ask_after(struct follower *follower, uint64_t milliseconds)
{
    const struct timeval interval = clock_interval(milliseconds);
    if (follower->names->resolver && is_followed(follower))
        event_add(&follower->due, &interval);
}

static void note_answered(struct follower *follower)
{
    if (follower->told_failure)
        happened(HAPPENED_NAME_RESOLVED, LOG_LEVEL_NOTICE, HAPPENING_FIELDS(WHICH(follower)),
                 "server %s/%s: '%s' is resolved again", backend_name(follower),
                 follower->conf->name, follower->conf->text);
    follower->told_failure = follower->given_up = false;
    follower->failures = 0;
}

/* The name has no address, or no answer: what it had is kept for a while. */
static void note_failure(struct follower *follower, const char *why)
{
    const struct resolver_conf *conf = &follower->names->config->resolver;
    uint64_t now = clock_ms(), until = follower->answered_at + conf->hold;
    bool has = has_address(follower);
    follower->failures++;
    if (!has && !follower->told_failure)
        happened(HAPPENED_NAME_FAILED, LOG_LEVEL_WARNING,
                 HAPPENING_FIELDS(WHICH(follower), happening_word("cause", why)),
                 "server %s/%s: '%s': %s: it has no address until the name has one",
                 backend_name(follower), follower->conf->name, follower->conf->text, why);
    else if (has && now < until && !follower->told_failure) {
        char left[DURATION_TEXT_MAX];
        happened(HAPPENED_NAME_FAILED, LOG_LEVEL_WARNING,
                 HAPPENING_FIELDS(WHICH(follower), happening_word("cause", why)),
                 "server %s/%s: '%s': %s: the last addresses are kept for %s",
                 backend_name(follower), follower->conf->name, follower->conf->text, why,
                 duration_text((until - now + 999) / 1000 * 1000, left));
    }
    follower->told_failure = true;
    if (!has || now < until || follower->given_up)
        return;
    follower->given_up = true;
    happened(HAPPENED_NAME_FAILED, LOG_LEVEL_ERROR,
             HAPPENING_FIELDS(WHICH(follower), happening_word("cause", why)),
             "server %s/%s: '%s': %s, and resolve-hold is over: its addresses are given up",
             backend_name(follower), follower->conf->name, follower->conf->text, why);
    take_away(follower);
}

/* When a name without an answer is asked for again: also when its addresses are to be given up. */
static void plan_retry(struct follower *follower, uint64_t ttl_ms)
{
    const struct resolver_conf *conf = &follower->names->config->resolver;
    unsigned doublings = follower->failures < 6 ? follower->failures - 1 : 5;
    uint64_t retry = (uint64_t)RETRY_MIN_MS << doublings, now = clock_ms();
    uint64_t until = follower->answered_at + conf->hold;
    if (ttl_ms > retry)
        retry = ttl_ms;
    if (retry > RETRY_MAX_MS)
        retry = RETRY_MAX_MS;
    retry = bounded(retry, conf->min, conf->max);
    if (has_address(follower) && until > now && until - now < retry)
        retry = until - now;
    ask_after(follower, retry);
}

/* Which addresses stay that the answer does not have. A part is not better for ever than none: what
 * is missing is given up as well. */
static unsigned kept(const struct follower *follower, const struct answer *answer)
{
    const struct resolver_conf *conf = &follower->names->config->resolver;
    if (clock_ms() >= follower->whole_at + conf->hold)
        return 0;
    return (answer->ipv4_unknown ? SLOTS_KEEP_IPV4 : 0) |
           (answer->ipv6_unknown ? SLOTS_KEEP_IPV6 : 0);
}

static void take_answer(struct follower *follower, const struct answer *answer)
{
    const struct resolver_conf *conf = &follower->names->config->resolver;
    uint64_t ttl_ms = (uint64_t)answer->ttl * 1000;
    size_t count = leave_out_refused(follower, answer->items, answer->count);
    if (count == 0) {
        note_failure(follower, answer->count ? "its only address is this proxy itself"
                                             : answer_text(answer->status));
        plan_retry(follower, answer_is_negative(answer->status) ? ttl_ms : 0);
        return;
    }
    unsigned keep = kept(follower, answer);
    follower->answered_at = clock_ms();
    if (!keep)
        follower->whole_at = follower->answered_at;
    note_answered(follower);
    if (follower->conf->what == RESOLVE_ALL)
        use_all(follower, keep, answer->items, count);
    else
        use_one(follower, keep, answer->items, count);
    ask_after(follower, bounded(ttl_ms, conf->min, conf->max));
}

static void on_answer(const struct answer *answer, void *arg)
{
    struct follower *follower = arg;
    follower->question = NULL;
    prefer_sort(answer->items, answer->count);
    take_answer(follower, answer);
}

static void on_due(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct follower *follower = arg;
    const struct server_conf *conf = follower->conf;
    follower->question =
        resolver_ask(follower->names->resolver, conf->host,
                     conf->service ? QUESTION_SERVICE : QUESTION_ADDRESSES,
                     follower->backend->conf->resolve_family, conf->port, on_answer, follower);
    if (follower->question)
        return;
    const struct answer none = {.status = ANSWER_NO_MEMORY};
    take_answer(follower, &none);
}

/* --- start --------------------------------------------------------------------------------- */

unsigned names_descriptors(const struct config *config)
{
    for (size_t i = 0; i < config->backend_count; i++)
        for (size_t j = 0; j < config->backends[i].server_count; j++)
            if (config->backends[i].servers[j].host)
                return resolver_descriptors(&config->resolver);
    return 0;
}

static bool open_follower(struct names *names, struct follower *follower,
                          struct first_answer *first)
{
    size_t index = (size_t)(first->backend - names->config->backends);
    *follower = (struct follower){.names = names,
                                  .conf = first->server,
                                  .backend = &names->backends[index],
                                  .backend_index = index,
                                  .first = first};
    follower->overfull.quiet_ms = follower->refused.quiet_ms = 3 * names->config->resolver.max;
    evtimer_assign(&follower->due, names->base, on_due, follower);
    follower->places = calloc(most(follower), sizeof *follower->places);
    if (!follower->places)
        return false;
    if (follower->conf->what == RESOLVE_ONE)
        follower->places[follower->count++].server =
            backend_find(follower->backend, follower->conf->name);
    return true;
}

struct names *names_new(const struct config *config, struct backend *backends,
                        struct event_base *base, struct first_answers *answers)
{
    struct names *names = calloc(1, sizeof *names);
    if (!names)
        return NULL;
    names->config = config;
    names->backends = backends;
    names->base = base;
    names->answers = *answers;
    *answers = (struct first_answers){0};
    names->loops = loops_new(config);
    names->followers = calloc(names->answers.count + 1, sizeof *names->followers);
    bool good = names->followers != NULL;
    for (size_t i = 0; good && i < names->answers.count; i++) {
        good = open_follower(names, &names->followers[i], &names->answers.list[i]);
        names->count++;
    }
    if (!good) {
        names_free(names);
        return NULL;
    }
    return names;
}

/* Returns the number of the slot of this server, from 0 on, or SLOT_NONE: it is none of conf's. */
static size_t slot_number(const struct server_conf *conf, const char *server)
{
    size_t length = strlen(conf->name);
    if (conf->what == RESOLVE_ONE)
        return strcmp(conf->name, server) == 0 ? 0 : SLOT_NONE;
    if (strncmp(conf->name, server, length) != 0 || server[length] != '-')
        return SLOT_NONE;
    const char *digits = server + length + 1;
    size_t count = strspn(digits, "0123456789");
    unsigned long number = count > 0 && count < 6 ? strtoul(digits, NULL, 10) : 0;
    if (digits[count] || digits[0] == '0' || number == 0 || number > conf->max)
        return SLOT_NONE;
    return number - 1;
}

const struct server_conf *names_conf(const struct backend_conf *backend, const char *server)
{
    for (size_t i = 0; i < backend->server_count; i++)
        if (backend->servers[i].host && slot_number(&backend->servers[i], server) != SLOT_NONE)
            return &backend->servers[i];
    return NULL;
}

static struct follower *find_follower(const struct names *names, const char *backend,
                                      const char *server)
{
    for (size_t i = 0; i < names->count; i++) {
        struct follower *follower = &names->followers[i];
        if (strcmp(backend_name(follower), backend) == 0 &&
            slot_number(follower->conf, server) != SLOT_NONE)
            return follower;
    }
    return NULL;
}

int names_inherit(struct names *names, struct checks *checks, const char *backend, const char *name,
                  const struct address *address, uint64_t answered_at)
{
    struct follower *follower = find_follower(names, backend, name);
    if (!follower)
        return 0;
    size_t slot = slot_number(follower->conf, name);
    names->checks = checks;
    int error = follower->conf->what == RESOLVE_ALL ? make_slots(follower, slot + 1) : 0;
    if (error || !address || is_refused(follower, address))
        return error;
    if (answered_at > follower->answered_at)
        follower->answered_at = follower->whole_at = answered_at;
    return server_begin_address(follower->places[slot].server, address);
}

/* Returns true if it makes the start fail. */
static bool begin(struct follower *follower)
{
    if (follower->first->asked)
        take_answer(follower, &follower->first->answer);
    return !has_address(follower) && follower->backend->conf->unresolved == UNRESOLVED_FAIL;
}

size_t names_begin(struct names *names, struct checks *checks,
                   void (*report)(const char *line, void *arg), void *arg)
{
    size_t failures = 0;
    names->checks = checks;
    for (size_t i = 0; i < names->count; i++) {
        struct follower *follower = &names->followers[i];
        const struct answer *answer = &follower->first->answer;
        char line[1024];
        if (!begin(follower))
            continue;
        snprintf(line, sizeof line, "%s: server '%s': '%s': %s", follower->conf->where,
                 follower->conf->name, follower->conf->text,
                 answer->status == ANSWER_OK ? "it is this proxy itself"
                                             : answer_text(answer->status));
        report(line, arg);
        failures++;
    }
    names->begun = true;
    return failures;
}

int names_follow(struct names *names)
{
    int error = 0;
    for (size_t i = 0; !error && i < names->count && !names->resolver; i++)
        if (is_followed(&names->followers[i]))
            error = resolver_new(names->base, &names->config->resolver, &names->resolver);
    if (error)
        return error;
    for (size_t i = 0; i < names->count; i++) {
        struct follower *follower = &names->followers[i];
        const struct answer *answer = &follower->first->answer;
        if (follower->failures)
            plan_retry(follower, 0);
        else if (follower->first->asked)
            ask_after(follower, bounded((uint64_t)answer->ttl * 1000, names->config->resolver.min,
                                        names->config->resolver.max));
        else
            ask_after(follower, 0);
    }
    first_free(&names->answers);
    return 0;
}

void names_free(struct names *names)
{
    if (!names)
        return;
    resolver_free(names->resolver);
    for (size_t i = 0; i < names->count; i++) {
        event_del(&names->followers[i].due);
        free(names->followers[i].places);
    }
    free(names->followers);
    loops_free(names->loops);
    first_free(&names->answers);
    free(names);
}
