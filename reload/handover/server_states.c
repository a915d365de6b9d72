#include "reload/handover/server_states.h"

#include "config/base/happening.h"
#include "config/base/memory.h"
#include "config/syntax/value.h"
#include "config/write.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Told of a backend at most. */
#define SERVERS_TOLD 4

/* What its line says, in one form, regardless of its blanks: an attribute that a later version
 * knows does not stand here while it has its default. The end of a long line is replaced by its
 * hash. */
static void write_line(const struct server_conf *conf, char line[static MESSAGE_LINE_MAX])
{
    struct memory_stream text;
    memory_stream_begin(&text);
    server_write(conf, text.stream);
    char *whole = memory_stream_end(&text);
    size_t length = strlen(whole);
    if (length < MESSAGE_LINE_MAX)
        memcpy(line, whole, length + 1);
    else
        snprintf(line, MESSAGE_LINE_MAX, "%.*s#%016llx", MESSAGE_LINE_MAX - 18, whole,
                 (unsigned long long)config_text_hash(whole, length));
    free(whole);
}

uint64_t server_states_line_hash(const struct server_conf *conf)
{
    char line[MESSAGE_LINE_MAX];
    write_line(conf, line);
    return config_text_hash(line, strlen(line));
}

static void record_address(const struct server *server, struct message_server_state *state)
{
    const struct address *address = server_address(server);
    state->told_weight = server->now.told_weight;
    state->backup = server->conf->service && server->now.backup;
    state->answered_at = server->now.answered_at;
    if (!address || address_is_unix(address))
        return;
    state->family = address->any.sa_family;
    if (state->family == AF_INET6) {
        state->port = address->in6.sin6_port;
        state->scope = address->in6.sin6_scope_id;
        memcpy(state->ip, &address->in6.sin6_addr, sizeof address->in6.sin6_addr);
    } else {
        state->port = address->in.sin_port;
        memcpy(state->ip, &address->in.sin_addr, sizeof address->in.sin_addr);
    }
}

/* Length 0: it had none, or one that this version does not know. */
static struct address address_of(const struct message_server_state *state)
{
    struct address address = {0};
    if (state->family == AF_INET6) {
        address.length = sizeof address.in6;
        address.in6.sin6_family = AF_INET6;
        address.in6.sin6_port = state->port;
        address.in6.sin6_scope_id = state->scope;
        memcpy(&address.in6.sin6_addr, state->ip, sizeof address.in6.sin6_addr);
    } else if (state->family == AF_INET) {
        address.length = sizeof address.in;
        address.in.sin_family = AF_INET;
        address.in.sin_port = state->port;
        memcpy(&address.in.sin_addr, state->ip, sizeof address.in.sin_addr);
    }
    return address;
}

void server_states_record(const struct server *server, struct message_server *record)
{
    const struct server_state *now = &server->now;
    *record = (struct message_server){.state = {.admin = now->admin,
                                                .check = now->check,
                                                .streak = now->streak,
                                                .last_error = now->last_error,
                                                .weight = now->weight,
                                                .usable = server_share(server) > 0,
                                                .check_due = atomic_load(&server->check_due),
                                                .changed_at = now->changed_at,
                                                .ejected_until = now->ejection.until,
                                                .ejection_ended = now->ejection.ended,
                                                .first_fail = now->ejection.first_fail,
                                                .ejections = now->ejection.repeats,
                                                .fails = now->ejection.fails,
                                                .up_since = now->up_since,
                                                .holds = now->holds,
                                                .agent = now->agent,
                                                .agent_percent = (uint32_t)(now->agent_percent + 1),
                                                .maxconn = now->maxconn}};
    _Static_assert(NAME_BYTES_MAX + sizeof "-1000" <= MESSAGE_NAME_MAX, "no name is cut");
    snprintf(record->backend, sizeof record->backend, "%s", server->backend->conf->name);
    snprintf(record->name, sizeof record->name, "%s", server->name);
    write_line(server->conf, record->line);
    if (server->conf->host)
        record_address(server, &record->state);
    _Static_assert(sizeof record->state.reason == sizeof now->reason, "one text in both");
    memcpy(record->state.reason, now->reason, sizeof now->reason);
}

static void end_reason(struct message_server_state *state)
{
    state->reason[sizeof state->reason - 1] = '\0';
}

void server_states_read(const void *payload, size_t length, struct message_server *record)
{
    *record = (struct message_server){0};
    memcpy(record, payload, length < sizeof *record ? length : sizeof *record);
    record->backend[sizeof record->backend - 1] = '\0';
    record->name[sizeof record->name - 1] = '\0';
    record->line[sizeof record->line - 1] = '\0';
    end_reason(&record->state);
}

static unsigned char *put(unsigned char *at, const void *what, size_t size)
{
    memcpy(at, what, size);
    return at + size;
}

size_t server_states_pack(const struct message_server *record, unsigned char *at, size_t room)
{
    const uint16_t state_size = sizeof record->state;
    const size_t backend = strlen(record->backend) + 1, name = strlen(record->name) + 1,
                 line = strlen(record->line) + 1;
    const size_t size = sizeof state_size + state_size + backend + name + line;
    if (size > room)
        return 0;
    at = put(at, &state_size, sizeof state_size);
    at = put(at, &record->state, state_size);
    at = put(at, record->backend, backend);
    at = put(at, record->name, name);
    put(at, record->line, line);
    return size;
}

/* Of a text that is longer than the one here, its begin. Returns its size with the NUL; 0 without
 * one. */
static size_t take_text(const unsigned char *at, size_t left, char *text, size_t size)
{
    const unsigned char *end = memchr(at, '\0', left);
    if (!end)
        return 0;
    size_t length = (size_t)(end - at);
    size_t taken = length < size ? length : size - 1;
    memcpy(text, at, taken);
    text[taken] = '\0';
    return length + 1;
}

size_t server_states_unpack(const unsigned char *at, size_t left, struct message_server *record)
{
    uint16_t state_size;
    if (left < sizeof state_size)
        return 0;
    memcpy(&state_size, at, sizeof state_size);
    size_t used = sizeof state_size + state_size;
    if (left < used)
        return 0;
    record->state = (struct message_server_state){0};
    memcpy(&record->state, at + sizeof state_size,
           state_size < sizeof record->state ? state_size : sizeof record->state);
    end_reason(&record->state);
    const struct {
        char *text;
        size_t size;
    } texts[] = {{record->backend, sizeof record->backend},
                 {record->name, sizeof record->name},
                 {record->line, sizeof record->line}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t taken = take_text(at + used, left - used, texts[i].text, texts[i].size);
        if (taken == 0)
            return 0;
        used += taken;
    }
    return used;
}

/* What a later version may know besides is the nearest that keeps clients away. */
static enum admin_state admin_of(const struct message_server_state *state)
{
    return state->admin > ADMIN_MAINT ? ADMIN_MAINT : (enum admin_state)state->admin;
}

static enum agent_state agent_of(const struct message_server_state *state)
{
    return state->agent > AGENT_MAINT ? AGENT_MAINT : (enum agent_state)state->agent;
}

static unsigned weight_of(const struct message_server_state *state)
{
    return state->weight > SERVER_WEIGHT_MAX ? SERVER_WEIGHT_MAX : state->weight;
}

static unsigned maxconn_of(const struct message_server_state *state)
{
    return state->maxconn > SESSIONS_MAX + 1 ? 0 : state->maxconn;
}

static struct server_state state_of(const struct message_server_state *message)
{
    struct server_state state = {
        .admin = admin_of(message),
        .check = message->check == CHECK_UP ? CHECK_UP : CHECK_DOWN,
        .streak = message->streak,
        .last_error = message->last_error,
        .weight = weight_of(message),
        .changed_at = message->changed_at,
        .ejection = {.until = message->ejected_until,
                     .ended = message->ejection_ended,
                     .repeats = message->ejections,
                     .fails = message->fails,
                     .first_fail = message->first_fail},
        .up_since = message->up_since,
        .holds = message->holds == 1,
        .answered_at = message->answered_at,
        .maxconn = maxconn_of(message),
        .told_weight = message->told_weight,
        .backup = message->backup == 1,
        .agent = agent_of(message),
        .agent_percent = message->agent_percent <= 10000 ? (int)message->agent_percent - 1 : -1};
    for (size_t i = 0; i + 1 < sizeof state.reason && message->reason[i]; i++)
        state.reason[i] =
            message->reason[i] < ' ' || message->reason[i] > '~' ? '?' : message->reason[i];
    return state;
}

static bool is_same(const struct server *server, const char *line)
{
    char own[MESSAGE_LINE_MAX];
    write_line(server->conf, own);
    return strcmp(own, line) == 0;
}

static struct server *find_server(const struct proxy *proxy, const struct message_server *record)
{
    const struct backend *backend = service_backend(&proxy->service, record->backend);
    struct server *server = backend ? backend_find(backend, record->name) : NULL;
    return server && is_same(server, record->line) ? server : NULL;
}

int server_states_add(struct server_states *server_states, const struct message_server *record)
{
    if (server_states->count == server_states->capacity) {
        size_t capacity = server_states->capacity ? 2 * server_states->capacity : 16;
        struct known_server *list = realloc(server_states->list, capacity * sizeof *list);
        if (!list)
            return ENOMEM;
        server_states->list = list;
        server_states->capacity = capacity;
    }
    const size_t backend = strlen(record->backend) + 1, name = strlen(record->name) + 1,
                 line = strlen(record->line) + 1;
    char *texts = malloc(backend + name + line);
    if (!texts)
        return ENOMEM;
    server_states->list[server_states->count++] =
        (struct known_server){.backend = memcpy(texts, record->backend, backend),
                              .name = memcpy(texts + backend, record->name, name),
                              .line = memcpy(texts + backend + name, record->line, line),
                              .state = record->state};
    return 0;
}

static int by_names(const void *left, const void *right)
{
    const struct known_server *a = left;
    const struct known_server *b = right;
    int order = strcmp(a->backend, b->backend);
    return order ? order : strcmp(a->name, b->name);
}

static struct known_server *find_known_server(const struct server_states *server_states,
                                              const char *backend, const char *name)
{
    if (server_states->count == 0)
        return NULL;
    const struct known_server key = {.backend = (char *)(uintptr_t)backend, .name = name};
    return bsearch(&key, server_states->list, server_states->count, sizeof key, by_names);
}

/* A server with a name has another address here than in the old process: what checks have found
 * there does not count. What its name says now counts in any case. */
static void adapt(const struct server *server, const struct message_server_state *message,
                  struct server_state *state)
{
    const struct address there = address_of(message), *here = server_address(server);
    if (server->now.answered_at) {
        state->answered_at = server->now.answered_at;
        state->told_weight = server->now.told_weight;
        state->backup = server->now.backup;
    }
    if (here && there.length && address_equal(here, &there))
        return;
    state->check = CHECK_UP;
    state->last_error = SERVER_UNCHECKED;
    state->streak = 0;
    state->reason[0] = '\0';
}

static void adopt(struct server *server, const struct message_server_state *message)
{
    struct server_state state = state_of(message);
    if (!server->conf->service)
        state.backup = server->conf->backup;
    if (server->conf->host)
        adapt(server, message, &state);
    server_adopt(server, &state, message->check_due);
}

void server_states_sort(struct server_states *server_states)
{
    if (server_states->count > 0)
        qsort(server_states->list, server_states->count, sizeof *server_states->list, by_names);
}

/* The line begins with the name of conf, and its port: other attributes may differ. */
static bool has_host(const struct server_conf *conf, const char *line)
{
    size_t length = strlen(conf->text);
    return strncmp(line, conf->text, length) == 0 && (!line[length] || line[length] == ' ');
}

bool server_states_has_address(const struct server_states *server_states,
                               const struct backend_conf *backend, const struct server_conf *conf)
{
    size_t count = conf->what == RESOLVE_ALL ? conf->max : 1;
    for (size_t i = 1; i <= count; i++) {
        char name[MESSAGE_NAME_MAX + 24];
        snprintf(name, sizeof name, conf->what == RESOLVE_ALL ? "%s-%zu" : "%s", conf->name, i);
        const struct known_server *known = find_known_server(server_states, backend->name, name);
        if (known && known->state.family && has_host(conf, known->line))
            return true;
    }
    return false;
}

int server_states_inherit(const struct server_states *server_states, const struct proxy *proxy,
                          struct names *names, struct checks *checks)
{
    for (size_t i = 0; i < server_states->count; i++) {
        const struct known_server *known = &server_states->list[i];
        const struct backend *backend = service_backend(&proxy->service, known->backend);
        const struct server_conf *conf = backend ? names_conf(backend->conf, known->name) : NULL;
        const struct address address = address_of(&known->state);
        if (!conf || !has_host(conf, known->line))
            continue;
        int error = names_inherit(names, checks, known->backend, known->name,
                                  address.length ? &address : NULL, known->state.answered_at);
        if (error)
            return error;
    }
    return 0;
}

void server_states_apply(struct server_states *server_states, struct proxy *proxy)
{
    server_states_sort(server_states);
    for (size_t i = 0; i < proxy->service.config->backend_count; i++) {
        struct backend *backend = &proxy->service.backends[i];
        const struct server_set *set = backend_servers(backend);
        for (size_t j = 0; j < set->count; j++) {
            struct server *server = set->list[j];
            const struct known_server *found =
                find_known_server(server_states, backend->conf->name, server->name);
            if (found && is_same(server, found->line))
                adopt(server, &found->state);
            else if (found && found->state.holds == 1 && has_host(server->conf, found->line))
                server_take_over(server);
        }
        backend->weigh(backend, true); /* all of them are known now */
    }
}

void server_states_update(struct server_states *server_states, const struct message_server *record,
                          struct proxy *proxy)
{
    struct known_server *known = find_known_server(server_states, record->backend, record->name);
    if (known)
        known->state = record->state;
    struct server *server = find_server(proxy, record);
    if (server)
        adopt(server, &record->state);
}

void server_states_obey(const struct message_server *record, struct proxy *proxy)
{
    struct server *server = find_server(proxy, record);
    if (!server)
        return;
    happening_elsewhere(true);
    server_set_weight(server, weight_of(&record->state));
    if (maxconn_of(&record->state))
        (void)server_set_maxconn(server, maxconn_of(&record->state) - 1);
    server_set_admin(server, admin_of(&record->state));
    happening_elsewhere(false);
}

void server_states_follow(const void *payload, size_t length, struct proxy *proxy)
{
    struct message_server record;
    server_states_read(payload, length, &record);
    server_states_obey(&record, proxy);
    struct server *server = find_server(proxy, &record);
    if (!server)
        return;
    const struct server_state state = state_of(&record.state);
    server_hear_check(server, &state);
}

void server_states_hear(const void *payload, size_t length, struct proxy *proxy)
{
    struct message_server record;
    server_states_read(payload, length, &record);
    server_states_obey(&record, proxy);
}

/* --- what would be lost -------------------------------------------------------------------- */

static size_t had_usable(const struct server_states *server_states, const char *backend)
{
    size_t count = 0;
    for (size_t i = 0; i < server_states->count; i++)
        if (server_states->list[i].state.usable &&
            strcmp(server_states->list[i].backend, backend) == 0)
            count++;
    return count;
}

static void say_why(const struct server *server, char *text, size_t size)
{
    const struct server_state *now = &server->now;
    if (now->admin != ADMIN_READY)
        snprintf(text, size, "%s: in %s", server->name, server_admin_name(now->admin));
    else if (now->agent >= AGENT_DRAIN)
        snprintf(text, size, "%s: in %s by its agent", server->name, server_agent_name(server));
    else if (now->check == CHECK_DOWN)
        snprintf(text, size, "%s: down, %s", server->name, server_last_check(server));
    else if (!server_address(server) && !server->conf->sni_port)
        snprintf(text, size, "%s: no address", server->name);
    else if (ejection_holds(&now->ejection))
        snprintf(text, size, "%s: ejected", server->name);
    else
        snprintf(text, size, "%s: weight 0", server->name);
}

static void say_loss(const struct backend *backend, size_t had, char *line, size_t size)
{
    char servers[1024] = "";
    size_t length = 0;
    const struct server_set *set = backend_servers(backend);
    for (size_t i = 0; i < set->count && i < SERVERS_TOLD; i++) {
        char why[300];
        say_why(set->list[i], why, sizeof why);
        int written =
            snprintf(servers + length, sizeof servers - length, "%s%s", i ? "; " : "", why);
        length += (size_t)written < sizeof servers - length ? (size_t)written : 0;
    }
    snprintf(line, size, "backend %s would have no usable server, and has %zu now (%s%s)",
             backend->conf->name, had, servers, set->count > SERVERS_TOLD ? "; ..." : "");
}

size_t server_states_losses(const struct server_states *server_states, const struct proxy *proxy,
                            void (*report)(const char *line, void *arg), void *arg)
{
    size_t losses = 0;
    for (size_t i = 0; i < proxy->service.config->backend_count; i++) {
        const struct backend *backend = &proxy->service.backends[i];
        size_t had = backend->usable > 0 ? 0 : had_usable(server_states, backend->conf->name);
        if (had == 0)
            continue;
        char line[1400];
        say_loss(backend, had, line, sizeof line);
        report(line, arg);
        losses++;
    }
    return losses;
}

void server_states_free(struct server_states *server_states)
{
    for (size_t i = 0; i < server_states->count; i++)
        free(server_states->list[i].backend);
    free(server_states->list);
    *server_states = (struct server_states){0};
}
