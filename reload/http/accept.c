#include "reload/http/accept.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

static const char blanks[] = " \t";

/* The weight of a range in thousandths, RFC 9110 section 12.4.2; 0 where it is malformed. */
static unsigned read_weight(const char *text, size_t length)
{
    unsigned weight = 0;
    if (length == 0 || length > 5 || (text[0] != '0' && text[0] != '1') ||
        (length > 1 && text[1] != '.'))
        return 0;
    weight = (unsigned)(text[0] - '0') * 1000;
    for (size_t i = 2, unit = 100; i < length; i++, unit /= 10) {
        if (text[i] < '0' || text[i] > '9')
            return 0;
        weight += (unsigned)(text[i] - '0') * (unsigned)unit;
    }
    return weight <= 1000 ? weight : 0;
}

/* One range, "TYPE;NAME=VALUE;q=0.5". */
static unsigned weight_of(const char *range, size_t length)
{
    unsigned weight = 1000;
    for (size_t at = 0; at < length;) {
        size_t part = 0;
        while (at + part < length && range[at + part] != ';')
            part++;
        const char *text = range + at;
        size_t left = part;
        while (left > 0 && strchr(blanks, *text))
            text++, left--;
        while (left > 0 && strchr(blanks, text[left - 1]))
            left--;
        if (at > 0 && left >= 2 && strncasecmp(text, "q=", 2) == 0)
            weight = read_weight(text + 2, left - 2);
        at += part + 1;
    }
    return weight;
}

static bool is_type(const char *range, size_t length, const char *type)
{
    const size_t size = strlen(type);
    return length >= size && strncasecmp(range, type, size) == 0 &&
           (length == size || strchr("; \t", range[size]));
}

bool accept_wants_openmetrics(const char *header)
{
    unsigned openmetrics = 0, text = 0;
    while (header && *header) {
        header += strspn(header, " \t,");
        size_t length = strcspn(header, ",");
        unsigned weight = weight_of(header, length);
        if (is_type(header, length, "application/openmetrics-text"))
            openmetrics = weight > openmetrics ? weight : openmetrics;
        else if (is_type(header, length, "text/plain"))
            text = weight > text ? weight : text;
        header += length;
    }
    return openmetrics > 0 && openmetrics >= text;
}
