#include "reload/cli/plain.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The bytes of the control character that stands there; 0: none does. U+0080 to U+009F have two. */
static size_t control_length(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    if (at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f)
        return 2;
    return at[0] < ' ' || at[0] == 0x7f;
}

static void plain_string(json_t *string)
{
    const char *from = json_string_value(string);
    const char *end = from + json_string_length(string);
    char *copy = malloc((size_t)(end - from) + 1), *to = copy;
    if (!copy) {
        (void)json_string_set_nocheck(string, "?");
        return;
    }
    while (from < end) {
        size_t control = control_length(from);
        *to++ = control ? '?' : *from;
        from += control ? control : 1;
    }
    (void)json_string_setn_nocheck(string, copy, (size_t)(to - copy));
    free(copy);
}

static bool has_control(const json_t *string)
{
    const char *text = json_string_value(string);
    for (size_t i = 0; i < json_string_length(string); i++)
        if (control_length(text + i))
            return true;
    return false;
}

void plain_strings(json_t *value)
{
    const char *name;
    json_t *item;
    size_t i;
    if (json_is_string(value) && has_control(value))
        plain_string(value);
    json_object_foreach(value, name, item) plain_strings(item);
    json_array_foreach(value, i, item) plain_strings(item);
}
