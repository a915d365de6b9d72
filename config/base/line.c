#include "config/base/line.h"

#include "config/base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char hex[] = "0123456789abcdef";

bool line_put(struct line *line, const char *bytes, size_t length)
{
    if (length > line->size - line->length)
        return false;
    memcpy(line->bytes + line->length, bytes, length);
    line->length += length;
    return true;
}

bool line_print(struct line *line, const char *format, ...)
{
    size_t room = line->size - line->length;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line->bytes + line->length, room, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= room)
        return false;
    line->length += (size_t)length;
    return true;
}

/* Where text ends that has begun at `from`, with room for "...": not in the middle of a character
 * of UTF-8. */
static void end_cut(struct line *line, size_t from)
{
    size_t length = line->length;
    while (length > from && ((unsigned char)line->bytes[length - 1] & 0xc0) == 0x80)
        length--;
    if (length > from && ((unsigned char)line->bytes[length - 1] & 0xc0) == 0xc0)
        length--;
    memcpy(line->bytes + length, "...", 3);
    line->length = length + 3;
}

/* A byte as it stands in the line. Returns its length. */
static size_t escape(unsigned char byte, bool quotable, char piece[static 4])
{
    bool control = byte < 0x20 || byte == 0x7f;
    bool short_form = byte == '\n' || byte == '\r' || byte == '\t';
    if (!control && !(quotable && (byte == '"' || byte == '\\'))) {
        piece[0] = (char)byte;
        return 1;
    }
    piece[0] = '\\';
    if (short_form) {
        piece[1] = byte == '\n' ? 'n' : byte == '\r' ? 'r' : 't';
        return 2;
    }
    piece[1] = 'x';
    piece[2] = hex[byte >> 4];
    piece[3] = hex[byte & 15];
    return 4;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void put_escaped(struct line *line, const char *text, bool cut, bool quotable, size_t most)
{
    const size_t end = smaller(most, line->size), from = line->length;
    const char *c = text;
    if (end < from + 3)
        return;
    for (; *c; c++) {
        char piece[4];
        size_t length = escape((unsigned char)*c, quotable, piece);
        if (line->length + length > end - 3)
            break;
        memcpy(line->bytes + line->length, piece, length);
        line->length += length;
    }
    if (*c || cut)
        end_cut(line, from);
}

void line_put_text(struct line *line, const char *text, bool cut, size_t most)
{
    put_escaped(line, text, cut, false, most);
}

void line_put_quotable(struct line *line, const char *text, size_t most)
{
    put_escaped(line, text, false, true, most);
}

/* The character at c as it stands in a string of JSON. Returns the length, and moves *c on. */
static size_t json_piece(const unsigned char **c, char piece[static 8])
{
    size_t length = utf8_length(*c);
    unsigned char byte = **c;
    if (length == 0) {
        (*c)++;
        memcpy(piece, "\\ufffd", 6);
        return 6;
    }
    if (length == 1 && (byte == '"' || byte == '\\')) {
        (*c)++;
        piece[0] = '\\';
        piece[1] = (char)byte;
        return 2;
    }
    if (byte < 0x20 || byte == 0x7f) {
        (*c)++;
        memcpy(piece, "\\u00", 4);
        piece[4] = hex[byte >> 4];
        piece[5] = hex[byte & 15];
        return 6;
    }
    memcpy(piece, *c, length);
    *c += length;
    return length;
}

bool line_put_json(struct line *line, const char *text, bool cut, size_t most)
{
    const size_t end = smaller(most, line->size);
    const unsigned char *c = (const unsigned char *)text;
    if (end < line->length + 5)
        return false;
    line->bytes[line->length++] = '"';
    while (*c) {
        char piece[8];
        const unsigned char *next = c;
        size_t length = json_piece(&next, piece);
        if (line->length + length > end - 4)
            break;
        memcpy(line->bytes + line->length, piece, length);
        line->length += length;
        c = next;
    }
    if (*c || cut)
        (void)line_put(line, "...", 3);
    line->bytes[line->length++] = '"';
    return true;
}

bool line_put_milliseconds(struct line *line, uint64_t microseconds)
{
    return line_print(line, "%llu.%03u", (unsigned long long)(microseconds / 1000),
                      (unsigned)(microseconds % 1000));
}
