#include "config/secrets.h"

#include "config/options/options.h"

#include <string.h>

static size_t skip_blanks(const char *line, size_t length, size_t at)
{
    while (at < length && (line[at] == ' ' || line[at] == '\t'))
        at++;
    return at;
}

/* Where the value begins that follows a name, which ends at `at`; length: none does. */
static size_t value_behind(const char *line, size_t length, size_t at)
{
    at = skip_blanks(line, length, at);
    if (at == length || line[at] != '=')
        return length;
    at = skip_blanks(line, length, at + 1);
    return at < length && line[at] != '@' ? at : length;
}

static size_t find_value(const char *line, size_t length, const char *name)
{
    const size_t size = strlen(name);
    for (const char *at = line; (at = memmem(at, length - (size_t)(at - line), name, size)); at++) {
        size_t value = value_behind(line, length, (size_t)(at - line) + size);
        if (value < length)
            return value;
    }
    return length;
}

size_t secrets_shown(const char *line, size_t length)
{
    static const struct option *const tables[] = {global_options, frontend_options, backend_options,
                                                  check_options};
    size_t shown = length;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (const struct option *option = tables[i]; option->name; option++) {
            size_t value = option->secret ? find_value(line, length, option->name) : length;
            if (value < shown)
                shown = value;
        }
    return shown;
}
