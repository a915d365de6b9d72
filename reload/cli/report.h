/* Prints the status for people: the output of `rpproxy status` without --json. */
#ifndef RPPROXY_RELOAD_CLI_REPORT_H
#define RPPROXY_RELOAD_CLI_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* Prints the answer of a proxy, as wide as the terminal is, if there is one. The proxy may have
 * another version than this program: members that its answer does not contain are left out. Returns
 * false, and prints nothing, if the answer is not understood. whole: false prints only binds,
 * frontends and servers. */
bool report_print(json_t *status, bool whole, FILE *out) __attribute__((warn_unused_result));

#endif
