#include "config/document.h"

#include "config/base/memory.h"
#include "config/base/regular_file.h"
#include "config/options/foreign_names.h"
#include "config/options/remedy.h"
#include "config/syntax/expand.h"
#include "config/syntax/suggest.h"
#include "config/syntax/value.h"

#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <ini.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_BYTES_MAX    (64 << 20)
#define INCLUDE_DEPTH_MAX 8
#define SOURCES_MAX       1000

/* The chain of includes that led to a file, up to the main file; used to find an include loop. */
struct chain {
    const struct chain *outer;
    dev_t device;
    ino_t inode;
    unsigned depth;
};

/* State while one file is read. */
struct reading {
    struct document *document;
    struct problems *problems;
    struct chain chain;
    struct place place; /* of the current line */
    const char *next;   /* the rest of the text */
    const char *end;
    struct section *section; /* NULL before the first section, and in a refused one */
    struct section *global;  /* the [global] of this file, or NULL */
    bool refused;            /* keys of an unknown section are not checked */
};

static void read_file(struct document *document, struct problems *problems, const char *path,
                      const struct chain *outer, struct place from);

/* --- sections ------------------------------------------------------------------------------ */

static bool has_name(enum section_kind kind)
{
    return kind != SECTION_GLOBAL && kind != SECTION_DEFAULTS;
}

/* Finds the kind with the name `word`. A misspelt name is reported, and the most similar kind is
 * used, so that the keys of the section are checked too and references to the section are no
 * further mistakes. */
static bool find_kind(struct reading *reading, const char *word, enum section_kind *kind)
{
    char hint[SUGGEST_TEXT_MAX];
    struct suggestion suggestion = suggest_begin(word);
    for (unsigned i = 0; i < SECTION_KINDS; i++)
        suggest_offer(&suggestion, section_kind_name(i));
    if (!suggestion.best || suggestion.distance > 0)
        problem_add(reading->problems, reading->place, "unknown section '%s'%s", word,
                    suggestion.best ? suggest_text(&suggestion, hint)
                                    : "; sections are [global], [defaults], [frontend NAME], "
                                      "[backend NAME] and [listen NAME]");
    if (!suggestion.best)
        return false;
    for (unsigned i = 0; i < SECTION_KINDS; i++)
        if (strcmp(section_kind_name(i), suggestion.best) == 0)
            *kind = i;
    return true;
}

static void check_section_name(struct reading *reading, enum section_kind kind, const char *name)
{
    const char *word = section_kind_name(kind);
    if (!has_name(kind) && *name)
        problem_add(reading->problems, reading->place, "[%s] takes no name", word);
    else if (has_name(kind) && !*name)
        problem_add(reading->problems, reading->place, "[%s] needs a name: [%s NAME]", word, word);
    else if (*name && !is_name(name))
        problem_add(reading->problems, reading->place, "name '%s' may contain " NAME_RULE, name);
    else if (strlen(name) > NAME_BYTES_MAX)
        problem_add(reading->problems, reading->place,
                    "name '%.40s...' is too long: %zu bytes, at most %d are possible", name,
                    strlen(name), NAME_BYTES_MAX);
}

static struct section *add_section(struct reading *reading, enum section_kind kind,
                                   const char *name)
{
    struct document *document = reading->document;
    struct section *section = memory_new(1, sizeof *section);
    section->kind = kind;
    section->name = memory_copy(name);
    section->place = reading->place;
    document->sections = memory_grow(document->sections, document->section_count,
                                     &document->section_capacity, sizeof(struct section *));
    document->sections[document->section_count++] = section;
    return section;
}

/* [global] and [defaults] exist once each: settings of a second one are added to the first. */
static struct section *find_section(struct reading *reading, enum section_kind kind,
                                    const char *name)
{
    char first[PLACE_TEXT_MAX];
    struct document *document = reading->document;
    if (kind != SECTION_GLOBAL && kind != SECTION_DEFAULTS)
        return add_section(reading, kind, name);
    struct section **only = kind == SECTION_GLOBAL ? &reading->global : &document->defaults;
    if (*only)
        problem_add(reading->problems, reading->place, "section [%s] is given twice; first in %s",
                    section_kind_name(kind), place_text((*only)->place, reading->place, first));
    else
        *only = add_section(reading, kind, name);
    return *only;
}

/* line is "[KIND NAME]", trimmed and without its comment; this function splits it in place. A
 * head with a mistake still begins a section, so that its keys are checked and references to it
 * work. */
static void begin_section(struct reading *reading, char *line)
{
    static const char blanks[] = " \t\v\f\r";
    char *close = strchr(line, ']');
    enum section_kind kind;
    if (!close)
        problem_add(reading->problems, reading->place, "']' is missing");
    else if (close[1])
        problem_add(reading->problems, reading->place,
                    "nothing but a comment may follow the section's ']'");
    if (close)
        *close = '\0';

    char *word = line + 1 + strspn(line + 1, blanks);
    char *rest = word + strcspn(word, blanks);
    char *name = rest + strspn(rest, blanks);
    *rest = '\0';
    for (size_t length = strlen(name); length > 0 && strchr(blanks, name[length - 1]);)
        name[--length] = '\0';
    reading->section = NULL;
    reading->refused = true;
    if (!find_kind(reading, word, &kind)) {
        reading->document->unread |= *name != '\0';
        return;
    }
    check_section_name(reading, kind, name);
    reading->section = find_section(reading, kind, has_name(kind) ? name : "");
}

/* --- keys ---------------------------------------------------------------------------------- */

const struct entry *section_setting(const struct section *section, const struct option *option)
{
    for (size_t i = 0; i < section->settings.count; i++)
        if (section->settings.items[i].option == option)
            return &section->settings.items[i];
    return NULL;
}

const char *section_text(const struct section *section, char text[static PLACE_TEXT_MAX])
{
    snprintf(text, PLACE_TEXT_MAX, "[%s%s%s]", section_kind_name(section->kind),
             *section->name ? " " : "", section->name);
    return text;
}

/* Reports a key that may not stand here. Returns the option that was probably meant, or NULL. */
static const struct option *unknown_key(struct reading *reading, const char *key, const char *value)
{
    char where[PLACE_TEXT_MAX];
    char hint[SUGGEST_TEXT_MAX];
    char others[128] = "";
    struct suggestion suggestion = suggest_begin(key);
    size_t length = 0;
    unsigned elsewhere = 0;
    for (size_t i = 0; i < option_count(); i++) {
        const struct option *option = option_at(i);
        if (option->sections & IN(reading->section->kind))
            suggest_offer(&suggestion, option->name);
        if (strcmp(option->name, key) == 0)
            elsewhere |= option->sections;
    }
    section_text(reading->section, where);
    const char *ours = elsewhere ? NULL : foreign_words(key, value);
    if (!ours && !elsewhere && !suggestion.best)
        ours = foreign_first_word(key);
    if (ours) {
        problem_add(reading->problems, reading->place, "unknown key '%s' in %s: it is %s", key,
                    where, ours);
        return NULL;
    }
    if (!elsewhere) {
        problem_add(reading->problems, reading->place, "unknown key '%s' in %s%s", key, where,
                    suggest_text(&suggestion, hint));
        return suggestion.best ? option_find(reading->section->kind, suggestion.best) : NULL;
    }
    for (unsigned kind = 0; kind < SECTION_KINDS; kind++)
        if (elsewhere & IN(kind))
            length += (size_t)snprintf(others + length, sizeof others - length, "%s[%s]",
                                       length ? ", " : "", section_kind_name(kind));
    problem_add(reading->problems, reading->place,
                "key '%s' is not allowed in %s; it belongs in %s", key, where, others);
    return NULL;
}

#define WILDCARDS "*?["

/* Whether pattern contains a wildcard of glob(3). */
static bool has_wildcard(const char *pattern)
{
    while (*pattern && !strchr(WILDCARDS, *pattern))
        pattern += *pattern == '\\' && pattern[1] ? 2 : 1;
    return *pattern != '\0';
}

/* value: the text of the line. pattern: the same, with a backslash before each special character
 * that came from a variable. */
static void include(struct reading *reading, const char *value, const char *pattern)
{
    const char *path = reading->place.source->path;
    const char *slash = strrchr(path, '/');
    int length = slash && value[0] != '/' ? (int)(slash + 1 - path) : 0;
    char *folder = named_file_quoted(path, (size_t)length);
    char *literal = memory_print("%.*s%s", length, path, value);
    char *full = memory_print("%s%s", folder, pattern);
    if (reading->place.source->named)
        named_files_add(reading->place.source->named, full);
    glob_t found = {0};
    int failure = glob(full, GLOB_ERR, NULL, &found);
    if (failure && failure != GLOB_NOMATCH) {
        problem_add(reading->problems, reading->place, "include: '%s' cannot be searched: %s",
                    literal, failure == GLOB_NOSPACE ? "out of memory" : strerror(errno));
        reading->document->unread = true;
    }
    for (size_t i = 0; !failure && i < found.gl_pathc; i++)
        read_file(reading->document, reading->problems, found.gl_pathv[i], &reading->chain,
                  reading->place);
    /* A pattern that matches no file is not a mistake: the directory may be empty. */
    if (failure == GLOB_NOMATCH && (!has_wildcard(pattern) || access(literal, F_OK) == 0)) {
        if (reading->place.source->named)
            named_files_add_path(reading->place.source->named, literal);
        read_file(reading->document, reading->problems, literal, &reading->chain, reading->place);
    }
    globfree(&found);
    free(full);
    free(literal);
    free(folder);
}

/* Adds a value to the section. Takes ownership of value. */
static void add_entry(struct reading *reading, const struct option *option, char *value)
{
    char first[PLACE_TEXT_MAX];
    struct section *section = reading->section;
    const struct entry *earlier = option->repeated ? NULL : section_setting(section, option);
    if (earlier) {
        problem_add(reading->problems, reading->place, "key '%s' is given twice; first in %s",
                    option->name, place_text(earlier->place, reading->place, first));
        free(value);
        return;
    }
    struct entry_list *list = option->repeated ? &section->members : &section->settings;
    list->items = memory_grow(list->items, list->count, &list->capacity, sizeof *list->items);
    list->items[list->count++] = (struct entry){option, value, reading->place};
}

/* The handler of inih, which has found the key and the value in the line. The section name of
 * inih is not used: inih cuts it after 49 bytes. */
static int on_pair(void *user, const char *section, const char *key, const char *text)
{
    struct reading *reading = user;
    const char *wrong;
    (void)section;
    if (!*key) {
        problem_add(reading->problems, reading->place, "a key is missing before '='");
        return 1;
    }
    if (!reading->section) {
        if (!reading->refused)
            problem_add(reading->problems, reading->place,
                        "key '%s' stands before the first section head, such as [global]", key);
        reading->document->misplaced |= option_find(SECTION_GLOBAL, key) != NULL;
        return 1;
    }
    const struct option *option = option_find(reading->section->kind, key);
    if (!option)
        option = unknown_key(reading, key, text);
    if (!option) {
        reading->document->misplaced |= option_find(SECTION_GLOBAL, key) != NULL;
        return 1;
    }
    char *value = expand_variables(text, NULL, &wrong);
    if (value && !*value) {
        free(value);
        value = NULL;
        wrong = "value is missing";
    }
    if (value && option->type == OPTION_INCLUDE) {
        char *pattern = expand_variables(text, WILDCARDS "]\\", &wrong);
        if (pattern)
            include(reading, value, pattern);
        free(pattern);
        free(value);
    } else if (value) {
        add_entry(reading, option, value);
    } else {
        problem_add(reading->problems, reading->place, "%s: %s", key, wrong);
        reading->section->unread = true;
    }
    return 1;
}

/* --- lines --------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r';
}

/* Returns where the comment of the line begins: at its start, or after white space. */
static size_t without_comment(const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((line[i] == ';' || line[i] == '#') && (i == 0 || is_blank(line[i - 1])))
            return i;
    return length;
}

/* Reports a line that cannot be read. What seems missing later may have stood there. */
static bool refuse_line(struct reading *reading, char begins)
{
    if (begins == '[') {
        reading->section = NULL;
        reading->refused = true;
        reading->document->unread = true;
    } else if (reading->section) {
        reading->section->unread = true;
    }
    return false;
}

/* "frontend web", "global": a head without its brackets. */
static bool is_bare_head(const char *word, const char *rest)
{
    for (unsigned i = 0; i < SECTION_KINDS; i++)
        if (strcmp(section_kind_name(i), word) == 0)
            return has_name(i) ? is_name(rest) && !isdigit((unsigned char)*rest) : !*rest;
    return false;
}

static bool is_any_option(const char *word)
{
    for (unsigned i = 0; i < SECTION_KINDS; i++)
        if (option_find(i, word))
            return true;
    return false;
}

/* Cuts what ends a line of nginx. Returns whether it was one: "stream {", "}", "listen 80;". */
static bool cut_nginx_end(char *text)
{
    size_t length = strlen(text), before = length;
    while (length > 0 && strchr(";{} \t", text[length - 1]))
        text[--length] = '\0';
    return length < before;
}

/* Reports a line without '='. It may be written as in another product's file: "option httpchk", or
 * the sign may have been forgotten. */
static void refuse_form(struct reading *reading, const char *line, size_t length)
{
    char *text = memory_copy_n(line, length);
    bool is_nginx = cut_nginx_end(text);
    size_t first = strcspn(text, " \t:");
    char *rest = text + first + strspn(text + first, " \t:");
    char *word = memory_copy_n(text, first);
    const char *ours = foreign_words(word, rest);
    if (is_bare_head(word, rest))
        problem_add(reading->problems, reading->place,
                    "the head of a section needs brackets: write [%.100s]", text);
    else if (ours)
        problem_add(reading->problems, reading->place,
                    "expected 'KEY = VALUE', '[SECTION]' or a comment; this is %s", ours);
    else if (is_any_option(word) && *rest)
        problem_add(reading->problems, reading->place, "'=' is missing: write '%s = %.100s'", word,
                    rest);
    else if (is_any_option(word))
        problem_add(reading->problems, reading->place, "'=' is missing: write '%s = VALUE'", word);
    else
        problem_add(
            reading->problems, reading->place, "expected 'KEY = VALUE', '[SECTION]' or a comment%s",
            is_nginx ? "; blocks of nginx are sections here: [listen NAME], [backend NAME]" : "");
    free(word);
    free(text);
}

/* Handles lines that are not KEY = VALUE. Returns whether the line is one. */
static bool is_pair(struct reading *reading, const char *line, size_t length)
{
    if (memchr(line, '\0', length)) {
        problem_add(reading->problems, reading->place, "line contains a NUL byte");
        return refuse_line(reading, line[0]);
    }
    if (length > LINE_BYTES_MAX) {
        problem_add(reading->problems, reading->place,
                    "line is too long: %zu bytes without its comment, at most %d are possible",
                    length, LINE_BYTES_MAX);
        return refuse_line(reading, line[0]);
    }
    if (line[0] == '[') {
        char *copy = memory_copy_n(line, length);
        begin_section(reading, copy);
        free(copy);
        return false;
    }
    /* inih accepts ':' in place of '=': "bind 127.0.0.1:80" would become the key "bind
     * 127.0.0.1". */
    size_t separator = 0;
    while (separator < length && line[separator] != '=' && line[separator] != ':')
        separator++;
    if (separator == length || line[separator] == ':') {
        refuse_form(reading, line, length);
        return refuse_line(reading, line[0]);
    }
    return true;
}

/* A line that is longer than what inih reads: inih would take its second half as a new line. */
static void split_pair(struct reading *reading, const char *line, size_t length)
{
    char *key = memory_copy_n(line, length);
    char *separator = strchr(key, '=');
    char *value = separator + 1;
    while (separator > key && is_blank(separator[-1]))
        separator--;
    *separator = '\0';
    while (is_blank(*value))
        value++;
    on_pair(reading, "", key, value);
    free(key);
}

/* The reader of inih: returns one line at a time, trimmed and without its comment. It is trimmed
 * because inih reads an indented line as a continuation of the previous value. */
static char *next_line(char *buffer, int size, void *stream)
{
    struct reading *reading = stream;
    while (reading->next < reading->end && !problems_full(reading->problems)) {
        const char *line = reading->next;
        const char *newline = memchr(line, '\n', (size_t)(reading->end - line));
        const char *line_end = newline ? newline : reading->end;
        reading->next = newline ? newline + 1 : reading->end;
        reading->place.line++;
        while (line < line_end && is_blank(*line))
            line++;
        size_t length = without_comment(line, (size_t)(line_end - line));
        while (length > 0 && is_blank(line[length - 1]))
            length--;
        if (length == 0 || !is_pair(reading, line, length))
            continue;
        if (length >= (size_t)size) {
            split_pair(reading, line, length);
            continue;
        }
        memcpy(buffer, line, length);
        buffer[length] = '\0';
        return buffer;
    }
    return NULL;
}

static void parse_text(struct reading *reading, const char *text, size_t length)
{
    static const char bom[] = "\xef\xbb\xbf";
    reading->next = text;
    reading->end = text + length;
    if (length >= 3 && memcmp(text, bom, 3) == 0)
        reading->next += 3;
    if (ini_parse_stream(next_line, reading, on_pair, reading) != 0) {
        reading->place.line = 0;
        problem_add(reading->problems, reading->place, "cannot be parsed to its end");
    }
}

/* --- files --------------------------------------------------------------------------------- */

static const char *check_chain(const struct document *document, const struct chain *outer,
                               const struct stat *status)
{
    if (document->source_count >= SOURCES_MAX)
        return "more than 1000 files";
    if (outer && outer->depth + 1 > INCLUDE_DEPTH_MAX)
        return "too many nested includes; at most 8 are possible";
    for (const struct chain *link = outer; link; link = link->outer)
        if (link->device == status->st_dev && link->inode == status->st_ino)
            return "the file would include itself";
    return NULL;
}

static struct source *add_source(struct document *document, const char *path)
{
    struct source *source = memory_new(1, sizeof *source);
    source->path = memory_copy(path);
    source->index = (unsigned)document->source_count;
    source->named = document->name_files ? &document->named : NULL;
    document->sources = memory_grow(document->sources, document->source_count,
                                    &document->source_capacity, sizeof(struct source *));
    document->sources[document->source_count++] = source;
    return source;
}

/* from: the line that includes path, if outer is not NULL. */
static void read_file(struct document *document, struct problems *problems, const char *path,
                      const struct chain *outer, struct place from)
{
    struct stat status;
    char *text = NULL;
    size_t length = 0;
    int fd;
    const char *wrong = regular_file_open(path, &fd, &status);
    if (!wrong)
        wrong = check_chain(document, outer, &status);
    if (!wrong)
        wrong = regular_file_read(fd, FILE_BYTES_MAX, &text, &length);
    if (fd >= 0)
        close(fd);
    if (wrong && outer) {
        char advice[REMEDY_TEXT_MAX];
        const char *odd = strpbrk(path, "\"'$");
        problem_add(problems, from, "include: %s: %s%s", path, wrong,
                    remedy_of_text(odd ? odd : path, advice));
    } else {
        struct reading reading = {
            .document = document,
            .problems = problems,
            .place = {.source = add_source(document, path)},
        };
        if (wrong) {
            problem_add(problems, reading.place, "%s", wrong);
        } else {
            reading.chain =
                (struct chain){outer, status.st_dev, status.st_ino, outer ? outer->depth + 1 : 0};
            parse_text(&reading, text, length);
        }
    }
    document->unread |= wrong != NULL;
    free(text);
}

void document_read(struct document *document, const char *file, struct problems *problems)
{
    *document = (struct document){.name_files = true};
    named_files_add_path(&document->named, file);
    read_file(document, problems, file, NULL, (struct place){0});
}

void document_read_text(struct document *document, const char *name, const char *text,
                        size_t length, struct problems *problems)
{
    *document = (struct document){0};
    struct reading reading = {
        .document = document,
        .problems = problems,
        .place = {.source = add_source(document, name)},
    };
    parse_text(&reading, text, length);
}

static void free_entries(struct entry_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i].value);
    free(list->items);
}

void document_free(struct document *document)
{
    for (size_t i = 0; i < document->section_count; i++) {
        struct section *section = document->sections[i];
        free_entries(&section->settings);
        free_entries(&section->members);
        free(section->name);
        free(section);
    }
    for (size_t i = 0; i < document->source_count; i++) {
        free(document->sources[i]->path);
        free(document->sources[i]);
    }
    free(document->sections);
    free(document->sources);
    named_files_free(&document->named);
}
