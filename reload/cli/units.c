#include "reload/cli/units.h"

#include <stddef.h>
#include <stdio.h>

const char *units_time(int64_t milliseconds, char text[static UNITS_TEXT_MAX])
{
    static const struct {
        int64_t length;
        char unit;
    } units[] = {{86400000, 'd'}, {3600000, 'h'}, {60000, 'm'}, {1000, 's'}};
    size_t i = 0;
    while (i < 3 && milliseconds < 2 * units[i].length)
        i++;
    snprintf(text, UNITS_TEXT_MAX, "%lld%c", (long long)(milliseconds / units[i].length),
             units[i].unit);
    return text;
}

const char *units_bytes(double bytes, char text[static UNITS_TEXT_MAX])
{
    static const char units[] = " kMGTPE";
    size_t unit = 0;
    while (bytes >= 999.5 && units[unit + 1]) {
        bytes /= 1024;
        unit++;
    }
    if (unit == 0)
        snprintf(text, UNITS_TEXT_MAX, "%.0f", bytes);
    else
        snprintf(text, UNITS_TEXT_MAX, bytes < 9.95 ? "%.1f%c" : "%.0f%c", bytes, units[unit]);
    return text;
}
