/* The commands that show and end single sessions. Each returns an exit status of rpproxy(8). */
#ifndef RPPROXY_RELOAD_CLI_SESSIONS_H
#define RPPROXY_RELOAD_CLI_SESSIONS_H

#include "reload/cli/command_line.h"

int command_sessions(const struct command *command);
int command_kill(const struct command *command);

#endif
