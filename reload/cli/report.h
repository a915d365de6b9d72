/* The status for people: what `rpproxy status` prints without --json. */
#ifndef RPPROXY_RELOAD_CLI_REPORT_H
#define RPPROXY_RELOAD_CLI_REPORT_H

#include <jansson.h>

/* Prints the answer of a proxy, of whatever version, to stdout: what it does not have is left out.
 */
void report_print(json_t *status);

#endif
