#include "config/import/name_regex.h"

#include <ctype.h>
#include <string.h>

/* Texts that an expression may stand for. */
#define TEXTS_MAX 64

/* In a text: any bytes, and bytes of one label. */
#define WILD  '\1'
#define LABEL '\2'

struct texts {
    const char *items[TEXTS_MAX];
    size_t count;
};

struct parsing {
    struct arena *arena;
    const char *next;
    unsigned depth;
    bool wrong;
};

static void parse_alternatives(struct parsing *parsing, struct texts *result);

static void add(struct parsing *parsing, struct texts *texts, const char *text)
{
    if (texts->count == TEXTS_MAX || strlen(text) > 255)
        parsing->wrong = true;
    else
        texts->items[texts->count++] = text;
}

/* Each text of texts, followed by each of more. */
static void append(struct parsing *parsing, struct texts *texts, const struct texts *more)
{
    struct texts product = {.count = 0};
    for (size_t i = 0; i < texts->count && !parsing->wrong; i++)
        for (size_t j = 0; j < more->count && !parsing->wrong; j++)
            add(parsing, &product,
                arena_print(parsing->arena, "%s%s", texts->items[i], more->items[j]));
    *texts = product;
}

/* "[^.]", "[a-z0-9-]", "." and "\w", of which several are meant. Moves past it. */
static char read_class(struct parsing *parsing)
{
    const char *from = parsing->next;
    if (from[0] == '.') {
        parsing->next++;
        return WILD;
    }
    if (from[0] == '\\' && (from[1] == 'w' || from[1] == 'S' || from[1] == 'd')) {
        parsing->next += 2;
        return from[1] == 'S' ? WILD : LABEL;
    }
    if (from[0] != '[')
        return 0;
    const char *close = strchr(from + 2, ']');
    if (!close)
        return 0;
    parsing->next = close + 1;
    bool has_dot = memchr(from, '.', (size_t)(close - from)) != NULL;
    return has_dot == (from[1] == '^') ? LABEL : WILD;
}

/* One item with its '?', '*' or '+'. */
static void parse_item(struct parsing *parsing, struct texts *item)
{
    const char *from = parsing->next;
    char class = 0;
    *item = (struct texts){.count = 0};
    if (from[0] == '(') {
        parsing->next += strncmp(from, "(?:", 3) == 0 ? 3 : 1;
        if (++parsing->depth > 16 || *parsing->next == '?') {
            parsing->wrong = true;
            return;
        }
        parse_alternatives(parsing, item);
        parsing->depth--;
        parsing->wrong |= *parsing->next != ')';
        parsing->next += *parsing->next == ')';
    } else if ((class = read_class(parsing))) {
        char after = *parsing->next;
        if (after != '*' && after != '+') {
            /* A single byte: a dot that was meant as such. */
            parsing->wrong |= class != WILD || *from != '.' || after == '{' || after == '?';
            add(parsing, item, ".");
            return;
        }
        parsing->next++;
        parsing->next += *parsing->next == '?';
        add(parsing, item, class == WILD ? "\1" : "\2");
        return;
    } else {
        bool escaped = from[0] == '\\';
        char byte = escaped ? from[1] : from[0];
        parsing->wrong |= !byte || (escaped && isalnum((unsigned char)byte)) ||
                          (!escaped && strchr("*+?{}[]^$", byte));
        if (parsing->wrong)
            return;
        parsing->next += escaped ? 2 : 1;
        add(parsing, item, arena_copy_n(parsing->arena, &byte, 1));
    }
    if (*parsing->next == '?') {
        parsing->next++;
        add(parsing, item, "");
    } else if (*parsing->next == '*' || *parsing->next == '+' || *parsing->next == '{') {
        /* "([a-z]+\.)*": any number of labels, or none. */
        bool labels = item->count == 1 &&
                      (strcmp(item->items[0], "\2.") == 0 || strcmp(item->items[0], "\1.") == 0);
        bool none = *parsing->next == '*';
        parsing->wrong |= !labels || *parsing->next == '{';
        parsing->next++;
        item->items[0] = "\1.";
        if (none)
            add(parsing, item, "");
    }
}

static void parse_sequence(struct parsing *parsing, struct texts *result)
{
    struct texts item;
    *result = (struct texts){.items = {""}, .count = 1};
    while (!parsing->wrong && *parsing->next && !strchr("|)$", *parsing->next)) {
        parse_item(parsing, &item);
        append(parsing, result, &item);
    }
}

static void parse_alternatives(struct parsing *parsing, struct texts *result)
{
    struct texts one;
    *result = (struct texts){.count = 0};
    do {
        parse_sequence(parsing, &one);
        for (size_t i = 0; i < one.count; i++)
            add(parsing, result, one.items[i]);
    } while (!parsing->wrong && *parsing->next == '|' && parsing->next++);
}

/* Whether a name may consist of these bytes. */
static bool is_plain(const char *text)
{
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && !strchr("-_.", *text))
            return false;
    return true;
}

/* The form of a route, or NULL. */
static const char *form(struct arena *arena, const char *text, bool at_start, bool *wider)
{
    bool wild = !at_start;
    while (*text == WILD || *text == LABEL) {
        *wider |= *text == LABEL && at_start;
        wild = true;
        text++;
    }
    if (!is_plain(text) || (!*text && !wild))
        return NULL;
    if (*wider && *text != '.')
        return NULL;
    return arena_print(arena, "%s%s", wild ? "*" : "", text);
}

const char *name_regex(struct arena *arena, const char *regex, bool *wider)
{
    struct parsing parsing = {.arena = arena, .next = regex};
    struct texts texts;
    *wider = false;
    if (strncmp(parsing.next, "(?i)", 4) == 0)
        parsing.next += 4;
    bool at_start = *parsing.next == '^';
    parsing.next += at_start;
    parse_alternatives(&parsing, &texts);
    bool at_end = *parsing.next == '$' && !parsing.next[1];
    if (parsing.wrong || texts.count == 0 || (!at_end && *parsing.next))
        return NULL;
    /* "^a$|^b$" binds otherwise than it looks. */
    const char *names = "";
    for (size_t i = 0; i < texts.count; i++) {
        size_t length = strlen(texts.items[i]);
        bool all = length > 0 && texts.items[i][length - 1] == WILD;
        if (!at_end && !(all && length == 1))
            return NULL;
        const char *name = form(arena, texts.items[i], at_start, wider);
        if (!name)
            return NULL;
        names = arena_print(arena, "%s%s%s", names, i > 0 ? "," : "", name);
    }
    return names;
}
