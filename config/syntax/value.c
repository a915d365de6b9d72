#include "config/syntax/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct unit {
    const char *name;
    millis length;
} units[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

const char *value_bool(const char *text, bool *value)
{
    if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
        return "must be yes or no";
    *value = text[0] == 'y';
    return NULL;
}

/* Reads the digits at the start of text. Returns the rest, or NULL: no digit, or more than 64
 * bits. */
static const char *read_digits(const char *text, uint64_t *value)
{
    uint64_t sum = 0;
    const char *c = text;
    for (; *c >= '0' && *c <= '9'; c++)
        if (__builtin_mul_overflow(sum, 10U, &sum) ||
            __builtin_add_overflow(sum, (uint64_t)(*c - '0'), &sum))
            return NULL;
    *value = sum;
    return c == text ? NULL : c;
}

static bool all_digits(const char *text)
{
    return *text && text[strspn(text, "0123456789")] == '\0';
}

const char *value_unsigned(const char *text, uint64_t *value)
{
    uint64_t number;
    const char *rest = read_digits(text, &number);
    if (!rest && all_digits(text))
        return "is too large";
    if (!rest || *rest)
        return "is not a whole number";
    *value = number;
    return NULL;
}

const char *value_duration(const char *text, millis *value)
{
    uint64_t number;
    size_t digits = strspn(text, "0123456789");
    if (digits == 0)
        return "is not a time; write a number and its unit: 100ms, 5s, 10m, 1h";
    if (!text[digits])
        return "needs a unit: 100ms, 5s, 10m, 1h";
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(text + digits, units[i].name) != 0)
            continue;
        if (!read_digits(text, &number) || __builtin_mul_overflow(number, units[i].length, &number))
            return "is too large";
        *value = number;
        return NULL;
    }
    return "is not a time; write a number and its unit: 100ms, 5s, 10m, 1h";
}

const char *duration_text(millis value, char text[static DURATION_TEXT_MAX])
{
    if (value == 0)
        return strcpy(text, "0s");
    size_t i = 0;
    while (value % units[i].length != 0)
        i++;
    snprintf(text, DURATION_TEXT_MAX, "%" PRIu64 "%s", value / units[i].length, units[i].name);
    return text;
}

bool is_name(const char *text)
{
    return *text && text[strspn(text, "abcdefghijklmnopqrstuvwxyz"
                                      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789_.-")] == '\0';
}
