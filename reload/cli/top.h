/* The command `top`. Returns an exit status of rpproxy(8). */
#ifndef RPPROXY_RELOAD_CLI_TOP_H
#define RPPROXY_RELOAD_CLI_TOP_H

#include "reload/cli/command_line.h"

int command_top(const struct command *command);

#endif
