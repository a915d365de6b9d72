/* Times and amounts as short texts, for columns. */
#ifndef RPPROXY_RELOAD_CLI_UNITS_H
#define RPPROXY_RELOAD_CLI_UNITS_H

#include <stdint.h>

#define UNITS_TEXT_MAX 24

/* "0s", "59s", "90m", "47h", "3d". Returns text. */
const char *units_time(int64_t milliseconds, char text[static UNITS_TEXT_MAX]);

/* "999", "1.5k", "20M", by powers of 1024. Returns text. */
const char *units_bytes(double bytes, char text[static UNITS_TEXT_MAX]);

#endif
