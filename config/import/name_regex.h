/* Regular expressions about host names, as the name forms of a route. */
#ifndef RPPROXY_CONFIG_IMPORT_NAME_REGEX_H
#define RPPROXY_CONFIG_IMPORT_NAME_REGEX_H

#include "config/import/arena.h"

#include <stdbool.h>

/* Returns the names, separated by commas, that a search for the expression finds: "^www\.a\.b$" is
 * "www.a.b", "\.a\.b$" is "*.a.b". NULL: names cannot say the same. *wider: they also mean names
 * that the expression does not ("[^.]+\.a\.b" is one label, "*.a.b" one or more). */
const char *name_regex(struct arena *arena, const char *regex, bool *wider);

#endif
