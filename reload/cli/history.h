/* The commands of the history. Each returns an exit status of rpproxy(8). */
#ifndef RPPROXY_RELOAD_CLI_HISTORY_H
#define RPPROXY_RELOAD_CLI_HISTORY_H

#include "reload/cli/command_line.h"

int command_history(const struct command *command);

/* command_reload() with the configuration of an earlier generation. */
int command_rollback(const struct command *command);

#endif
