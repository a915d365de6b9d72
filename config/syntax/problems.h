/* The mistakes of a configuration: collected from all its files, reported in the order of the
 * files. */
#ifndef RPPROXY_CONFIG_SYNTAX_PROBLEMS_H
#define RPPROXY_CONFIG_SYNTAX_PROBLEMS_H

#include <stdbool.h>
#include <stddef.h>

/* A file that was read. */
struct source {
    char *path;     /* as written in messages */
    unsigned index; /* in the order in which the files were opened */
};

/* A line of a file. line 0: the file as a whole. */
struct place {
    const struct source *source;
    unsigned line;
};

/* Reading stops after this number of mistakes, so that a large file that is no configuration does
 * not cause millions of errors. */
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

/* Control bytes in the text become '?'. After PROBLEMS_MAX problems, further ones are dropped. */
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

/* The mistakes of a file and of its included files: texts "FILE:LINE: message" in the order of
 * their lines, those of an included file after those of the including file, and "FILE: message"
 * where there is no line. At most a thousand; a further text then says that there are more. */
struct config_errors {
    char **lines;
    size_t count;
};

void config_errors_free(struct config_errors *errors);

/* Moves all problems, in order, into errors as "FILE:LINE: message"; a last line says so if
 * there were too many. problems is empty afterwards. */
void problems_move(struct problems *problems, struct config_errors *errors);

/* Forgets all problems. */
void problems_free(struct problems *problems);

/* "line 12", or "FILE:12" if that is another file than the file of from. */
#define PLACE_TEXT_MAX 512
const char *place_text(struct place place, struct place from, char text[static PLACE_TEXT_MAX]);

#endif
