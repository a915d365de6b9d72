/* Files with a list, which an option names by "@FILE": an entry a line.
 *
 * White space around an entry, empty lines and comments (from '#' or ';' at the start of a line or
 * after white space, to its end) do not count. A line may end in CR LF, and a file may begin with a
 * byte order mark. A file is read once, at the start of a process: to change a list is to reload.
 */
#ifndef RPPROXY_CONFIG_LISTS_LIST_FILE_H
#define RPPROXY_CONFIG_LISTS_LIST_FILE_H

#include "config/syntax/problems.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A larger file, a longer line (its comment included), and more entries are errors. */
#define LIST_BYTES_MAX   (64u * 1024 * 1024)
#define LIST_LINE_MAX    4096
#define LIST_ENTRIES_MAX 1000000

/* Of one file, more mistakes than these are only counted. */
#define LIST_PROBLEMS_MAX 10

/* Takes one entry, which it may change in place (NUL-terminated, never empty). Returns NULL, or
 * what is wrong with the entry: a text that can follow "'ENTRY' ", valid until the next call. */
typedef const char *list_taker(void *arg, char *entry);

/* The line of the configuration that names the file. */
struct list_origin {
    struct problems *problems;
    struct place place;
    const char *option;
    bool secret; /* an entry is NAME:SECRET, of which messages quote the name only */
};

/* Returns the absolute path of the file that an option names as "@FILE" (`name` is without the
 * '@'): one that is relative begins at the folder of the file that names it. The caller frees the
 * path. The source notes the file, so this comes before the file is read. */
char *list_file_path(const char *name, const struct source *source)
    __attribute__((returns_nonnull, warn_unused_result));

/* Reads the file at path and gives each entry to take(). Reports what is wrong at the line of
 * the configuration: "FILE:LINE: OPTION: LISTFILE:LINE: 'ENTRY' ...", and a file that is missing,
 * cannot be read, is no regular file, is too large or changes meanwhile without a line of its own.
 * Returns whether the file was read without a problem. *hash (may be NULL): xxh3 of the bytes of
 * the file; two files with the same hash have the same entries. While a configuration is read:
 * exits if there is no memory. */
bool list_file_read(const char *path, const struct list_origin *origin, list_taker *take, void *arg,
                    uint64_t *hash);

/* The same for a text in memory, of which messages use path as the name. */
bool list_text_read(const char *text, size_t length, const char *path,
                    const struct list_origin *origin, list_taker *take, void *arg);

#endif
