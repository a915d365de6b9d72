/* The terminal of a command that prints again and again: the key q, Ctrl-C and SIGTERM end it,
 * Ctrl-Z suspends it, and the terminal is left as it was. */
#ifndef RPPROXY_RELOAD_CLI_SCREEN_H
#define RPPROXY_RELOAD_CLI_SCREEN_H

#include <stdbool.h>

/* Keys are read from standard input one by one, if that is a terminal. */
void screen_begin(void);

/* Lines that the terminal has; 0: not known, or standard output is none. */
int screen_lines(void);

/* Clears the terminal: what is written to standard output next stands at its top. */
void screen_clear(void);

/* Clears the terminal, and prints a text of whole lines. If there are more than fit, and keys are
 * read, a page of them, and a last line about keys: with the space bar screen_wait() makes the next
 * print begin with the next page, and with b with the one before. */
void screen_print(const char *text);

/* Waits. Returns false: the command is to end. */
bool screen_wait(int milliseconds) __attribute__((warn_unused_result));

void screen_end(void);

#endif
