/* The configuration that this process runs, for commands: its file may say something else by now.
 */
#ifndef RPPROXY_RELOAD_CONTROL_RUNNING_H
#define RPPROXY_RELOAD_CONTROL_RUNNING_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct config;
struct generation;

/* The hash of config's canonical text, never 0; or 0 when memory is out. */
uint64_t running_hash(const struct config *config);

/* Sixteen digits. Returns text. */
#define HASH_TEXT_MAX 17
const char *hash_text(uint64_t hash, char text[static HASH_TEXT_MAX]);

/* The file that a reload reads: an absolute path without symbolic links, where that can be known. A
 * new reference, or NULL when memory is out. */
json_t *running_file(const struct generation *generation) __attribute__((warn_unused_result));

/* asked: {"path": "/...", "device": N, "inode": N}, the file that a user named, or NULL. False: a
 * reload would read another file. The inode decides, since users and the process may know the file
 * by different names; the path decides where this process cannot look at its file. */
bool running_reads(const struct generation *generation, json_t *asked);

/* {"file": "...", "path": "/...", "hash": "...", "text": "..."}: the file as given and from the
 * root on, and the canonical text. A new reference, or NULL when memory is out. */
json_t *running_json(const struct generation *generation) __attribute__((warn_unused_result));

#endif
