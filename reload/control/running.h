/* The configuration that this process runs, as it can be told: its file may say something else by
 * now. */
#ifndef RPPROXY_RELOAD_CONTROL_RUNNING_H
#define RPPROXY_RELOAD_CONTROL_RUNNING_H

#include "reload/process/generation.h"

#include <jansson.h>

/* The hash of config's canonical text, never 0; or 0 when memory is out. */
uint64_t running_hash(const struct config *config);

/* Sixteen digits. Returns text. */
#define HASH_TEXT_MAX 17
const char *hash_text(uint64_t hash, char text[static HASH_TEXT_MAX]);

/* {"file": "...", "path": "/...", "hash": "...", "text": "..."}: the file as given and from the
 * root on, and the canonical text. A new reference, or NULL when memory is out. */
json_t *running_json(const struct generation *generation) __attribute__((warn_unused_result));

#endif
