#include "config/tls/complaint.h"

#include "config/base/error_text.h"

#include <openssl/err.h>
#include <stdarg.h>

const char *tls_complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *text = error_text_list(format, arguments);
    va_end(arguments);
    ERR_clear_error();
    return text;
}

const char *tls_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return reason ? reason : "out of memory";
}
