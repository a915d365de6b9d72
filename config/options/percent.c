#include "config/options/percent.h"

#include "config/base/memory.h"
#include "config/syntax/value.h"

#include <stdlib.h>
#include <string.h>

static const char *read_percent(const char *value, void *member,
                                const struct option_context *context)
{
    (void)context;
    size_t length = strlen(value);
    uint64_t number = 101;
    if (length > 1 && value[length - 1] == '%') {
        char *digits = memory_copy_n(value, length - 1);
        if (value_unsigned(digits, &number))
            number = 101;
        free(digits);
    }
    if (number > 100)
        return "must be 0% to 100%";
    unsigned percent = (unsigned)number;
    memcpy(member, &percent, sizeof percent);
    return NULL;
}

static bool write_percent(const void *member, size_t item, FILE *out)
{
    unsigned percent;
    memcpy(&percent, member, sizeof percent);
    if (item == 0)
        fprintf(out, "%u%%", percent);
    return item == 0;
}

const struct option_custom option_percent = {
    .form = "0% to 100%", .read = read_percent, .write = write_percent};
