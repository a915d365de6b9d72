/* Regular expressions as PCRE2 has them. A match takes a bounded time, for any text: one that
 * would take longer counts as no match. */
#ifndef RPPROXY_CONFIG_BASE_PATTERN_H
#define RPPROXY_CONFIG_BASE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

struct pattern;

/* Returns NULL, and *pattern is the caller's; or what is wrong, in a static or thread-local text
 * that is valid until the next call. */
const char *pattern_new(const char *text, struct pattern **pattern)
    __attribute__((warn_unused_result));

/* NULL is fine. */
void pattern_free(struct pattern *pattern);

/* True: the bytes, which may be any, contain a match; *end is where it ends. Any thread. */
bool pattern_find(const struct pattern *pattern, const void *bytes, size_t length, size_t *end);

#endif
