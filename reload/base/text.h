/* Text for JSON, and for people. */
#ifndef RPPROXY_RELOAD_BASE_TEXT_H
#define RPPROXY_RELOAD_BASE_TEXT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* A JSON string, the caller's. Paths and the lines of files may hold any bytes, JSON only UTF-8:
 * where the text is not that, each byte beyond ASCII becomes a question mark. NULL when memory is
 * out. */
json_t *text_json(const char *text, size_t length) __attribute__((warn_unused_result));

/* "1 session", "7 sessions". Returns text. */
#define SESSIONS_TEXT_MAX 32
const char *sessions_text(uint64_t count, char text[static SESSIONS_TEXT_MAX]);

#endif
