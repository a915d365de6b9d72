/* What a proxy answers, for a terminal: names of certificates, paths and errors in it may hold
 * any character. */
#ifndef RPPROXY_RELOAD_CLI_PLAIN_H
#define RPPROXY_RELOAD_CLI_PLAIN_H

#include <jansson.h>

/* Each control character in the strings of value, and of what it contains, becomes a question mark:
 * it would break a table, or change the terminal. NULL is fine. */
void plain_strings(json_t *value);

#endif
