#include "config/import/nginx/maps.h"

#include "config/base/pattern.h"
#include "config/import/name_regex.h"
#include "config/import/text.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void add(struct import *import, struct ngx_entries *entries, const char *condition,
                const char *value, struct origin origin)
{
    entries->items = arena_grow(&import->arena, entries->items, entries->count, &entries->capacity,
                                sizeof *entries->items);
    entries->items[entries->count++] = (struct ngx_entry){condition, value, origin};
}

/* Lines that are no entries. */
static bool is_setting(const struct ngx_directive *line)
{
    static const char *const settings[] = {"hostnames", "volatile", "ranges", "proxy_recursive"};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (line->count == 1 && strcmp(line->words[0], settings[i]) == 0)
            return true;
    return line->count != 2 || line->block;
}

/* The key without the '\' that keeps it from being a word of nginx. */
static const char *plain_key(const char *key)
{
    return *key == '\\' ? key + 1 : key;
}

/* --- one key ------------------------------------------------------------------------------- */

/* The texts around the marker, taken off. NULL: the key does not have them. */
static const char *strip(struct arena *arena, const char *key, const char *before,
                         const char *after)
{
    size_t length = strlen(key), head = strlen(before), tail = strlen(after);
    if (length < head + tail || strncmp(key, before, head) != 0 ||
        strcmp(key + length - tail, after) != 0)
        return NULL;
    return arena_copy_n(arena, key + head, length - head - tail);
}

static const char *name_condition(struct import *import, const char *key, bool hostnames,
                                  struct origin origin)
{
    struct arena *arena = &import->arena;
    bool wider = false;
    if (*key == '~') {
        const char *names = name_regex(arena, key + 1 + (key[1] == '*'), &wider);
        if (names && wider)
            imported_differently(import, origin,
                                 "'%s' is one label before a name; '%s' is one or several", key,
                                 names);
        return names ? arena_print(arena, "sni:%s ", names) : NULL;
    }
    if (!*key)
        return "!sni:* ";
    if (hostnames && *key == '.' && text_is_host(key + 1))
        return arena_print(arena, "sni:%s,*%s ", key + 1, key);
    if (hostnames && key[0] == '*' && key[1] == '.' && text_is_host(key + 2))
        return arena_print(arena, "sni:%s ", key);
    return text_is_host(key) ? arena_print(arena, "sni:%s ", key) : NULL;
}

/* "~\bh2\b" and "h2". */
static const char *alpn_condition(struct import *import, const char *key, struct origin origin)
{
    struct arena *arena = &import->arena;
    bool regex = *key == '~';
    char *word = arena_copy(arena, key + regex + (regex && key[1] == '*'));
    size_t length = strlen(word);
    if (regex && length > 4 && strncmp(word, "\\b", 2) == 0 &&
        strcmp(word + length - 2, "\\b") == 0) {
        word[length - 2] = '\0';
        word += 2;
    } else if (!regex) {
        imported_differently(import, origin,
                             "'%s' is all that a client offers in nginx, one of several here", key);
    }
    if (!*word || strpbrk(word, ",^$()[]*+?|\\ "))
        return NULL;
    return arena_print(arena, "alpn:%s ", text_escape(arena, word, strlen(word), true));
}

static const char *protocol_condition(struct import *import, const char *key, struct origin origin)
{
    if (!*key)
        return "!tls:yes ";
    if (!strstr(key, "TLS") && !strstr(key, "SSL"))
        return NULL;
    if (*key != '~')
        imported_differently(import, origin, "%s: any version of TLS", key);
    return "tls:yes ";
}

static const char *chosen_condition(struct import *import, const char *key)
{
    if (!*key || strpbrk(key, "~,^$()[]*+?|\\ "))
        return NULL;
    return arena_print(&import->arena, "alpn:%s ",
                       text_escape(&import->arena, key, strlen(key), true));
}

/* "CN=a.example" and "~CN=a\.example(,|$)": of a subject a route sees the common name. */
static const char *subject_condition(struct import *import, const char *key, struct origin origin)
{
    struct arena *arena = &import->arena;
    const bool regex = *key == '~';
    const char *at = key + (regex ? 1 + (key[1] == '*') : 0);
    if (!*key)
        return "!client-cert:yes ";
    at += regex && *at == '^';
    if (strncmp(at, "CN=", 3) != 0)
        return NULL;
    char *name = arena_copy(arena, at + 3);
    static const char *const ends[] = {"(,|$)", "(?:,|$)", "$", ","};
    for (size_t i = 0; regex && i < sizeof ends / sizeof *ends; i++) {
        size_t length = strlen(name), end = strlen(ends[i]);
        if (length > end && strcmp(name + length - end, ends[i]) == 0) {
            name[length - end] = '\0';
            break;
        }
    }
    char *to = name;
    for (const char *from = name; *from; from++)
        if (!(regex && from[0] == '\\' && from[1] == '.'))
            *to++ = *from;
    *to = '\0';
    if (!text_is_host(name))
        return NULL;
    imported_differently(import, origin,
                         "'%s': the common name is compared as a whole, and no other part of the "
                         "subject",
                         key);
    return arena_print(arena, "client-cert:%s ", name);
}

/* A client with a wrong certificate never comes to the routes. */
static const char *verified_condition(const char *key)
{
    return strcmp(key, "SUCCESS") == 0 ? "client-cert:yes "
           : strcmp(key, "NONE") == 0  ? "!client-cert:yes "
                                       : NULL;
}

static const char *condition_of(struct import *import, char marker, const char *key, bool hostnames,
                                struct origin origin)
{
    switch (marker) {
    case NGX_NAME:
        return name_condition(import, key, hostnames, origin);
    case NGX_ALPN:
        return *key ? alpn_condition(import, key, origin) : "!tls:yes ";
    case NGX_PROTOCOL:
        return protocol_condition(import, key, origin);
    case NGX_CHOSEN:
        return chosen_condition(import, key);
    case NGX_SUBJECT:
        return subject_condition(import, key, origin);
    case NGX_VERIFIED:
        return verified_condition(key);
    default:
        return text_is_prefix(key) && !strchr(key, '/')
                   ? arena_print(&import->arena, "src:%s ", key)
                   : NULL;
    }
}

/* --- the block ----------------------------------------------------------------------------- */

/* Exact keys come first, then the longest '*.name', then expressions in their order, then default.
 * Returns the place of a key: a lower one comes before. */
static unsigned rank(const char *key, bool hostnames)
{
    if (strcmp(key, "default") == 0)
        return 100000;
    if (*key == '~')
        return 50000;
    if (hostnames && (*key == '.' || strncmp(key, "*.", 2) == 0))
        return 10000 - (unsigned)strnlen(key, 9000);
    return 0;
}

struct ranked {
    unsigned rank;
    size_t index;
};

static int compare(const void *one, const void *other)
{
    const struct ranked *a = one, *b = other;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

static struct ranked *sort(struct import *import, const struct ngx_directive *map, bool hostnames,
                           size_t *count)
{
    struct ranked *ranked = arena_new(&import->arena, map->block->count, sizeof *ranked);
    *count = 0;
    for (size_t i = 0; i < map->block->count; i++)
        if (!is_setting(&map->block->items[i]))
            ranked[(*count)++] = (struct ranked){rank(map->block->items[i].words[0], hostnames), i};
    if (*count > 0)
        qsort(ranked, *count, sizeof *ranked, compare);
    return ranked;
}

struct ngx_entries ngx_map_entries(struct import *import, const struct ngx_directive *map,
                                   char marker, const char *before, const char *after)
{
    struct ngx_entries entries = {0};
    const struct ngx_directive *setting = ngx_find(map->block, "hostnames");
    bool hostnames = setting && setting->count == 1;
    bool has_default = false;
    size_t count;
    struct ranked *ranked = sort(import, map, hostnames, &count);
    for (size_t i = 0; i < count; i++) {
        const struct ngx_directive *line = &map->block->items[ranked[i].index];
        const char *key = line->words[0];
        if (strcmp(key, "default") == 0) {
            has_default = true;
            add(import, &entries, "", line->words[1], line->origin);
            continue;
        }
        const char *inner = *key == '~' && !*before && !*after
                                ? key
                                : strip(&import->arena, plain_key(key), before, after);
        const char *condition =
            inner ? condition_of(import, marker, inner, hostnames, line->origin) : NULL;
        if (condition)
            add(import, &entries, condition, line->words[1], line->origin);
        else
            not_imported(import, line->origin, "map: no condition of a route says the same as '%s'",
                         key);
    }
    if (!has_default)
        add(import, &entries, "", "", map->origin);
    return entries;
}

static bool finds(const char *regex, const char *text)
{
    struct pattern *pattern;
    size_t end;
    bool insensitive = *regex == '*';
    char expression[512];
    snprintf(expression, sizeof expression, "%s%s", insensitive ? "(?i)" : "", regex + insensitive);
    if (pattern_new(expression, &pattern))
        return false;
    bool found = pattern_find(pattern, text, strlen(text), &end);
    pattern_free(pattern);
    return found;
}

const char *ngx_map_value(struct import *import, const struct ngx_directive *map,
                          const char *source, struct origin *origin)
{
    size_t count;
    struct ranked *ranked = sort(import, map, false, &count);
    *origin = map->origin;
    for (size_t i = 0; i < count; i++) {
        const struct ngx_directive *line = &map->block->items[ranked[i].index];
        const char *key = line->words[0];
        *origin = line->origin;
        if (strcmp(key, "default") == 0 ||
            (*key == '~' ? finds(key + 1, source) : strcasecmp(plain_key(key), source) == 0))
            return line->words[1];
    }
    return "";
}

static int by_length(const void *one, const void *other)
{
    const struct ranked *a = one, *b = other;
    if (a->rank != b->rank)
        return a->rank > b->rank ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

/* The longest prefix counts. */
struct ngx_entries ngx_geo_entries(struct import *import, const struct ngx_directive *geo)
{
    struct ngx_entries entries = {0};
    struct ranked *ranked = arena_new(&import->arena, geo->block->count, sizeof *ranked);
    size_t count = 0;
    const char *other = "";
    struct origin origin = geo->origin;
    for (size_t i = 0; i < geo->block->count; i++) {
        const struct ngx_directive *line = &geo->block->items[i];
        if (is_setting(line) && line->count == 1 && strcmp(line->words[0], "ranges") != 0)
            continue;
        if (line->count == 2 && strcmp(line->words[0], "default") == 0) {
            other = line->words[1];
            origin = line->origin;
            continue;
        }
        if (line->count != 2 || !text_is_prefix(line->words[0])) {
            not_imported(import, line->origin, "geo: '%s' is no prefix", line->words[0]);
            continue;
        }
        const char *slash = strchr(line->words[0], '/');
        unsigned bits = slash ? (unsigned)atoi(slash + 1) : 128;
        ranked[count++] = (struct ranked){bits, i};
    }
    if (count > 0)
        qsort(ranked, count, sizeof *ranked, by_length);
    for (size_t i = 0; i < count; i++) {
        const struct ngx_directive *line = &geo->block->items[ranked[i].index];
        add(import, &entries, arena_print(&import->arena, "src:%s ", line->words[0]),
            line->words[1], line->origin);
    }
    add(import, &entries, "", other, origin);
    return entries;
}
