/* Reads single values from text. Each function returns NULL, or a static text that says what
 * would be right; *value is then unchanged. */
#ifndef RPPROXY_CONFIG_SYNTAX_VALUE_H
#define RPPROXY_CONFIG_SYNTAX_VALUE_H

#include "config/base/clock.h"

#include <stdbool.h>
#include <stdint.h>

const char *value_bool(const char *text, bool *value) __attribute__((warn_unused_result));

/* Decimal digits and nothing else. */
const char *value_unsigned(const char *text, uint64_t *value) __attribute__((warn_unused_result));

/* A number with its unit: ms, s, m or h. */
const char *value_duration(const char *text, millis *value) __attribute__((warn_unused_result));

/* "1ms", "5s", "1h": the largest unit that is exact, as value_duration() would read it. Returns
 * text. */
#define DURATION_TEXT_MAX 24
const char *duration_text(millis value, char text[static DURATION_TEXT_MAX]);

/* True: text is a valid name of a frontend, a backend or a server. */
bool is_name(const char *text);

/* The most that such a name has where it is given. With the number of a server of many addresses it
 * fits into a message of a handover. */
#define NAME_BYTES_MAX 160

/* The rule of is_name(), as the rest of a sentence. */
#define NAME_RULE "only letters, digits, '_', '.' and '-'"

#endif
