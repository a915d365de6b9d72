/* Times as HAProxy writes them. */
#ifndef RPPROXY_CONFIG_IMPORT_HAPROXY_TIMES_H
#define RPPROXY_CONFIG_IMPORT_HAPROXY_TIMES_H

#include <stdbool.h>
#include <stdint.h>

/* Reads a time of HAProxy: milliseconds, or a number with us, ms, s, m, h or d. */
bool hap_time(const char *text, uint64_t *time);

#endif
