/* rpproxy import: a proxy.ini of another product's configuration. */
#ifndef RPPROXY_RELOAD_CLI_IMPORT_H
#define RPPROXY_RELOAD_CLI_IMPORT_H

#include "reload/cli/command_line.h"

/* Prints the file to the standard output, and what could not be carried over as FILE:LINE: messages
 * to the standard error. Touches no running proxy. Returns an exit status of rpproxy(8). */
int command_import(const struct command *command);

#endif
