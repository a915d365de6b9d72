/* Makes an import pass the parser of rpproxy. */
#ifndef RPPROXY_RELOAD_CLI_SETTLE_H
#define RPPROXY_RELOAD_CLI_SETTLE_H

#include "config/import/import.h"

/* Turns off the lines that the parser does not accept, and finds them as lost, until it accepts the
 * whole text, or nothing is left that accepts clients. Returns the text, which the caller frees;
 * NULL: a mistake is in no line that was imported, and *wrong, which the caller frees, says what it
 * is. */
char *import_settle(struct import *import, const char *title, char **wrong)
    __attribute__((warn_unused_result));

#endif
