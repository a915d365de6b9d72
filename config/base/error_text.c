#include "config/base/error_text.h"

#include <errno.h>
#include <stdio.h>

enum { TEXTS = 4 };

const char *error_text_list(const char *format, va_list arguments)
{
    static _Thread_local char texts[TEXTS][ERROR_TEXT_MAX];
    static _Thread_local unsigned last;
    const int error = errno;
    last = (last + 1) % TEXTS;
    vsnprintf(texts[last], ERROR_TEXT_MAX, format, arguments);
    errno = error;
    return texts[last];
}

const char *error_text(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *text = error_text_list(format, arguments);
    va_end(arguments);
    return text;
}
