#include "reload/base/text.h"

#include <stdio.h>
#include <stdlib.h>

json_t *text_json(const char *text, size_t length)
{
    json_t *result = json_stringn(text, length);
    if (result)
        return result;
    char *copy = malloc(length + 1);
    if (!copy)
        return NULL;
    for (size_t i = 0; i < length; i++)
        copy[i] = (unsigned char)text[i] > 127 ? '?' : text[i];
    result = json_stringn(copy, length);
    free(copy);
    return result;
}

const char *sessions_text(uint64_t count, char text[static SESSIONS_TEXT_MAX])
{
    snprintf(text, SESSIONS_TEXT_MAX, "%llu session%s", (unsigned long long)count,
             count == 1 ? "" : "s");
    return text;
}
