/* The proxy.ini that an import makes: sections with lines, each with the line of the other product
 * from which it came. */
#ifndef RPPROXY_CONFIG_IMPORT_INI_H
#define RPPROXY_CONFIG_IMPORT_INI_H

#include "config/import/arena.h"
#include "config/options/options.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* A line of the other product's configuration. file lives as long as the import; line 0: the file
 * as a whole, and file NULL: no line says so, it is the product's default. */
struct origin {
    const char *file;
    unsigned line;
};

struct ini_line {
    const char *key; /* NULL: a comment */
    const char *value;
    const char *why; /* NULL, or a remark that stands behind the origin */
    struct origin origin;
    bool off; /* written as a comment */
};

struct ini_section {
    enum section_kind kind;
    const char *name; /* "" for [global] and [defaults] */
    struct origin origin;
    struct ini_line *lines;
    size_t count, capacity;
    bool off;
    unsigned at; /* its line in the text that was written last */
};

struct ini {
    struct arena *arena;
    struct ini_section **sections;
    size_t count, capacity;
};

/* Adds a section. name is copied. */
struct ini_section *ini_section(struct ini *ini, enum section_kind kind, const char *name,
                                struct origin origin);

/* The only [global] or [defaults], which is made if there is none. */
struct ini_section *ini_only(struct ini *ini, enum section_kind kind);

/* Adds "key = value". */
void ini_set(struct ini *ini, struct ini_section *section, struct origin origin, const char *key,
             const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The same with a remark: why the line stands there. */
void ini_set_why(struct ini *ini, struct ini_section *section, struct origin origin,
                 const char *why, const char *key, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

void ini_comment(struct ini *ini, struct ini_section *section, struct origin origin,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

bool ini_has(const struct ini_section *section, const char *key);

/* Moves what all sections that may contain a key say alike, from the same line, to [defaults]. */
void ini_hoist(struct ini *ini);

/* True: there is a section that accepts clients. */
bool ini_serves(const struct ini *ini);

/* Writes the text, with a comment at the top. */
void ini_write(struct ini *ini, const char *title, FILE *out);

/* The line that ini_write() has written as the line-th. Returns the section; *item is the line, or
 * NULL for the head of the section. NULL: no such line. */
struct ini_section *ini_find(const struct ini *ini, unsigned line, struct ini_line **item);

#endif
