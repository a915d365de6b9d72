#include "config/import/haproxy/times.h"

#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

bool hap_time(const char *text, uint64_t *time)
{
    static const struct {
        const char *unit;
        uint64_t factor;
    } units[] = {{"", 1}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    char *end;
    if (!isdigit((unsigned char)*text) || strlen(text) > 15)
        return false;
    uint64_t number = strtoull(text, &end, 10);
    if (strcmp(end, "us") == 0) {
        *time = (number + 999) / 1000;
        return true;
    }
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(units[i].unit, end) == 0) {
            /* Beyond a year all is the same. */
            *time =
                number > 31536000000u / units[i].factor ? 31536000000u : number * units[i].factor;
            return true;
        }
    return false;
}
