/* Makes a proxy.ini of the layer-4 configuration of another product. */
#ifndef RPPROXY_CONFIG_IMPORT_IMPORT_H
#define RPPROXY_CONFIG_IMPORT_IMPORT_H

#include "config/import/arena.h"
#include "config/import/ini.h"

#include <stdbool.h>
#include <stddef.h>

enum finding_kind {
    FINDING_LOST, /* has no counterpart: what it did is missing */
    FINDING_NOTE  /* carried over, and would behave otherwise in some way */
};

/* A server that a finding is about. */
struct finding_server {
    struct origin origin;
    const char *name;
    const char *detail; /* NULL, or what the finding says of this server only */
};

struct finding {
    enum finding_kind kind;
    struct origin origin; /* with servers, that of the first one */
    char *text;           /* with servers, their names come before it: import_finding_text() */
    const void *scope;    /* of the servers; NULL: the finding is not about servers */
    struct finding_server *servers;
    size_t server_count, server_capacity;
};

struct import {
    struct arena arena;
    struct ini ini;
    struct finding *findings; /* in the order in which they were found */
    size_t finding_count, finding_capacity;
    size_t lost; /* findings of this kind */
    char *error; /* NULL, or why a file cannot be imported at all: "FILE: ..." */
};

/* Makes *import of a configuration of HAProxy: files, and folders whose *.cfg are read in the order
 * of their names, as those of several -f. Reads the environment. Touches no port. The caller frees
 * it, in either case. False: import->error says why there is nothing. */
bool import_haproxy(struct import *import, const char *const *paths, size_t count);

/* The same for the block stream of nginx: one file, with what it includes. A file without such a
 * block that has servers or upstreams outside any block is taken for what stands in it. */
bool import_nginx(struct import *import, const char *path);

/* For texts in memory, which include no files. */
void import_haproxy_text(struct import *import, const char *name, const char *text, size_t length);
void import_nginx_text(struct import *import, const char *name, const char *text, size_t length);

void import_free(struct import *import);

/* Puts the findings into the order of files and lines, each once. */
void import_sort(struct import *import);

/* For the modules of import/: a finding of each kind. The same one of the same line is kept once.
 */
void not_imported(struct import *import, struct origin origin, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void imported_differently(struct import *import, struct origin origin, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* For the modules of import/: a note about one of several servers. What is noted alike of servers
 * of one scope, such as a backend, is one finding, which names them. detail may be NULL. The
 * strings live as long as the import. */
void server_imported_differently(struct import *import, const void *scope, struct origin origin,
                                 const char *name, const char *detail, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* The text with the servers, if there are any: as many names as a line can bear. */
const char *import_finding_text(struct import *import, const struct finding *finding);

/* Reads a whole file, of 64 MiB at most. Returns NULL and the text, or what is wrong. */
const char *import_read(struct import *import, const char *path, char **text, size_t *length)
    __attribute__((warn_unused_result));

#endif
