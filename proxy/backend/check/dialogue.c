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
