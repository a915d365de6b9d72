/* The difference between two configs: what a reload from the one to the other would change. */
#ifndef RPPROXY_CONFIG_DIFF_H
#define RPPROXY_CONFIG_DIFF_H

#include "config/model/config.h"

#include <stdio.h>

enum change_kind {
    CHANGE_ADDED,
    CHANGE_REMOVED,
    CHANGE_MOVED, /* a bind, to another frontend */
    CHANGE_VALUE, /* of an option; of the address and the attributes of a bind or a server */
};

enum change_subject {
    CHANGED_GLOBAL,
    CHANGED_FRONTEND,
    CHANGED_BIND,
    CHANGED_BACKEND,
    CHANGED_SERVER,
};

struct change {
    enum change_kind kind;
    enum change_subject subject;
    const char *section; /* the frontend's or backend's name; NULL of [global] */
    const char *name;    /* the address of the bind, the name of the server, else NULL */
    const char *option;  /* of CHANGE_VALUE, but not of binds and servers */
    char *from, *to;     /* values; "" for none; CHANGE_MOVED: frontends */
};

/* Global options first, then frontends with their binds and backends with their servers; in each
 * group in the order of the new config, then what is removed, in that of the old. */
struct config_diff {
    struct change *items;
    size_t count, capacity;
};

/* Fills *diff, whose texts belong to both configs. The order of sections, binds and servers is no
 * difference. Exits when memory is out: not for a process that serves. */
void config_compare(const struct config *from, const struct config *to, struct config_diff *diff);

void config_diff_free(struct config_diff *diff);

/* One line, without its end: "server app/b: removed", "global: workers: 2 -> 4". */
void change_print(const struct change *change, FILE *out);

#endif
