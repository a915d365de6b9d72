/* A configuration of nginx as a tree of directives: its words, quotes, blocks and includes. */
#ifndef RPPROXY_CONFIG_IMPORT_NGINX_TREE_H
#define RPPROXY_CONFIG_IMPORT_NGINX_TREE_H

#include "config/import/import.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ngx_list;

struct ngx_directive {
    struct origin origin;
    char **words;           /* NULL behind the last one */
    size_t count;           /* at least 1 */
    struct ngx_list *block; /* NULL: it ends with ';' */
};

struct ngx_list {
    struct ngx_directive *items;
    size_t count, capacity;
};

/* Reads a text, which stands in a file of that name. folder: where relative includes begin; NULL:
 * includes are not read, and are lost. Blocks http and mail are empty. What is wrong with the text
 * is found as lost. */
void ngx_tree_read(struct import *import, const char *folder, const char *name, const char *text,
                   size_t length, struct ngx_list *list);

/* The last directive of that name, or NULL. */
const struct ngx_directive *ngx_find(const struct ngx_list *list, const char *name);

/* The word at a place of a directive, or "". */
static inline const char *ngx_word(const struct ngx_directive *directive, size_t at)
{
    return at < directive->count ? directive->words[at] : "";
}

/* "NAME=VALUE" among the words: the value, or NULL. */
const char *ngx_parameter(const struct ngx_directive *directive, const char *name);

/* True: the word is among those behind the name. */
bool ngx_has(const struct ngx_directive *directive, const char *word);

/* Reads a time: "30", "1m", "1h 30m"; in milliseconds. */
bool ngx_time(const char *text, uint64_t *time);

#endif
