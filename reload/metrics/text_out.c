#include "reload/metrics/text_out.h"

#include "config/base/utf8.h"

#include <errno.h>
#include <string.h>

void text_out_begin(struct text_out *out, struct evbuffer *buffer)
{
    out->buffer = buffer;
    out->failed = false;
    out->used = 0;
}

static void flush(struct text_out *out)
{
    if (!out->failed && evbuffer_add(out->buffer, out->piece, out->used))
        out->failed = true;
    out->used = 0;
}

int text_out_end(struct text_out *out)
{
    flush(out);
    return out->failed ? ENOMEM : 0;
}

static __attribute__((noinline)) void put_parts(struct text_out *out, const char *bytes,
                                                size_t length)
{
    while (length > sizeof out->piece - out->used) {
        size_t part = sizeof out->piece - out->used;
        memcpy(out->piece + out->used, bytes, part);
        out->used += part;
        bytes += part;
        length -= part;
        flush(out);
    }
    memcpy(out->piece + out->used, bytes, length);
    out->used += length;
}

static inline void put(struct text_out *out, const char *bytes, size_t length)
{
    if (length > sizeof out->piece - out->used) {
        put_parts(out, bytes, length);
        return;
    }
    memcpy(out->piece + out->used, bytes, length);
    out->used += length;
}

void text_out(struct text_out *out, const char *text)
{
    put(out, text, strlen(text));
}

/* Writes the number in front of end, with so many digits at least. Returns where it begins. */
static char *digits_before(char *end, uint64_t number, unsigned least)
{
    for (unsigned i = 0; number > 0 || i < least; i++, number /= 10)
        *--end = (char)('0' + number % 10);
    return end;
}

void text_out_unsigned(struct text_out *out, uint64_t number)
{
    char text[20];
    char *end = text + sizeof text;
    char *begin = digits_before(end, number, 1);
    put(out, begin, (size_t)(end - begin));
}

void text_out_decimal(struct text_out *out, uint64_t number, unsigned digits)
{
    char text[9];
    uint64_t whole = 1;
    if (digits == 0) {
        text_out_unsigned(out, number);
        return;
    }
    for (unsigned i = 0; i < digits; i++)
        whole *= 10;
    text_out_unsigned(out, number / whole);
    number %= whole;
    if (number == 0)
        return;
    for (; number % 10 == 0; number /= 10)
        digits--;
    put(out, ".", 1);
    digits_before(text + digits, number, digits);
    put(out, text, digits);
}

/* How many bytes from there on stand for themselves, and are ASCII. */
static size_t plain_length(const unsigned char *at)
{
    size_t length = 0;
    while (at[length] >= ' ' && at[length] < 0x80 && at[length] != '\\' && at[length] != '"')
        length++;
    return length;
}

void text_out_label_value(struct text_out *out, const char *value)
{
    const unsigned char *at = (const unsigned char *)value;
    for (;;) {
        size_t plain = plain_length(at);
        put(out, (const char *)at, plain);
        at += plain;
        if (*at == '\0')
            return;
        size_t length = utf8_length(at);
        if (*at == '\\' || *at == '"')
            put(out, "\\", 1);
        if (*at == '\n')
            put(out, "\\n", 2);
        else if (length == 0)
            put(out, "?", 1);
        else
            put(out, (const char *)at, length);
        at += length ? length : 1;
    }
}
