/* A config as the text of a file: one that means the same, with every option told. */
#ifndef RPPROXY_CONFIG_WRITE_H
#define RPPROXY_CONFIG_WRITE_H

#include "config/model/config.h"
#include "config/options/options.h"

#include <stdio.h>

/* The canonical text: [global], then frontends and backends in the file's order, each option with
 * its value, without variables, includes and [defaults]; names of hosts have become addresses, and
 * a [listen] is a [frontend] and a [backend]. Read again it gives the same text. What only a
 * variable or a longer head can have brought in, and no line of a file can hold (more than 199
 * bytes, a comment's beginning, a line's end), stands in it as a comment.
 *
 * Returns the text, NUL-terminated and the caller's, or NULL when memory is out. */
char *config_text(const struct config *config, size_t *length) __attribute__((warn_unused_result));

/* xxh3 of the canonical text: the same for configs that mean the same in the same order. */
uint64_t config_text_hash(const char *text, size_t length);

/* Writes what owner (the struct of option->owner) has for option, as it stands after the '='.
 * Nothing, if it has no value, and for those that may be repeated. */
void option_write(const struct option *option, const void *owner, FILE *out);

/* "ADDRESS" and the attributes. */
void bind_write(const struct bind_conf *bind, FILE *out);
void server_write(const struct server_conf *server, FILE *out);

#endif
