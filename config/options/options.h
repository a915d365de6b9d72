/* The tables of all options, and of all attributes of bind and server lines: name, sections, type,
 * range, default and help. The parser, the defaults, the range checks, `--help-options`, what
 * writes a configuration, and the test of the manual and the sample use them. They contain only
 * options that work. The rows are in table_*.c. */
#ifndef RPPROXY_CONFIG_OPTIONS_OPTIONS_H
#define RPPROXY_CONFIG_OPTIONS_OPTIONS_H

#include "config/lists/address_file.h"
#include "config/tls/certificate_store.h"

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
    OPTION_FLAG,       /* an attribute that is a bare word; bool */
    OPTION_NAME,       /* [A-Za-z0-9_.-]; char * */
    OPTION_TEXT,       /* char * */
    OPTION_PATH,       /* absolute; char * */
    OPTION_CPUS,       /* struct cpus */
    OPTION_CONGESTION, /* char[CONGESTION_MAX]; the kernel is not asked whether the algorithm exists
                        */
    OPTION_BACKEND,    /* a reference; resolved when all sections are known */
    OPTION_BIND,       /* struct bind_conf */
    OPTION_SERVER,     /* struct server_conf */
    OPTION_INCLUDE,    /* a pattern of files */
    OPTION_CUSTOM      /* option->custom knows */
};

/* The struct from which offset counts. OWNER_SIDE: frontend and backend both have the member, at
 * the same offset. */
enum option_owner {
    OWNER_CONFIG,
    OWNER_FRONTEND,
    OWNER_BACKEND,
    OWNER_SIDE,
    OWNER_BIND,  /* attributes of a bind line */
    OWNER_SERVER /* attributes of a server line */
};

/* The line from which a value is read. */
struct option_context {
    struct place place;
    struct problems *problems;
    struct address_files *files;            /* of the configuration; */
    struct certificate_store *certificates; /* the same */
};

/* A type of its own: of an option that only one module understands. */
struct option_custom {
    const char *form; /* of a value, for the help: "CIDR, any or @FILE" */
    /* Reads the value into the member; the value of a repeated option is added to the member.
     * Returns NULL, or what is wrong, as option_set() does. Mistakes in a file that the value names
     * are added to context->problems, and list_file_path() (lists) finds that file. */
    const char *(*read)(const char *value, void *member, const struct option_context *context);
    /* Writes the value as in a file: of a repeated option the item-th one, from 0 on; of any other
     * option item is 0. False, and nothing is written: there is no such value. */
    bool (*write)(const void *member, size_t item, FILE *out);
    /* The name with which the item-th value is written, where several options of a section have one
     * member and their order counts: one of them writes all. Returns NULL where there is no such
     * value. NULL: that of the option. */
    const char *(*key)(const void *member, size_t item);
    /* Frees what the member points to. NULL: nothing is to be freed. */
    void (*release)(void *member);
};

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
    bool shown;    /* an attribute that is written even where it has its default */
    bool secret;   /* a value may contain what gives access to something */
    const struct option_custom *custom; /* of OPTION_CUSTOM; also if repeated */
};

/* The tables, each with a row without a name at the end; the functions below go through them. */
extern const struct option global_options[], frontend_options[], backend_options[];
extern const struct option tls_options[], check_options[];
extern const size_t global_option_count, frontend_option_count, backend_option_count;
extern const size_t tls_option_count, check_option_count;
extern const struct option bind_attributes[], server_attributes[];

/* The options in the order of the help and the manual: i is less than option_count(). */
size_t option_count(void);
const struct option *option_at(size_t i);

/* The attributes of a bind line (OWNER_BIND) or a server line (OWNER_SERVER), with a row without a
 * name at the end. */
const struct option *attribute_table(enum option_owner which);

/* "global", "frontend", ... */
const char *section_kind_name(enum section_kind kind);

/* Returns the option with that name that is allowed in a section of that kind, or NULL. */
const struct option *option_find(enum section_kind kind, const char *name);

/* Writes the possible values: "auto or 1 to 256", "1ms to 24h", "yes or no". Returns text. */
#define OPTION_TEXT_MAX 192
const char *option_values(const struct option *option, char text[static OPTION_TEXT_MAX]);

/* Reads value into the member of owner (the struct of option->owner). Not for OPTION_BACKEND,
 * _BIND, _SERVER and _INCLUDE. Returns NULL, or what is wrong, as a static or thread-local text
 * that is valid until the next call. */
const char *option_set(const struct option *option, const char *value, void *owner,
                       const struct option_context *context) __attribute__((warn_unused_result));

/* Forgets the value of the option, and frees what belongs to it. */
void option_release(const struct option *option, void *owner);

/* Forgets all values of owner. */
void options_release(enum option_owner which, void *owner);

/* Writes the value of option in owner as it stands after the '='; several values of a repeated one
 * are separated by ", ". Writes nothing if there is no value, nor of binds and servers. */
void option_write(const struct option *option, const void *owner, FILE *out);

/* Sets every option of owner that has a default to it. */
void options_set_initial(enum option_owner which, void *owner);

/* True: option sets a member of owners of that kind. */
static inline bool option_is_of(const struct option *option, enum option_owner which)
{
    return option->owner == which ||
           (option->owner == OWNER_SIDE && (which == OWNER_FRONTEND || which == OWNER_BACKEND));
}

/* Writes every option by section, with values, default and help. */
void options_print(FILE *stream);

#endif
