/* The words of what is wrong, for functions that return them (CONTRIBUTING.md, "Errors"). */
#ifndef RPPROXY_CONFIG_BASE_ERROR_TEXT_H
#define RPPROXY_CONFIG_BASE_ERROR_TEXT_H

#include <stdarg.h>

/* A longer text is cut. */
#define ERROR_TEXT_MAX 1024

/* Makes a text that is valid in this thread until the fourth call after this one; so an argument
 * may be the text of an earlier call, and two of them may be told together. errno stays as it is.
 */
const char *error_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *error_text_list(const char *format, va_list arguments)
    __attribute__((format(printf, 1, 0)));

#endif
