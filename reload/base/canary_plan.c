#include "reload/base/canary_plan.h"

#include "config/syntax/value.h"

#include <stdio.h>
#include <string.h>

/* "12.5%" is 1250. Returns what follows the '%', or NULL. */
static const char *read_share(const char *text, unsigned *share)
{
    unsigned sum = 0, decimals = 0;
    const char *c = text;
    for (; *c >= '0' && *c <= '9' && sum < CANARY_WHOLE; c++)
        sum = sum * 10 + (unsigned)(*c - '0');
    if (c == text)
        return NULL;
    if (*c == '.') {
        for (c++; *c >= '0' && *c <= '9' && decimals < 2; c++, decimals++)
            sum = sum * 10 + (unsigned)(*c - '0');
        if (decimals == 0)
            return NULL;
    }
    for (; decimals < 2; decimals++)
        sum *= 10;
    *share = sum;
    return *c == '%' && sum > 0 && sum < CANARY_WHOLE ? c + 1 : NULL;
}

const char *canary_read(const char *text, struct canary_plan *plan)
{
    struct canary_plan read = {0};
    char time[32];
    const char *rest = read_share(text, &read.share);
    if (!rest)
        return "the share must be above 0% and below 100%, with two decimals at most";
    if (*rest++ != ':')
        return "a time must follow the share, as in 5%:30s";
    size_t length = strcspn(rest, ":");
    if (length >= sizeof time)
        return "the time is too long";
    memcpy(time, rest, length);
    time[length] = '\0';
    if (value_duration(time, &read.duration) || read.duration == 0)
        return "the time must be a number above 0 with its unit, as in 5%:30s";
    rest += length;
    read.by_source = strcmp(rest, ":by-source") == 0;
    if (*rest && !read.by_source)
        return "only by-source may follow the time";
    *plan = read;
    return NULL;
}

const char *canary_share_text(const struct canary_plan *plan, char text[static CANARY_SHARE_MAX])
{
    snprintf(text, CANARY_SHARE_MAX, "%g%%%s", plan->share / 100.0,
             plan->by_source ? " by source" : "");
    return text;
}
