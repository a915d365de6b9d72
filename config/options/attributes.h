/* Reads and writes the attributes of a bind or server line: words NAME=VALUE, or bare words. Each
 * is a row of attribute_table(). */
#ifndef RPPROXY_CONFIG_OPTIONS_ATTRIBUTES_H
#define RPPROXY_CONFIG_OPTIONS_ATTRIBUTES_H

#include "config/options/options.h"

/* The attributes that stand in a line: bit i for row i. */
typedef uint64_t attribute_set;

/* Reads the words, which the function splits in place, into owner, which has its defaults. Mistakes
 * are added to context->problems. Returns whether there was none. */
bool attributes_read(enum option_owner which, char *words, void *owner,
                     const struct option_context *context, attribute_set *given)
    __attribute__((warn_unused_result));

bool attribute_is_given(enum option_owner which, attribute_set given, const char *name);

/* Writes each attribute that has not its default, or is always shown, with a space before it. */
void attributes_write(enum option_owner which, const void *owner, FILE *out);

#endif
