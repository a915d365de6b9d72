/* A table of configurations of another product, and what an import makes of each. */
#ifndef RPPROXY_TESTS_UNIT_CONFIG_IMPORT_IMPORTING_H
#define RPPROXY_TESTS_UNIT_CONFIG_IMPORT_IMPORTING_H

#include "config/import/import.h"

struct import_case {
    const char *what;
    const char *text;
    /* Lines "KEY = VALUE" and heads of sections that have to be there, separated by newlines. One
     * that begins with '-' must not be there. */
    const char *lines;
    /* The findings, in their order: "LINE lost: " or "LINE note: " and the beginning of the text.
     * NULL: they do not matter. */
    const char *findings;
};

typedef void import_function(struct import *import, const char *name, const char *text,
                             size_t length);

/* Fails where the case is not met, or the result does not pass the parser of rpproxy unchanged. */
void expect_imported(import_function *function, const struct import_case *expected);

#endif
