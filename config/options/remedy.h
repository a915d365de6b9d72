/* What to write instead of a value that is wrong: quotes, units and separators that other programs
 * take, a comment without a space before it, a variable without braces, a word that is similar. */
#ifndef RPPROXY_CONFIG_OPTIONS_REMEDY_H
#define RPPROXY_CONFIG_OPTIONS_REMEDY_H

#include "config/options/options.h"

#define REMEDY_TEXT_MAX 192

/* Writes "; REMEDY" for a value that option refuses, or nothing where there is none. Returns text.
 */
const char *remedy(const struct option *option, const char *value,
                   char text[static REMEDY_TEXT_MAX]);

/* The same for words of which the option is not known. */
const char *remedy_of_text(const char *value, char text[static REMEDY_TEXT_MAX]);

#endif
