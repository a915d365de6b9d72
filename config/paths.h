/* Paths that the proxy makes files at: control socket, crash file, log, pid file, Unix binds. */
#ifndef RPPROXY_CONFIG_PATHS_H
#define RPPROXY_CONFIG_PATHS_H

#include "config/syntax/problems.h"

#include <stdbool.h>
#include <stddef.h>

struct path_claim {
    char *plain; /* without symbolic links */
    char *text;  /* as the message names it: "bind 'unix:/run/a'" */
    struct place place;
    bool is_bind;
    size_t sequence;
};

/* Zero at first. */
struct path_claims {
    struct path_claim *items;
    size_t count;
    size_t capacity;
};

/* The file at path (absolute) is what text says, which is the claims' from then on. place: of its
 * line, if an earlier claim of the same file is an error there. */
void paths_claim(struct path_claims *claims, const char *path, char *text, struct place place,
                 bool is_bind);

/* Reports each claim of a file that an earlier claim has, regardless of symbolic links: one
 * file would replace the other (rename(2)). Two binds with the same text are left to the caller.
 * Empties the list. */
void paths_check(struct path_claims *claims, struct problems *problems);

#endif
