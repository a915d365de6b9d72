#include "reload/http/form.h"

#include "config/syntax/value.h"

#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <limits.h>
#include <string.h>

static bool take_field(const struct evkeyvalq *fields, const char *name, char *to, size_t size)
{
    const char *value = evhttp_find_header(fields, name);
    to[0] = '\0';
    if (!value || strlen(value) >= size)
        return !value;
    for (const char *at = value; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            return false;
    memcpy(to, value, strlen(value) + 1);
    return true;
}

static bool is_action(const char *action)
{
    return strcmp(action, "server") == 0 || strcmp(action, "frontend") == 0 ||
           strcmp(action, "promote") == 0 || strcmp(action, "abort") == 0;
}

bool form_read_change(const char *bytes, size_t length, struct change_form *form)
{
    struct evkeyvalq fields;
    char text[FORM_MAX + 1];
    if (length == 0 || length > FORM_MAX || memchr(bytes, '\0', length))
        return false;
    memcpy(text, bytes, length);
    text[length] = '\0';
    if (strstr(text, "%00") || evhttp_parse_query_str(text, &fields))
        return false;
    bool good = take_field(&fields, "action", form->action, sizeof form->action) &&
                take_field(&fields, "server", form->server, sizeof form->server) &&
                take_field(&fields, "frontend", form->frontend, sizeof form->frontend) &&
                take_field(&fields, "set", form->set, sizeof form->set);
    evhttp_clear_headers(&fields);
    return good && is_action(form->action);
}

static bool read_number(const struct evkeyvalq *fields, const char *name, unsigned *number)
{
    const char *text = evhttp_find_header(fields, name);
    uint64_t value;
    if (!text || value_unsigned(text, &value) || value == 0 || value > INT_MAX)
        return false;
    *number = (unsigned)value;
    return true;
}

bool form_read_generations(const char *query, unsigned *from, unsigned *to)
{
    struct evkeyvalq fields;
    if (!query || evhttp_parse_query_str(query, &fields))
        return false;
    bool good = read_number(&fields, "from", from) && read_number(&fields, "to", to);
    evhttp_clear_headers(&fields);
    return good;
}
