#include "config/import/finish.h"

#include <string.h>

/* A line with its key is a little longer. */
#define VALUE_BYTES_MAX 4000

static bool has_comment(const char *value)
{
    for (const char *at = value; (at = strpbrk(at, ";#")); at++)
        if (at == value || at[-1] == ' ' || at[-1] == '\t')
            return true;
    return false;
}

static bool has_control(const char *value)
{
    for (; *value; value++)
        if ((unsigned char)*value < ' ' || *value == 127)
            return true;
    return false;
}

/* NULL: the line can stand in a file and means its value. */
static const char *wrong_with(const struct ini_line *line)
{
    size_t length = strlen(line->value);
    bool variables = strcmp(line->key, "server") == 0;
    if (length == 0)
        return "it has no value";
    if (length > VALUE_BYTES_MAX)
        return "it is longer than a line of proxy.ini";
    if (has_comment(line->value))
        return "proxy.ini would take a part of it for a comment";
    if (has_control(line->value))
        return "it has a control byte";
    if (!variables && strstr(line->value, "${"))
        return "proxy.ini would take a part of it for a variable";
    if (line->value[0] == ' ' || line->value[length - 1] == ' ')
        return "it begins or ends with a space";
    return NULL;
}

void import_finish(struct import *import)
{
    for (size_t i = 0; i < import->ini.count; i++)
        for (size_t j = 0; j < import->ini.sections[i]->count; j++) {
            struct ini_line *line = &import->ini.sections[i]->lines[j];
            const char *wrong = line->key && !line->off ? wrong_with(line) : NULL;
            if (!wrong)
                continue;
            line->off = true;
            not_imported(import, line->origin, "%s: %s", line->key, wrong);
        }
    ini_hoist(&import->ini);
    import_sort(import);
}
