/* A configuration's files as text: sections, and in them the keys and their values, each with the
 * place where it stands. What can be said of a line alone (syntax, unknown key or section, a key
 * given twice, an undefined variable) is said while reading; what the values mean comes after. */
#ifndef RPPROXY_CONFIG_DOCUMENT_H
#define RPPROXY_CONFIG_DOCUMENT_H

#include "config/options/options.h"
#include "config/syntax/problems.h"

#include <stdbool.h>
#include <stddef.h>

struct entry {
    const struct option *option;
    char *value; /* expanded, never empty */
    struct place place;
};

struct entry_list {
    struct entry *items;
    size_t count;
    size_t capacity;
};

/* There is at most one [defaults], and one [global] a file; of the others all that were written. */
struct section {
    enum section_kind kind;
    char *name; /* "" for [global] and [defaults] */
    struct place place;
    struct entry_list settings; /* options that may stand once: at most one of each */
    struct entry_list members;  /* bind and server */
    bool unread;                /* a line was not understood: what seems missing may stand there */
};

struct document {
    struct source **sources; /* the first is the main file */
    size_t source_count;
    size_t source_capacity;
    struct section **sections; /* in the order of reading; included files where they are included */
    size_t section_count;
    size_t section_capacity;
    struct section *defaults; /* NULL: none */
    bool unread;              /* as a section's, of whole sections */
};

/* Reads file and all that it includes. Mistakes go to problems; what was understood stands in
 * *document all the same. */
void document_read(struct document *document, const char *file, struct problems *problems);

/* The same for a text in memory; name stands for it in messages. */
void document_read_text(struct document *document, const char *name, const char *text,
                        size_t length, struct problems *problems);

void document_free(struct document *document);

/* "[frontend web]", for messages. Returns text. */
const char *section_text(const struct section *section, char text[static PLACE_TEXT_MAX]);

/* The section's own setting of option, or NULL. */
const struct entry *section_setting(const struct section *section, const struct option *option);

#endif
