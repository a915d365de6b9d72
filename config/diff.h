/* The difference between two configs: what a reload from one to the other would change. */
#ifndef RPPROXY_CONFIG_DIFF_H
#define RPPROXY_CONFIG_DIFF_H

#include "config/model/config.h"

#include <stdio.h>

enum change_kind {
    CHANGE_ADDED,
    CHANGE_REMOVED,
    CHANGE_MOVED, /* a bind that moves to another frontend */
    CHANGE_VALUE, /* of an option; of the address and the attributes of a bind or a server */
};

enum change_subject {
    CHANGED_GLOBAL,
    CHANGED_FRONTEND,
    CHANGED_BIND,
    CHANGED_BACKEND,
    CHANGED_SERVER,
    CHANGED_CERTIFICATE, /* of a file or folder that both configurations name, or that is new;
                            section is the path of the file */
    CHANGED_LIST, /* a file with addresses that both configurations name; section is its path */
};

struct change {
    enum change_kind kind;
    enum change_subject subject;
    const char *section; /* name of the frontend or backend; NULL for [global] */
    const char *name;    /* address of the bind, name of the server; "list" or "file"; else NULL */
    const char *option;  /* for CHANGE_VALUE, except for binds and servers */
    /* Values, "" for none; what a certificate is for; for CHANGE_MOVED frontends: */
    char *from, *to;
};

/* Global options come first, then frontends with their binds, then backends with their servers.
 * Certificates and files with lists that have changed come last. Each group has the order of the
 * new config, followed by removed items in the order of the old one. */
struct config_diff {
    struct change *items;
    size_t count, capacity;
};

/* Fills *diff. Its texts point into both configs. Another order of sections, binds or servers is
 * not a difference. Exits if there is no memory: not for a process that serves. */
void config_compare(const struct config *from, const struct config *to, struct config_diff *diff);

void config_diff_free(struct config_diff *diff);

/* Writes one line without a newline: "server app/b: removed", "global: workers: 2 -> 4". */
void change_print(const struct change *change, FILE *out);

#endif
