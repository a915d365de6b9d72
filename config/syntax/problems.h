/* The mistakes of a configuration: collected from all its files, reported in the order of the
 * files. An error makes the configuration invalid; a warning is about a line that is valid
 * and hardly meant so. */
#ifndef RPPROXY_CONFIG_SYNTAX_PROBLEMS_H
#define RPPROXY_CONFIG_SYNTAX_PROBLEMS_H

#include "config/syntax/named_files.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* A file that was read. */
struct source {
    char *path;                /* as written in messages */
    unsigned index;            /* in the order in which the files were opened */
    struct named_files *named; /* gets the files that this one names; NULL: not wanted */
};

/* A line of a file. line 0: the file as a whole. */
struct place {
    const struct source *source;
    unsigned line;
};

/* Reading stops after this number of errors, so that a large file that is no configuration does
 * not cause millions of them. There are no more warnings either. */
#define PROBLEMS_MAX 1000

enum severity { SEVERITY_ERROR, SEVERITY_WARNING, SEVERITIES };

struct problem {
    enum severity severity;
    struct place place;
    size_t sequence;
    char *text;
};

struct problems {
    struct problem *items;
    size_t count;
    size_t capacity;
    size_t counts[SEVERITIES];
};

/* Adds an error. Control bytes in the text become '?'. After PROBLEMS_MAX errors, further ones are
 * dropped. */
void problem_add(struct problems *problems, struct place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds a warning, in the same way. */
void problem_warn(struct problems *problems, struct place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static inline bool problems_full(const struct problems *problems)
{
    return problems->counts[SEVERITY_ERROR] >= PROBLEMS_MAX;
}

/* Whether there is an error. */
static inline bool problems_any(const struct problems *problems)
{
    return problems->counts[SEVERITY_ERROR] > 0;
}

/* The mistakes of a file and of its included files: texts "FILE:LINE: message" in the order of
 * their lines, those of an included file after those of the including file, and "FILE: message"
 * where there is no line. At most a thousand; a further text then says that there are more.
 * Either all are errors, or all are warnings, "FILE:LINE: warning: message". */
struct config_errors {
    char **lines;
    size_t count;
    struct named_files named; /* files that were, or were to be, read (config_load() only) */
};

/* Writes each text, a line each. */
void config_errors_print(const struct config_errors *errors, FILE *out);

void config_errors_free(struct config_errors *errors);

/* Moves the errors, in order, into errors as "FILE:LINE: message"; a last line says so if there
 * were too many. If there is no error, moves the warnings: with an error, they could be what
 * follows from it. problems is empty afterwards. */
void problems_move(struct problems *problems, struct config_errors *errors);

/* Forgets all problems. */
void problems_free(struct problems *problems);

/* "line 12", or "FILE:12" if that is another file than the file of from. */
#define PLACE_TEXT_MAX 512
const char *place_text(struct place place, struct place from, char text[static PLACE_TEXT_MAX]);

#endif
