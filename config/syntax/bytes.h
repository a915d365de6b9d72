/* Bytes that stand in a value as text. */
#ifndef RPPROXY_CONFIG_SYNTAX_BYTES_H
#define RPPROXY_CONFIG_SYNTAX_BYTES_H

#include <stddef.h>

/* The byte that two hexadecimal digits mean, or -1: there are no two digits. */
int bytes_hex_pair(const char *text);

/* The byte of the escape at *text, behind its '\'; moves *text past the escape. -1: there is no
 * such escape, and *text is of no use. The escapes are those of bytes_from_text(). */
int bytes_escape(const char **text);

/* Reads a text with the escapes \r \n \t \\ \; \# and \xNN (two hexadecimal digits). *bytes, which
 * the caller frees, has *length bytes and a NUL behind them. Returns NULL, or what is wrong (a
 * string constant that can follow the text); there are no bytes then. */
const char *bytes_from_text(const char *text, unsigned char **bytes, size_t *length)
    __attribute__((warn_unused_result));

/* The same for pairs of hexadecimal digits. */
const char *bytes_from_hex(const char *text, unsigned char **bytes, size_t *length)
    __attribute__((warn_unused_result));

#endif
