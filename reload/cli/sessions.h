/* The commands that show and end single sessions. Each returns an exit status of rpproxy(8). */
#ifndef RPPROXY_RELOAD_CLI_SESSIONS_H
#define RPPROXY_RELOAD_CLI_SESSIONS_H

#include "reload/cli/command_line.h"

#include <jansson.h>
#include <stdbool.h>

/* Some sessions: an array of objects as --json prints them. Returns false after printing an error:
 * no more is wanted. */
typedef bool sessions_heard(json_t *sessions, void *arg);

/* Asks for sessions of all generations by the words and the limit of the command; they come in no
 * order, and one that moves meanwhile may come twice. Returns an exit status; errors are printed.
 */
int sessions_ask(const struct command *command, sessions_heard *hear_some, void *arg);

int command_sessions(const struct command *command);
int command_kill(const struct command *command);

#endif
