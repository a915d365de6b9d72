/* The status for people: what `rpproxy status` prints without --json. */
#ifndef RPPROXY_RELOAD_CLI_REPORT_H
#define RPPROXY_RELOAD_CLI_REPORT_H

#include <jansson.h>
#include <stdbool.h>

/* Prints the answer of a proxy to stdout. The proxy may have another version than this program:
 * what its answer does not contain is left out. Returns false, with nothing printed, where the
 * answer is not understood. */
bool report_print(json_t *status) __attribute__((warn_unused_result));

#endif
