/* The table of all options: name, sections, type, range, default and help. The parser, the
 * defaults, the range checks, `--help-options`, and the test of the manual and the sample use
 * it. It contains only options that work. */
#ifndef RPPROXY_CONFIG_OPTIONS_OPTIONS_H
#define RPPROXY_CONFIG_OPTIONS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum section_kind {
    SECTION_GLOBAL,
    SECTION_DEFAULTS,
    SECTION_FRONTEND,
    SECTION_BACKEND,
    SECTION_LISTEN,
    SECTION_KINDS
};

#define IN(kind) (1U << (kind))

enum option_type {
    OPTION_BOOL,       /* yes or no; bool */
    OPTION_UNSIGNED,   /* unsigned */
    OPTION_DURATION,   /* millis */
    OPTION_ENUM,       /* an int-sized enum */
    OPTION_NAME,       /* [A-Za-z0-9_.-]; char * */
    OPTION_PATH,       /* absolute; char * */
    OPTION_LOG,        /* struct config's log_target and log_path */
    OPTION_CPUS,       /* struct cpus */
    OPTION_CONGESTION, /* char[CONGESTION_MAX]; the kernel is not asked whether the algorithm exists
                        */
    OPTION_BACKEND,    /* a reference; resolved when all sections are known */
    OPTION_BIND,       /* struct bind_conf */
    OPTION_SERVER,     /* struct server_conf */
    OPTION_INCLUDE     /* a pattern of files */
};

/* The struct from which offset counts. OWNER_SIDE: frontend and backend both have the member, at
 * the same offset. */
enum option_owner { OWNER_CONFIG, OWNER_FRONTEND, OWNER_BACKEND, OWNER_SIDE };

struct option {
    const char *name;
    unsigned sections; /* IN() of each section that may contain it */
    enum option_owner owner;
    enum option_type type;
    size_t offset;
    uint64_t min;             /* of OPTION_UNSIGNED and OPTION_DURATION (milliseconds) */
    uint64_t max;             /* for OPTION_PATH: the maximal length in bytes */
    const char *zero;         /* the word that stands for 0, or NULL */
    const char *const *names; /* of OPTION_ENUM, in the enum's order, NULL at the end */
    const char *initial;      /* the default as in a file; NULL: none */
    const char *help;
    bool repeated; /* may be given several times in a section */
};

/* Returns the table, in the order of the help and the manual. *count is the number of rows. */
const struct option *option_table(size_t *count);

/* "global", "frontend", ... */
const char *section_kind_name(enum section_kind kind);

/* Returns the option with that name that is allowed in a section of that kind, or NULL. */
const struct option *option_find(enum section_kind kind, const char *name);

/* Writes the possible values: "auto or 1 to 256", "1ms to 24h", "yes or no". Returns text. */
#define OPTION_TEXT_MAX 160
const char *option_values(const struct option *option, char text[static OPTION_TEXT_MAX]);

/* Reads value into the member of owner (the struct of option->owner). Only for types with one
 * value: not OPTION_BACKEND, _BIND, _SERVER and _INCLUDE. Returns NULL, or what is wrong, as a
 * static or thread-local text that is valid until the next call. */
const char *option_set(const struct option *option, const char *value, void *owner)
    __attribute__((warn_unused_result));

/* Sets every option of owner that has a default to it. */
void options_set_initial(enum option_owner which, void *owner);

/* True: option sets a member of owners of that kind. */
static inline bool option_is_of(const struct option *option, enum option_owner which)
{
    return option->owner == which || (option->owner == OWNER_SIDE && which != OWNER_CONFIG);
}

/* Writes every option by section, with values, default and help. */
void options_print(FILE *stream);

#endif
