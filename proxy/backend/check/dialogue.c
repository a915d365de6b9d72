#include "proxy/backend/check/dialogue.h"

#include <stdarg.h>
#include <stdio.h>

static void make_printable(char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            *text = '?';
}

enum dialogue_verdict dialogue_fail(struct dialogue *dialogue, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(dialogue->reason, sizeof dialogue->reason, format, arguments);
    va_end(arguments);
    if (length < 0)
        dialogue->reason[0] = '\0';
    make_printable(dialogue->reason);
    return DIALOGUE_FAILED;
}

const char *dialogue_quote(const void *bytes, size_t length, char text[static DIALOGUE_QUOTE_MAX])
{
    size_t kept = length < DIALOGUE_QUOTE_MAX ? length : DIALOGUE_QUOTE_MAX - 1;
    for (size_t i = 0; i < kept; i++) {
        char byte = ((const char *)bytes)[i];
        text[i] = byte;
        if (byte == '\0')
            text[i] = '?';
    }
    text[kept] = '\0';
    return text;
}
