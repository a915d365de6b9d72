/* The files of a configuration as text: sections with keys and values, each with its place.
 * Mistakes that a line shows by itself (syntax, an unknown key or section, a key given twice, an
 * undefined variable) are reported while the file is read. The meaning of the values is checked
 * later. */
#ifndef RPPROXY_CONFIG_DOCUMENT_H
#define RPPROXY_CONFIG_DOCUMENT_H

#include "config/options/options.h"
#include "config/syntax/problems.h"

#include <stdbool.h>
#include <stddef.h>

/* Of a line without its comment. */
#define LINE_BYTES_MAX 4096

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

/* There is at most one [defaults], and one [global] in each file; all other sections are kept. */
struct section {
    enum section_kind kind;
    char *name; /* "" for [global] and [defaults] */
    struct place place;
    struct entry_list settings; /* options that may be given once: at most one of each */
    struct entry_list members;  /* repeated options, in the order of the file */
    bool unread;                /* a line was not understood; a missing key may stand there */
};

struct document {
    struct source **sources; /* the first is the main file */
    size_t source_count;
    size_t source_capacity;
    bool name_files;           /* `named` is filled */
    struct named_files named;  /* main file, included files, and those that options name */
    struct section **sections; /* in the order of reading; included files where they are included */
    size_t section_count;
    size_t section_capacity;
    struct section *defaults; /* NULL: none */
    bool misplaced;           /* a key of [global] stands in another section, or in none */
    bool unread; /* the head of a section was not understood; a missing section may be that one */
};

/* Reads file and all included files. Mistakes are added to problems; *document still contains
 * everything that was understood. */
void document_read(struct document *document, const char *file, struct problems *problems);

/* The same for a text in memory. Messages use name as the name of its file. */
void document_read_text(struct document *document, const char *name, const char *text,
                        size_t length, struct problems *problems);

void document_free(struct document *document);

/* "[frontend web]", for messages. Returns text. */
const char *section_text(const struct section *section, char text[static PLACE_TEXT_MAX]);

/* Returns the setting of option in this section, or NULL. */
const struct entry *section_setting(const struct section *section, const struct option *option);

#endif
