#include "config/import/nginx/tree.h"

#include <ctype.h>
#include <glob.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX    32u
#define INCLUDES_MAX 8u
#define FILES_MAX    1000u

struct parsing {
    struct import *import;
    const char *folder;
    struct origin origin; /* of the byte at next */
    const char *next, *end;
    unsigned includes; /* files that lead to this one */
    unsigned *files;   /* read so far */
    bool quiet;        /* within http or mail: nothing is kept, nothing is included */
};

static void parse_block(struct parsing *parsing, struct ngx_list *list, unsigned depth);

/* --- words --------------------------------------------------------------------------------- */

static void step(struct parsing *parsing)
{
    parsing->origin.line += *parsing->next == '\n';
    parsing->next++;
}

static void skip_blanks(struct parsing *parsing)
{
    while (parsing->next < parsing->end) {
        if (*parsing->next == '#')
            while (parsing->next < parsing->end && *parsing->next != '\n')
                parsing->next++;
        else if (isspace((unsigned char)*parsing->next) || *parsing->next == '\0')
            step(parsing);
        else
            return;
    }
}

/* Behind a '\'. Outside of quotes it stays before what is no escape, as in an expression. */
static void put_escape(struct parsing *parsing, char *word, size_t *length)
{
    char byte = parsing->next < parsing->end ? *parsing->next : '\0';
    if (byte == '"' || byte == '\'' || byte == '\\') {
        word[(*length)++] = byte;
    } else if (byte == 't' || byte == 'r' || byte == 'n') {
        word[(*length)++] = (char)(byte == 't' ? '\t' : byte == 'r' ? '\r' : '\n');
    } else {
        word[(*length)++] = '\\';
        if (byte)
            word[(*length)++] = byte;
    }
    if (parsing->next < parsing->end)
        step(parsing);
}

/* Reads a word. NULL: there is none, because of ';', a brace or the end. */
static char *read_word(struct parsing *parsing)
{
    skip_blanks(parsing);
    if (parsing->next == parsing->end || strchr(";{}", *parsing->next))
        return NULL;
    char quote = *parsing->next == '"' || *parsing->next == '\'' ? *parsing->next : '\0';
    size_t room = 0, length = 0;
    if (quote)
        step(parsing);
    const char *from = parsing->next;
    /* A word is not longer than what is left up to its end; measure first. */
    while (from + room < parsing->end &&
           (quote ? from[room] != quote
                  : !isspace((unsigned char)from[room]) && from[room] != ';' &&
                        (from[room] != '{' || (room > 0 && from[room - 1] == '$'))))
        room += from[room] == '\\' && from + room + 1 < parsing->end ? 2 : 1;
    if (from + room > parsing->end)
        room = (size_t)(parsing->end - from);
    char *word = arena_new(&parsing->import->arena, room + 2, 1);
    while (parsing->next < from + room) {
        char byte = *parsing->next;
        step(parsing);
        if (byte == '\\')
            put_escape(parsing, word, &length);
        else if (byte)
            word[length++] = byte;
    }
    if (quote && parsing->next < parsing->end)
        step(parsing);
    else if (quote)
        not_imported(parsing->import, parsing->origin, "a quote is not closed");
    return word;
}

/* --- includes ------------------------------------------------------------------------------ */

static void include_file(struct parsing *parsing, const char *path, struct ngx_list *list,
                         struct origin from, unsigned depth)
{
    char *text;
    size_t length;
    struct parsing inner = *parsing;
    if (parsing->includes == INCLUDES_MAX || *parsing->files == FILES_MAX) {
        not_imported(parsing->import, from, "include %s: too many files", path);
        return;
    }
    ++*parsing->files;
    const char *wrong = import_read(parsing->import, path, &text, &length);
    if (wrong) {
        not_imported(parsing->import, from, "include %s: %s", path, wrong);
        return;
    }
    inner.origin = (struct origin){arena_copy(&parsing->import->arena, path), 1};
    inner.next = text;
    inner.end = text + length;
    inner.includes++;
    while (inner.next < inner.end) {
        parse_block(&inner, list, depth);
        if (inner.next < inner.end) {
            not_imported(parsing->import, inner.origin, "a '}' without its '{'");
            step(&inner);
        }
    }
}

static void include(struct parsing *parsing, const struct ngx_directive *directive,
                    struct ngx_list *list, unsigned depth)
{
    struct arena *arena = &parsing->import->arena;
    const char *pattern = ngx_word(directive, 1);
    glob_t found = {0};
    if (!parsing->folder || !*pattern) {
        not_imported(parsing->import, directive->origin, "include %s: is not read", pattern);
        return;
    }
    const char *path =
        *pattern == '/' ? pattern : arena_print(arena, "%s/%s", parsing->folder, pattern);
    if (!strpbrk(path, "*?[")) {
        include_file(parsing, path, list, directive->origin, depth);
        return;
    }
    if (glob(path, 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            include_file(parsing, found.gl_pathv[i], list, directive->origin, depth);
    globfree(&found);
}

/* --- directives ---------------------------------------------------------------------------- */

/* The text of a block of a script, up to its closing brace. */
static void skip_script(struct parsing *parsing)
{
    unsigned depth = 1;
    while (parsing->next < parsing->end && depth > 0) {
        depth += *parsing->next == '{';
        depth -= *parsing->next == '}';
        step(parsing);
    }
}

static void add(struct parsing *parsing, struct ngx_list *list, struct ngx_directive directive)
{
    list->items = arena_grow(&parsing->import->arena, list->items, list->count, &list->capacity,
                             sizeof *list->items);
    list->items[list->count++] = directive;
}

static bool is_script(const char *name)
{
    size_t length = strlen(name);
    return length > 13 && strcmp(name + length - 13, "_by_lua_block") == 0;
}

/* Behind a '{'. */
static void parse_body(struct parsing *parsing, struct ngx_directive *directive, unsigned depth)
{
    bool quiet = parsing->quiet;
    directive->block = arena_new(&parsing->import->arena, 1, sizeof *directive->block);
    if (is_script(directive->words[0])) {
        skip_script(parsing);
        return;
    }
    parsing->quiet |= depth == 0 && (strcmp(directive->words[0], "http") == 0 ||
                                     strcmp(directive->words[0], "mail") == 0);
    parse_block(parsing, directive->block, depth + 1);
    parsing->quiet = quiet;
    if (parsing->next < parsing->end)
        step(parsing);
    else
        not_imported(parsing->import, directive->origin, "%s: its '}' is missing",
                     directive->words[0]);
}

/* Up to a '}', which it leaves there, or the end. */
static void parse_block(struct parsing *parsing, struct ngx_list *list, unsigned depth)
{
    struct arena *arena = &parsing->import->arena;
    for (;;) {
        skip_blanks(parsing);
        struct ngx_directive directive = {.origin = parsing->origin};
        size_t capacity = 0;
        char *word;
        while ((word = read_word(parsing))) {
            directive.words = arena_grow(arena, directive.words, directive.count + 1, &capacity,
                                         sizeof *directive.words);
            directive.words[directive.count++] = word;
            directive.words[directive.count] = NULL;
        }
        char stop = parsing->next < parsing->end ? *parsing->next : '\0';
        if (stop == ';' || stop == '{')
            step(parsing);
        if (directive.count == 0 && stop == '{')
            skip_script(parsing);
        if (directive.count == 0 && (stop == ';' || stop == '{'))
            continue;
        if (directive.count == 0)
            return;
        if (stop == '{' && depth == DEPTH_MAX) {
            not_imported(parsing->import, directive.origin, "%s: blocks are nested too deep",
                         directive.words[0]);
            skip_script(parsing);
        } else if (stop == '{') {
            parse_body(parsing, &directive, depth);
        } else if (stop != ';' && !parsing->quiet) {
            not_imported(parsing->import, directive.origin, "%.60s: its ';' is missing",
                         directive.words[0]);
        }
        if (parsing->quiet)
            continue;
        if (strcmp(directive.words[0], "include") == 0 && !directive.block)
            include(parsing, &directive, list, depth);
        else
            add(parsing, list, directive);
    }
}

void ngx_tree_read(struct import *import, const char *folder, const char *name, const char *text,
                   size_t length, struct ngx_list *list)
{
    unsigned files = 1;
    struct parsing parsing = {.import = import,
                              .folder = folder,
                              .origin = {name, 1},
                              .next = text,
                              .end = text + length,
                              .files = &files};
    while (parsing.next < parsing.end) {
        parse_block(&parsing, list, 0);
        if (parsing.next < parsing.end) {
            not_imported(import, parsing.origin, "a '}' without its '{'");
            step(&parsing);
        }
    }
}

/* --- looking into it ----------------------------------------------------------------------- */

const struct ngx_directive *ngx_find(const struct ngx_list *list, const char *name)
{
    for (size_t i = list->count; i > 0; i--)
        if (strcmp(list->items[i - 1].words[0], name) == 0)
            return &list->items[i - 1];
    return NULL;
}

const char *ngx_parameter(const struct ngx_directive *directive, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 1; i < directive->count; i++)
        if (strncmp(directive->words[i], name, length) == 0 && directive->words[i][length] == '=')
            return directive->words[i] + length + 1;
    return NULL;
}

bool ngx_has(const struct ngx_directive *directive, const char *word)
{
    for (size_t i = 1; i < directive->count; i++)
        if (strcmp(directive->words[i], word) == 0)
            return true;
    return false;
}

bool ngx_time(const char *text, uint64_t *time)
{
    static const struct {
        const char *unit;
        uint64_t factor;
    } units[] = {{"ms", 1},       {"s", 1000},      {"m", 60000},       {"h", 3600000},
                 {"d", 86400000}, {"w", 604800000}, {"M", 2592000000u}, {"y", 31536000000u}};
    uint64_t sum = 0;
    if (!*text)
        return false;
    while (*text) {
        char *end;
        if (!isdigit((unsigned char)*text))
            return false;
        uint64_t number = strtoull(text, &end, 10);
        uint64_t factor = 1000;
        size_t length = strcspn(end, "0123456789 ");
        for (size_t i = 0; i < sizeof units / sizeof *units && length > 0; i++)
            if (strlen(units[i].unit) == length && strncmp(units[i].unit, end, length) == 0) {
                factor = units[i].factor;
                end += length;
                break;
            }
        if (number > 31536000000u || (*end && *end != ' ' && !isdigit((unsigned char)*end)))
            return false;
        sum += number * factor;
        text = end + strspn(end, " ");
    }
    *time = sum > 31536000000u ? 31536000000u : sum;
    return true;
}
