/* The part of a status that names on the command line select. */
#ifndef RPPROXY_RELOAD_CLI_PICK_H
#define RPPROXY_RELOAD_CLI_PICK_H

#include <jansson.h>
#include <stddef.h>

/* Leaves in status the frontends, binds, backends and servers that one of the words names: NAME of
 * a frontend or backend, or BACKEND/SERVER; each may be a pattern of the shell, as glob(7) has it.
 * Returns NULL, or the first word that names nothing. */
const char *pick(json_t *status, const char *const *words, size_t count);

#endif
