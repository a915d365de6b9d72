#include "config/tls/complaint.h"

#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *tls_complain(const char *format, ...)
{
    static _Thread_local char text[1024];
    char made[sizeof text];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(made, sizeof made, format, arguments);
    va_end(arguments);
    memcpy(text, made, sizeof text);
    ERR_clear_error();
    return text;
}

const char *tls_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return reason ? reason : "out of memory";
}
