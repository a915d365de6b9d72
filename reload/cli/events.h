/* `rpproxy events`. Returns an exit status of rpproxy(8). */
#ifndef RPPROXY_RELOAD_CLI_EVENTS_H
#define RPPROXY_RELOAD_CLI_EVENTS_H

#include "reload/cli/command_line.h"

int command_events(const struct command *command);

#endif
