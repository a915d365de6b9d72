#include "config/import/nginx/variables.h"

#include "config/import/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Maps that lead to maps, and branches that come of it. */
#define DEPTH_MAX    12u
#define BRANCHES_MAX 9990u

/* Variables of nginx that only the client knows. */
enum known_where {
    ANYWHERE,
    IN_PREREAD, /* with ssl_preread */
    IN_TLS,     /* with listen ... ssl */
};

static const struct {
    const char *name;
    char marker;
    enum known_where where;
} known[] = {
    {"ssl_preread_server_name", NGX_NAME, IN_PREREAD},
    {"ssl_preread_alpn_protocols", NGX_ALPN, IN_PREREAD},
    {"ssl_preread_protocol", NGX_PROTOCOL, IN_PREREAD},
    {"ssl_server_name", NGX_NAME, IN_TLS},
    {"ssl_alpn_protocol", NGX_CHOSEN, IN_TLS},
    {"ssl_client_s_dn", NGX_SUBJECT, IN_TLS},
    {"ssl_client_verify", NGX_VERIFIED, IN_TLS},
    {"remote_addr", NGX_SOURCE, ANYWHERE},
    {"binary_remote_addr", NGX_SOURCE, ANYWHERE},
    {"realip_remote_addr", NGX_SOURCE, ANYWHERE},
    {"proxy_protocol_addr", NGX_SOURCE, ANYWHERE},
};

static struct ngx_branches evaluate(const struct ngx_scope *scope, const char *text,
                                    struct origin origin, unsigned depth);

static void add(const struct ngx_scope *scope, struct ngx_branches *branches,
                const char *conditions, const char *value, struct origin origin)
{
    if (branches->count == BRANCHES_MAX && !branches->lost)
        not_imported(scope->import, origin,
                     "a frontend has not so many routes; give it one with sni-map:FILE");
    branches->lost |= branches->count == BRANCHES_MAX;
    if (branches->lost)
        return;
    branches->items = arena_grow(&scope->import->arena, branches->items, branches->count,
                                 &branches->capacity, sizeof *branches->items);
    branches->items[branches->count++] = (struct ngx_branch){conditions, value, origin};
}

/* Each branch of a text, followed by each of the text behind it. */
static struct ngx_branches append(const struct ngx_scope *scope, const struct ngx_branches *first,
                                  const struct ngx_branches *second)
{
    struct arena *arena = &scope->import->arena;
    struct ngx_branches both = {.lost = first->lost || second->lost};
    for (size_t i = 0; i < first->count && !both.lost; i++)
        for (size_t j = 0; j < second->count && !both.lost; j++) {
            const struct ngx_branch *a = &first->items[i], *b = &second->items[j];
            bool second_decides = *b->conditions || !*a->conditions;
            add(scope, &both, arena_print(arena, "%s%s", a->conditions, b->conditions),
                arena_print(arena, "%s%s", a->value, b->value),
                second_decides ? b->origin : a->origin);
        }
    return both;
}

/* The block map, geo or split_clients that sets the variable. */
static const struct ngx_directive *find_block(const struct ngx_scope *scope, const char *name)
{
    for (size_t i = scope->stream->count; i > 0; i--) {
        const struct ngx_directive *directive = &scope->stream->items[i - 1];
        const char *last = directive->words[directive->count - 1];
        if (directive->block && directive->count > 1 && *last == '$' && strcmp(last + 1, name) == 0)
            return directive;
    }
    return NULL;
}

/* "set $NAME VALUE" of the server, or of the stream. */
static const struct ngx_directive *find_set(const struct ngx_list *list, const char *name)
{
    for (size_t i = list ? list->count : 0; i > 0; i--)
        if (strcmp(list->items[i - 1].words[0], "set") == 0 && list->items[i - 1].count == 3 &&
            *list->items[i - 1].words[1] == '$' &&
            strcmp(list->items[i - 1].words[1] + 1, name) == 0)
            return &list->items[i - 1];
    return NULL;
}

/* --- maps ---------------------------------------------------------------------------------- */

/* Adds what a value with its variables becomes, under the conditions. */
static void add_value(const struct ngx_scope *scope, struct ngx_branches *branches,
                      const char *conditions, const char *value, struct origin origin,
                      unsigned depth)
{
    struct ngx_branches prefix = {0};
    add(scope, &prefix, conditions, "", origin);
    struct ngx_branches values = evaluate(scope, value, origin, depth);
    struct ngx_branches all = append(scope, &prefix, &values);
    branches->lost |= all.lost;
    for (size_t i = 0; i < all.count; i++)
        add(scope, branches, all.items[i].conditions, all.items[i].value,
            values.count == 1 ? origin : all.items[i].origin);
}

static void add_entries(const struct ngx_scope *scope, struct ngx_branches *branches,
                        const char *conditions, const struct ngx_entries *entries, unsigned depth)
{
    for (size_t i = 0; i < entries->count; i++)
        add_value(
            scope, branches,
            arena_print(&scope->import->arena, "%s%s", conditions, entries->items[i].condition),
            entries->items[i].value, entries->items[i].origin, depth);
}

static struct ngx_branches evaluate_map(const struct ngx_scope *scope,
                                        const struct ngx_directive *map, unsigned depth)
{
    struct arena *arena = &scope->import->arena;
    struct ngx_branches result = {0};
    struct ngx_branches sources = evaluate(scope, map->words[1], map->origin, depth + 1);
    result.lost = sources.lost;
    for (size_t i = 0; i < sources.count && !result.lost; i++) {
        const char *source = sources.items[i].value;
        size_t at = strcspn(source, NGX_MARKERS);
        struct origin origin;
        if (!source[at]) {
            const char *value = ngx_map_value(scope->import, map, source, &origin);
            add_value(scope, &result, sources.items[i].conditions, value, origin, depth + 1);
        } else if (strpbrk(source + at + 1, NGX_MARKERS)) {
            not_imported(scope->import, map->origin,
                         "map: two things that only the client knows, in one source");
            result.lost = true;
        } else {
            struct ngx_entries entries = ngx_map_entries(
                scope->import, map, source[at], arena_copy_n(arena, source, at), source + at + 1);
            add_entries(scope, &result, sources.items[i].conditions, &entries, depth + 1);
        }
    }
    return result;
}

static struct ngx_branches evaluate_block(const struct ngx_scope *scope,
                                          const struct ngx_directive *block, unsigned depth)
{
    struct ngx_branches result = {0};
    const char *name = block->words[0];
    if (strcmp(name, "map") == 0 && block->count == 3)
        return evaluate_map(scope, block, depth);
    if (strcmp(name, "geo") == 0 &&
        (block->count == 2 || strcmp(block->words[1], "$remote_addr") == 0)) {
        struct ngx_entries entries = ngx_geo_entries(scope->import, block);
        add_entries(scope, &result, "", &entries, depth + 1);
        return result;
    }
    not_imported(scope->import, block->origin,
                 strcmp(name, "split_clients") == 0
                     ? "%s: give the servers of one backend their weights"
                     : "%s: its source",
                 name);
    result.lost = true;
    return result;
}

/* --- the environment ----------------------------------------------------------------------- */

/* Bytes of a name that envsubst would replace; 0: it is none. */
static size_t environment_name(const char *text)
{
    size_t length = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");
    return isdigit((unsigned char)*text) ? 0 : length;
}

const char *ngx_from_environment(struct import *import, const char *text, struct origin origin)
{
    size_t length = strncmp(text, "${", 2) == 0 ? environment_name(text + 2) : 0;
    if (length == 0 || text[2 + length] != '}')
        return text;
    char *name = arena_copy_n(&import->arena, text + 2, length);
    const char *value = getenv(name);
    if (value && !text_is_host(value))
        return arena_print(&import->arena, "%s%s", value, text + 3 + length);
    imported_differently(import, origin, "${%s} is taken for a variable of the environment%s", name,
                         value ? "" : ", which is not set here");
    return arena_print(&import->arena, "${%s:-%s}%s", name, value ? value : "undefined.invalid",
                       text + 3 + length);
}

/* --- variables ----------------------------------------------------------------------------- */

static struct ngx_branches evaluate_variable(const struct ngx_scope *scope, const char *name,
                                             struct origin origin, unsigned depth)
{
    struct arena *arena = &scope->import->arena;
    struct ngx_branches result = {0};
    const struct ngx_directive *set = find_set(scope->server, name);
    const struct ngx_directive *block = find_block(scope, name);
    if (depth > DEPTH_MAX) {
        not_imported(scope->import, origin, "$%s: variables lead in a circle", name);
        result.lost = true;
        return result;
    }
    if (set || (set = find_set(scope->stream, name)))
        return evaluate(scope, set->words[2], set->origin, depth + 1);
    if (block)
        return evaluate_block(scope, block, depth);
    if (strcmp(name, "server_port") == 0) {
        for (size_t i = 0; scope->ports[i]; i++)
            add(scope, &result,
                scope->ports[i + 1] ? arena_print(arena, "dst-port:%s ", scope->ports[i]) : "",
                scope->ports[i], origin);
        return result;
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].name, name) == 0) {
            const char marker[2] = {known[i].marker, '\0'};
            const bool no_read = known[i].where == IN_PREREAD && !scope->reads;
            const bool empty = no_read || (known[i].where == IN_TLS && !scope->ends_tls);
            if (empty)
                imported_differently(scope->import, origin, "$%s is empty without %s", name,
                                     no_read ? "ssl_preread" : "listen ... ssl");
            add(scope, &result, "", empty ? "" : arena_copy(arena, marker), origin);
            return result;
        }
    if (environment_name(name) == strlen(name)) {
        add(scope, &result, "",
            ngx_from_environment(scope->import, arena_print(arena, "${%s}", name), origin), origin);
        return result;
    }
    not_imported(scope->import, origin, "the variable $%s", name);
    result.lost = true;
    return result;
}

static struct ngx_branches evaluate(const struct ngx_scope *scope, const char *text,
                                    struct origin origin, unsigned depth)
{
    struct arena *arena = &scope->import->arena;
    struct ngx_branches result = {0};
    add(scope, &result, "", "", origin);
    while (*text && !result.lost) {
        struct ngx_branches part = {0};
        size_t plain = strcspn(text, "$"), length = 0;
        if (plain > 0) {
            add(scope, &part, "", arena_copy_n(arena, text, plain), origin);
            text += plain;
        } else {
            bool braced = text[1] == '{';
            const char *name = text + 1 + braced;
            while (isalnum((unsigned char)name[length]) || name[length] == '_')
                length++;
            text = name + length + (braced && name[length] == '}');
            if (length == 0)
                add(scope, &part, "", "$", origin);
            else
                part = evaluate_variable(scope, arena_copy_n(arena, name, length), origin, depth);
        }
        result = append(scope, &result, &part);
    }
    return result;
}

struct ngx_branches ngx_evaluate(const struct ngx_scope *scope, const char *text,
                                 struct origin origin)
{
    return evaluate(scope, text, origin, 0);
}
