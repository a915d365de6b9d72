#include "config/import/haproxy/lines.h"

#include "config/import/haproxy/condition.h"
#include "config/syntax/bytes.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Nested .if blocks. */
#define BLOCKS_MAX 64

void hap_line_add(struct import *import, struct hap_lines *lines, struct hap_line line)
{
    lines->items = arena_grow(&import->arena, lines->items, lines->count, &lines->capacity,
                              sizeof *lines->items);
    lines->items[lines->count++] = line;
}

/* --- words --------------------------------------------------------------------------------- */

struct splitting {
    struct import *import;
    const struct hap_environment *environment;
    struct origin origin;
    const char *next;
    char *word; /* that is being read; of room bytes */
    size_t length, room;
    bool any; /* the word exists, also if it is empty */
    struct hap_line *line;
    size_t capacity;
};

static void put(struct splitting *splitting, char byte)
{
    splitting->word = arena_grow(&splitting->import->arena, splitting->word, splitting->length,
                                 &splitting->room, 1);
    splitting->word[splitting->length++] = byte;
    splitting->any = true;
}

static void end_word(struct splitting *splitting)
{
    struct hap_line *line = splitting->line;
    if (!splitting->any)
        return;
    struct arena *arena = &splitting->import->arena;
    line->words =
        arena_grow(arena, line->words, line->count + 1, &splitting->capacity, sizeof *line->words);
    line->words[line->count++] =
        arena_copy_n(arena, splitting->length ? splitting->word : "", splitting->length);
    line->words[line->count] = NULL;
    splitting->length = 0;
    splitting->any = false;
}

/* Behind a '\'. What is no escape stays as it is. */
static void put_escape(struct splitting *splitting)
{
    static const char plain[] = " \\#\"'$\t";
    char byte = *splitting->next;
    int pair = byte == 'x' ? bytes_hex_pair(splitting->next + 1) : -1;
    if (pair > 0) {
        put(splitting, (char)pair);
        splitting->next += 3;
        return;
    }
    if (!byte) {
        put(splitting, '\\');
        return;
    }
    splitting->next++;
    if (strchr(plain, byte)) {
        put(splitting, byte);
    } else if (byte == 'r' || byte == 'n' || byte == 't') {
        put(splitting, (char)(byte == 'r' ? '\r' : byte == 'n' ? '\n' : '\t'));
    } else {
        put(splitting, '\\');
        put(splitting, byte);
    }
}

/* Behind a '$' within double quotes: NAME, {NAME}, {NAME-DEFAULT} or {NAME[*]}. */
static void put_variable(struct splitting *splitting)
{
    bool braced = *splitting->next == '{';
    const char *from = splitting->next + braced;
    size_t length = 0;
    while (isalnum((unsigned char)from[length]) || from[length] == '_' || from[length] == '.')
        length++;
    if (length == 0 || (!braced && isdigit((unsigned char)from[0]))) {
        put(splitting, '$');
        return;
    }
    char *name = arena_copy_n(&splitting->import->arena, from, length);
    const char *value = hap_variable(splitting->environment, name);
    const char *end = from + length;
    if (braced && strncmp(end, "[*]", 3) == 0)
        end += 3;
    if (braced && *end == '-') {
        size_t rest = strcspn(end + 1, "}");
        if (!value)
            value = arena_copy_n(&splitting->import->arena, end + 1, rest);
        end += 1 + rest;
    }
    if (!value)
        imported_differently(splitting->import, splitting->origin,
                             "the variable %s is not set here: it is empty", name);
    for (; value && *value; value++)
        put(splitting, *value);
    splitting->any = true;
    splitting->next = end + (braced && *end == '}');
}

/* Splits the line. Returns what is wrong with it, or NULL. */
static const char *split(struct splitting *splitting)
{
    char quote = 0;
    while (*splitting->next) {
        char byte = *splitting->next++;
        if (quote == '\'') {
            if (byte == '\'')
                quote = 0;
            else
                put(splitting, byte);
        } else if (byte == '\\') {
            put_escape(splitting);
        } else if (byte == '$' && quote) {
            put_variable(splitting);
        } else if (byte == '"' || (byte == '\'' && !quote)) {
            quote = quote ? 0 : byte;
            splitting->any = true;
        } else if (!quote && byte == '#') {
            break;
        } else if (!quote && (isspace((unsigned char)byte))) {
            end_word(splitting);
        } else {
            put(splitting, byte);
        }
    }
    end_word(splitting);
    return quote ? "a quote is not closed" : NULL;
}

/* --- conditional blocks -------------------------------------------------------------------- */

/* Of each block: whether its lines count, and whether one of its branches has. */
struct blocks {
    bool takes[BLOCKS_MAX], taken[BLOCKS_MAX];
    unsigned depth;
    unsigned ignored; /* blocks within blocks that are too deep */
};

static bool counts(const struct blocks *blocks, unsigned depth)
{
    for (unsigned i = 0; i < depth; i++)
        if (!blocks->takes[i])
            return false;
    return blocks->ignored == 0;
}

static const char *condition_text(struct import *import, const struct hap_line *line)
{
    const char *text = "";
    for (size_t i = 1; i < line->count; i++)
        text = arena_print(&import->arena, "%s%s%s", text, i > 1 ? " " : "", line->words[i]);
    return text;
}

/* A line that begins with '.'. */
static void follow(struct import *import, const struct hap_environment *environment,
                   const struct hap_line *line, struct blocks *blocks)
{
    const char *verb = line->words[0];
    if (strcmp(verb, ".if") == 0) {
        if (blocks->depth == BLOCKS_MAX || blocks->ignored > 0) {
            blocks->ignored++;
            return;
        }
        bool holds = counts(blocks, blocks->depth) &&
                     hap_condition(import, environment, line->origin, condition_text(import, line));
        blocks->takes[blocks->depth] = blocks->taken[blocks->depth] = holds;
        blocks->depth++;
    } else if (strcmp(verb, ".endif") == 0) {
        if (blocks->ignored > 0)
            blocks->ignored--;
        else if (blocks->depth > 0)
            blocks->depth--;
    } else if ((strcmp(verb, ".elif") == 0 || strcmp(verb, ".else") == 0) && blocks->depth > 0 &&
               blocks->ignored == 0) {
        unsigned at = blocks->depth - 1;
        bool holds =
            !blocks->taken[at] && counts(blocks, at) &&
            (verb[2] == 'l' && verb[3] == 's'
                 ? true
                 : hap_condition(import, environment, line->origin, condition_text(import, line)));
        blocks->takes[at] = holds;
        blocks->taken[at] |= holds;
    }
}

static void read_line(struct import *import, struct hap_environment *environment,
                      struct origin origin, const char *text, struct blocks *blocks,
                      struct hap_lines *lines)
{
    struct hap_line line = {.origin = origin};
    struct splitting splitting = {.import = import,
                                  .environment = environment,
                                  .origin = origin,
                                  .next = text,
                                  .line = &line};
    const char *first = text + strspn(text, " \t");
    bool taken = counts(blocks, blocks->depth);
    if (!taken && *first != '.')
        return;
    const char *wrong = split(&splitting);
    if (line.count == 0)
        return;
    if (wrong)
        not_imported(import, origin, "%s", wrong);
    if (line.words[0][0] == '.') {
        follow(import, environment, &line, blocks);
        return;
    }
    hap_environment_note(import, environment, line.words, line.count);
    hap_line_add(import, lines, line);
}

void hap_lines_read(struct import *import, struct hap_environment *environment, const char *name,
                    const char *text, size_t length, struct hap_lines *lines)
{
    struct origin origin = {.file = name};
    struct blocks blocks = {.depth = 0};
    for (const char *end = text + length; text < end;) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t bytes = (size_t)((stop ? stop : end) - text);
        origin.line++;
        if (memchr(text, '\0', bytes))
            not_imported(import, origin, "a line with a zero byte");
        else
            read_line(import, environment, origin, arena_copy_n(&import->arena, text, bytes),
                      &blocks, lines);
        text += bytes + (stop != NULL);
    }
    if (blocks.depth > 0)
        not_imported(import, origin, ".endif is missing");
}
