/* Writes a config as the text of a file with the same meaning, with every option. */
#ifndef RPPROXY_CONFIG_WRITE_H
#define RPPROXY_CONFIG_WRITE_H

#include "config/model/config.h"
#include "config/options/options.h"

#include <stdio.h>

/* Returns the canonical text: [global], then frontends and backends in the order of the file,
 * each option with its value, without variables, includes and [defaults]. Host names are
 * replaced by addresses, and a [listen] by a [frontend] and a [backend]. Reading this text again
 * gives the same text. A value that no line of a file can contain (more than 4096 bytes, the start
 * of a comment, a newline), for example because it came from a variable, is written as a comment.
 * Files with lists are named, not contained; a comment at the end has the number of entries and a
 * hash of each that was read. The text is NUL-terminated, and the caller frees it. Returns NULL if
 * there is no memory. */
char *config_text(const struct config *config, size_t *length) __attribute__((warn_unused_result));

/* xxh3 of the canonical text: the same for configs that mean the same in the same order. */
uint64_t config_text_hash(const char *text, size_t length);

/* Writes the address of the bind and its attributes. */
void bind_write(const struct bind_conf *bind, FILE *out);
void server_write(const struct server_conf *server, FILE *out);

#endif
