/* The commands: some contact a running proxy, others do not. Each returns an exit status of
 * rpproxy(8). */
#ifndef RPPROXY_RELOAD_CLI_COMMAND_H
#define RPPROXY_RELOAD_CLI_COMMAND_H

#include "config/model/config.h"
#include "reload/cli/command_line.h"

int command_reload(const struct command *command);
int command_status(const struct command *command);
int command_server(const struct command *command);
int command_frontend(const struct command *command);
int command_reopen(const struct command *command);
int command_stop(const struct command *command);
int command_config(const struct command *command);

/* Validates the file and prints all its mistakes; changes nothing. */
int command_check(const struct command *command);

/* Prints the table of options. */
int command_help_options(void);

/* Returns NULL, or what is wrong with the plan of a canary ("5%:30s"). */
const char *command_canary(const char *text);

/* Reads a number of lines, 1 at least. Returns NULL, or what is wrong with it. */
const char *command_limit(const char *text, uint64_t *limit);

/* Reads a time ("10s"). Returns NULL, or what is wrong with it. */
const char *command_duration(const char *text, millis *duration);

#endif
