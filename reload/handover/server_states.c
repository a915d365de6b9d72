#include "reload/handover/server_states.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Told of a backend at most. */
#define SERVERS_TOLD 4

/* What its line says, in one form, whatever blanks it has: an option that a later version knows
 * must not stand here while it has its default. */
static void write_line(const struct server_conf *conf, char line[static MESSAGE_LINE_MAX])
{
    snprintf(line, MESSAGE_LINE_MAX, "%s weight=%u", conf->text, conf->weight);
}

void inheritance_record(const struct server *server, struct message_server *record)
{
    const struct server_state *now = &server->now;
    *record = (struct message_server){.state = {.admin = now->admin,
                                                .check = now->check,
                                                .streak = now->streak,
                                                .last_error = now->last_error,
                                                .weight = now->weight,
                                                .usable = server_share(server) > 0,
                                                .check_due = now->check_due,
                                                .changed_at = now->changed_at}};
    snprintf(record->backend, sizeof record->backend, "%s", server->backend->conf->name);
    snprintf(record->name, sizeof record->name, "%s", server->conf->name);
    write_line(server->conf, record->line);
}

void inheritance_read(const void *payload, size_t length, struct message_server *record)
{
    *record = (struct message_server){0};
    memcpy(record, payload, length < sizeof *record ? length : sizeof *record);
    record->backend[sizeof record->backend - 1] = '\0';
    record->name[sizeof record->name - 1] = '\0';
    record->line[sizeof record->line - 1] = '\0';
}

static unsigned char *put(unsigned char *at, const void *what, size_t size)
{
    memcpy(at, what, size);
    return at + size;
}

size_t inheritance_pack(const struct message_server *record, unsigned char *at, size_t room)
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

/* Of a text that is longer than ours, its begin. Returns its size with the NUL; 0 without one. */
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

size_t inheritance_unpack(const unsigned char *at, size_t left, struct message_server *record)
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

static unsigned weight_of(const struct message_server_state *state)
{
    return state->weight > SERVER_WEIGHT_MAX ? SERVER_WEIGHT_MAX : state->weight;
}

static struct server_state state_of(const struct message_server_state *state)
{
    return (struct server_state){.admin = admin_of(state),
                                 .check = state->check == CHECK_UP ? CHECK_UP : CHECK_DOWN,
                                 .streak = state->streak,
                                 .last_error = state->last_error,
                                 .check_due = state->check_due,
                                 .weight = weight_of(state),
                                 .changed_at = state->changed_at};
}

static bool is_same(const struct server *server, const char *line)
{
    char own[MESSAGE_LINE_MAX];
    write_line(server->conf, own);
    return strcmp(own, line) == 0;
}

static struct server *find_server(const struct proxy *proxy, const struct message_server *record)
{
    const struct backend *backend = proxy_backend(proxy, record->backend);
    struct server *server = backend ? backend_find(backend, record->name) : NULL;
    return server && is_same(server, record->line) ? server : NULL;
}

bool inheritance_add(struct inheritance *inheritance, const struct message_server *record)
{
    if (inheritance->count == inheritance->capacity) {
        size_t capacity = inheritance->capacity ? 2 * inheritance->capacity : 16;
        struct inherited *list = realloc(inheritance->list, capacity * sizeof *list);
        if (!list)
            return false;
        inheritance->list = list;
        inheritance->capacity = capacity;
    }
    const size_t backend = strlen(record->backend) + 1, name = strlen(record->name) + 1,
                 line = strlen(record->line) + 1;
    char *texts = malloc(backend + name + line);
    if (!texts)
        return false;
    inheritance->list[inheritance->count++] =
        (struct inherited){.backend = memcpy(texts, record->backend, backend),
                           .name = memcpy(texts + backend, record->name, name),
                           .line = memcpy(texts + backend + name, record->line, line),
                           .state = record->state};
    return true;
}

static int by_names(const void *left, const void *right)
{
    const struct inherited *a = left;
    const struct inherited *b = right;
    int order = strcmp(a->backend, b->backend);
    return order ? order : strcmp(a->name, b->name);
}

static struct inherited *find_inherited(const struct inheritance *inheritance, const char *backend,
                                        const char *name)
{
    if (inheritance->count == 0)
        return NULL;
    const struct inherited key = {.backend = (char *)(uintptr_t)backend, .name = name};
    return bsearch(&key, inheritance->list, inheritance->count, sizeof key, by_names);
}

static void adopt(struct server *server, const struct message_server_state *told)
{
    const struct server_state state = state_of(told);
    server_adopt(server, &state);
}

void inheritance_apply(struct inheritance *inheritance, struct proxy *proxy)
{
    if (inheritance->count > 0)
        qsort(inheritance->list, inheritance->count, sizeof *inheritance->list, by_names);
    for (size_t i = 0; i < proxy->config->backend_count; i++) {
        struct backend *backend = &proxy->backends[i];
        for (size_t j = 0; j < backend->conf->server_count; j++) {
            struct server *server = &backend->servers[j];
            const struct inherited *found =
                find_inherited(inheritance, backend->conf->name, server->conf->name);
            if (found && is_same(server, found->line))
                adopt(server, &found->state);
        }
    }
}

void inheritance_update(struct inheritance *inheritance, const struct message_server *record,
                        struct proxy *proxy)
{
    struct inherited *known = find_inherited(inheritance, record->backend, record->name);
    if (known)
        known->state = record->state;
    struct server *server = find_server(proxy, record);
    if (server)
        adopt(server, &record->state);
}

void inheritance_obey(const struct message_server *record, struct proxy *proxy)
{
    struct server *server = find_server(proxy, record);
    if (!server)
        return;
    server_set_weight(server, weight_of(&record->state));
    server_set_admin(server, admin_of(&record->state));
}

void inheritance_hear(const void *payload, size_t length, struct proxy *proxy)
{
    struct message_server record;
    inheritance_read(payload, length, &record);
    inheritance_obey(&record, proxy);
}

/* --- what would be lost -------------------------------------------------------------------- */

static size_t had_usable(const struct inheritance *inheritance, const char *backend)
{
    size_t count = 0;
    for (size_t i = 0; i < inheritance->count; i++)
        if (inheritance->list[i].state.usable && strcmp(inheritance->list[i].backend, backend) == 0)
            count++;
    return count;
}

static void say_why(const struct server *server, char *text, size_t size)
{
    const struct server_state *now = &server->now;
    if (now->admin != ADMIN_READY)
        snprintf(text, size, "%s: in %s", server->conf->name, server_admin_name(now->admin));
    else if (now->check == CHECK_DOWN)
        snprintf(text, size, "%s: down, %s", server->conf->name, strerror(now->last_error));
    else
        snprintf(text, size, "%s: weight 0", server->conf->name);
}

static void say_loss(const struct backend *backend, size_t had, char *line, size_t size)
{
    char servers[1024] = "";
    size_t length = 0;
    size_t count = backend->conf->server_count;
    for (size_t i = 0; i < count && i < SERVERS_TOLD; i++) {
        char why[300];
        say_why(&backend->servers[i], why, sizeof why);
        int written =
            snprintf(servers + length, sizeof servers - length, "%s%s", i ? "; " : "", why);
        length += (size_t)written < sizeof servers - length ? (size_t)written : 0;
    }
    snprintf(line, size, "backend %s would have no usable server, and has %zu now (%s%s)",
             backend->conf->name, had, servers, count > SERVERS_TOLD ? "; ..." : "");
}

size_t inheritance_losses(const struct inheritance *inheritance, const struct proxy *proxy,
                          void (*tell)(const char *line, void *arg), void *arg)
{
    size_t losses = 0;
    for (size_t i = 0; i < proxy->config->backend_count; i++) {
        const struct backend *backend = &proxy->backends[i];
        size_t had = backend->usable > 0 ? 0 : had_usable(inheritance, backend->conf->name);
        if (had == 0)
            continue;
        char line[1400];
        say_loss(backend, had, line, sizeof line);
        tell(line, arg);
        losses++;
    }
    return losses;
}

void inheritance_free(struct inheritance *inheritance)
{
    for (size_t i = 0; i < inheritance->count; i++)
        free(inheritance->list[i].backend);
    free(inheritance->list);
    *inheritance = (struct inheritance){0};
}
