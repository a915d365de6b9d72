#include "config/syntax/expand.h"

#include "config/base/memory.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t name_length(const char *text)
{
    size_t length = 0;
    if (isdigit((unsigned char)text[0]))
        return 0;
    while (isalnum((unsigned char)text[length]) || text[length] == '_')
        length++;
    return length;
}

/* Writes what stands for the variable at text, which begins after "${", and moves *text behind
 * its '}'. Returns NULL or what is wrong. */
static const char *expand_one(const char **text, FILE *out)
{
    static _Thread_local char message[256];
    size_t length = name_length(*text);
    const char *rest = *text + length;
    const char *end = strchr(*text, '}');
    if (!end)
        return "'${' has no '}'";
    bool has_default = strncmp(rest, ":-", 2) == 0;
    if (length == 0 || (*rest != '}' && !has_default))
        return "variables are written ${NAME} or ${NAME:-DEFAULT}";
    char *name = memory_copy_n(*text, length);
    const char *value = getenv(name);
    const char *wrong = NULL;
    if (value && (*value || !has_default)) {
        fputs(value, out);
    } else if (has_default) {
        fwrite(rest + 2, 1, (size_t)(end - rest) - 2, out);
    } else {
        snprintf(message, sizeof message,
                 "variable '%s' is not defined; ${%s:-DEFAULT} gives it a default", name, name);
        wrong = message;
    }
    free(name);
    *text = end + 1;
    return wrong;
}

char *expand_variables(const char *value, const char **wrong)
{
    *wrong = NULL;
    if (!strstr(value, "${"))
        return memory_copy(value);
    char *result = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&result, &size); /* 8 KB and more: not for every line of a file */
    if (!out)
        *wrong = "out of memory";
    while (!*wrong && *value) {
        if (strncmp(value, "${", 2) != 0) {
            putc(*value++, out);
            continue;
        }
        value += 2;
        *wrong = expand_one(&value, out);
    }
    if (out && fclose(out) != 0 && !*wrong)
        *wrong = "out of memory";
    if (!*wrong)
        return result;
    free(result);
    return NULL;
}
