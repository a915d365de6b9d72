/* The terminal of a command that prints again and again: the key q, Ctrl-C and SIGTERM end it,
 * Ctrl-Z suspends it, and the terminal is left as it was. */
#ifndef RPPROXY_RELOAD_CLI_SCREEN_H
#define RPPROXY_RELOAD_CLI_SCREEN_H

#include <stdbool.h>

/* Keys are read from standard input one by one, if that is a terminal. */
void screen_begin(void);

/* Waits. Returns false: the command is to end. */
bool screen_wait(int milliseconds) __attribute__((warn_unused_result));

void screen_end(void);

#endif
