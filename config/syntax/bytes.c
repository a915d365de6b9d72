#include "config/syntax/bytes.h"

#include "config/base/memory.h"

#include <stdlib.h>
#include <string.h>

/* -1: no such digit. */
static int hex_digit(char digit)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = digit ? strchr(digits, digit) : NULL;
    return at ? (int)(at - digits) % 16 : -1;
}

int bytes_hex_pair(const char *text)
{
    int high = hex_digit(text[0]);
    int low = high < 0 ? -1 : hex_digit(text[1]);
    return low < 0 ? -1 : high * 16 + low;
}

int bytes_escape(const char **text)
{
    static const char names[] = "rnt\\;#", values[] = "\r\n\t\\;#";
    const char *at = **text ? strchr(names, **text) : NULL;
    if (at) {
        ++*text;
        return values[at - names];
    }
    int byte = **text == 'x' ? bytes_hex_pair(*text + 1) : -1;
    *text += 3;
    return byte;
}

const char *bytes_from_text(const char *text, unsigned char **bytes, size_t *length)
{
    *bytes = memory_new(strlen(text) + 1, 1);
    *length = 0;
    while (*text) {
        int byte = (unsigned char)*text++;
        if (byte == '\\')
            byte = bytes_escape(&text);
        if (byte < 0) {
            free(*bytes);
            *bytes = NULL;
            return "has an unknown escape; the escapes are \\r \\n \\t \\\\ \\; \\# and \\xNN";
        }
        (*bytes)[(*length)++] = (unsigned char)byte;
    }
    return NULL;
}

const char *bytes_from_hex(const char *text, unsigned char **bytes, size_t *length)
{
    size_t digits = strlen(text);
    *bytes = memory_new(digits / 2 + 1, 1);
    for (*length = 0; *length < digits / 2; ++*length) {
        int byte = bytes_hex_pair(text + 2 * *length);
        if (byte < 0)
            break;
        (*bytes)[*length] = (unsigned char)byte;
    }
    if (*length * 2 == digits)
        return NULL;
    free(*bytes);
    *bytes = NULL;
    return "must be pairs of hexadecimal digits, as in 1603";
}
