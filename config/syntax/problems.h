/* What is wrong with a configuration: collected from all its files, told in the files' order. */
#ifndef RPPROXY_CONFIG_SYNTAX_PROBLEMS_H
#define RPPROXY_CONFIG_SYNTAX_PROBLEMS_H

#include <stdbool.h>
#include <stddef.h>

/* A file that was read. */
struct source {
    char *path;     /* as messages name it */
    unsigned index; /* in the order in which the files were opened */
};

/* Where something stands. line 0: the file as a whole. */
struct place {
    const struct source *source;
    unsigned line;
};

/* Reading stops at so many: a file of ten megabytes of anything else gets an answer that can be
 * read. */
#define PROBLEMS_MAX 1000

struct problem {
    struct place place;
    size_t sequence;
    char *text;
};

struct problems {
    struct problem *items;
    size_t count;
    size_t capacity;
};

/* Control bytes in the text become '?'. Beyond PROBLEMS_MAX nothing is kept. */
void problem_add(struct problems *problems, struct place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static inline bool problems_full(const struct problems *problems)
{
    return problems->count >= PROBLEMS_MAX;
}

static inline bool problems_any(const struct problems *problems)
{
    return problems->count > 0;
}

/* What is wrong with a file and those it includes: texts "FILE:LINE: message" in the order of their
 * lines, an included file's after its includer's; "FILE: message" for what has no line. At most a
 * thousand; one more says so then. */
struct config_errors {
    char **lines;
    size_t count;
};

void config_errors_free(struct config_errors *errors);

/* Moves all of them, in order, into errors as "FILE:LINE: message", with a last line that says so
 * when there are too many; problems is empty then. */
void problems_move(struct problems *problems, struct config_errors *errors);

/* "line 12", or "FILE:12" when that is another file than from's. */
#define PLACE_TEXT_MAX 512
const char *place_text(struct place place, struct place from, char text[static PLACE_TEXT_MAX]);

#endif
