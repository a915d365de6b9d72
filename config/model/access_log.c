#include "config/model/access_log.h"

#define ACCESS_FIELD_NAME(id, name) [ACCESS_##id] = name,
const char *const access_field_names[ACCESS_FIELD_COUNT] = {ACCESS_FIELDS(ACCESS_FIELD_NAME)};

bool log_format_has(const struct log_format *format, enum access_field field)
{
    for (size_t i = 0; i < format->piece_count; i++)
        if (format->pieces[i].field == (int)field)
            return true;
    return format->form == LOG_AS_JSON;
}
