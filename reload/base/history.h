/* The history of a proxy: a folder with a file for each generation, and for each attempt that
 * failed. The first line of a file is a comment that says how it went; then comes the
 * configuration, as `rpproxy config` prints it, if it is known: so the file is a valid
 * configuration file.
 *
 * Only the process that serves writes. A file appears whole or not at all, or empty: then there was
 * no room for it, and it keeps the number of its generation. The hash in the first line tells a
 * text that is not as it was written, for example because the machine has lost power. Other files
 * of the folder are left alone. Only the main thread writes, and a write is as fast as the file
 * system; any thread reads. */
#ifndef RPPROXY_RELOAD_BASE_HISTORY_H
#define RPPROXY_RELOAD_BASE_HISTORY_H

#include "reload/base/requester.h"

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HISTORY_RESULT_MAX 512

struct history_entry {
    unsigned generation;
    uint64_t at;      /* seconds since 1970 */
    uint64_t took_ms; /* the reload; 0: a start */
    int exit;         /* enum exit_status of the reload */
    bool crashed;     /* it served, and crashed then */
    char by[REQUESTER_TEXT_MAX];
    char result[HISTORY_RESULT_MAX];
    char hash[17]; /* of the configuration; "": not known */
    char *text;    /* the configuration; NULL: not known. history_entry_free() */
};

void history_entry_free(struct history_entry *entry);

/* Writes the file of that generation in place of what there was, and removes the oldest files
 * beyond `keep`, but never those of the two newest that served without a crash: that
 * which serves, and the one before. A text of NULL keeps that of the file that
 * there was. The folder is made if it is missing. Returns 0 or an errno value: a file that was
 * there is as before then, and one that was not there is empty, where that is possible. */
int history_write(const char *folder, unsigned keep, const struct history_entry *entry)
    __attribute__((warn_unused_result));

/* Reads one. NULL, or why it cannot be read (a string constant that can follow the file's name);
 * then the entry has its generation, or 0 if the file may be somebody else's, and no text. */
const char *history_read(const char *folder, unsigned generation, struct history_entry *entry);

/* The same of at most so many bytes at the beginning of the file; HISTORY_HEAD_MAX are enough for
 * all but the text. *whole: these were all; if not, the hash is not compared. */
#define HISTORY_HEAD_MAX 16384
const char *history_read_part(const char *folder, unsigned generation, size_t most,
                              struct history_entry *entry, bool *whole);

/* The same of the bytes of a file. */
const char *history_parse(const char *bytes, size_t length, struct history_entry *entry);

/* The numbers for which there are files, in their order, in *numbers, which the caller frees. The
 * count; 0 also if there is no folder. */
size_t history_numbers(const char *folder, unsigned **numbers);

/* The newest generation, with a number below that (0: any), that has served, has a configuration
 * and is not known to have crashed; 0: none. */
unsigned history_last_well(const char *folder, unsigned below, struct history_entry *entry);

/* The number after the highest of them; 1 if there is none, or no folder (NULL). */
unsigned history_next(const char *folder);

/* The name of a file. Returns path. */
const char *history_path(const char *folder, unsigned generation, char path[static PATH_MAX]);

/* As `rpproxy history --json` has it, without the text. A new reference, or NULL. */
json_t *history_json(const struct history_entry *entry);

#endif
