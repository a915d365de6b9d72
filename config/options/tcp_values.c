#include "config/options/tcp_values.h"

#include "config/base/memory.h"
#include "config/base/tcp_tuning.h"
#include "config/syntax/value.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The most that Linux takes: MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL and MAX_TCP_KEEPCNT. */
#define SECONDS_MAX 32767
#define COUNT_MAX   127

/* Whole seconds, 1 to SECONDS_MAX. */
static bool read_seconds(const char *text, uint32_t *seconds)
{
    millis time;
    if (!text || value_duration(text, &time) || time % 1000 != 0 || time == 0 ||
        time / 1000 > SECONDS_MAX)
        return false;
    *seconds = (uint32_t)(time / 1000);
    return true;
}

static bool read_times(const char *value, struct tcp_tuning *tuning)
{
    uint64_t count = 0;
    char *words = memory_copy(value);
    char *rest;
    const char *idle = strtok_r(words, ",", &rest);
    const char *interval = strtok_r(NULL, ",", &rest);
    const char *probes = strtok_r(NULL, ",", &rest);
    bool good = read_seconds(idle, &tuning->idle) && read_seconds(interval, &tuning->interval) &&
                probes && !value_unsigned(probes, &count) && count >= 1 && count <= COUNT_MAX &&
                !strtok_r(NULL, ",", &rest);
    tuning->count = (uint32_t)count;
    free(words);
    return good;
}

static const char *read_keepalive(const char *value, void *member,
                                  const struct option_context *context)
{
    struct tcp_tuning *tuning = member;
    struct tcp_tuning read = {.keepalive = KEEPALIVE_TIMES, .user_timeout = tuning->user_timeout};
    (void)context;
    if (strcmp(value, "yes") == 0)
        read = (struct tcp_tuning){.user_timeout = tuning->user_timeout};
    else if (strcmp(value, "no") == 0)
        read.keepalive = KEEPALIVE_NO;
    else if (!read_times(value, &read))
        return "must be yes, no or IDLE,INTERVAL,COUNT: 60s,10s,5";
    *tuning = read;
    return NULL;
}

static bool write_keepalive(const void *member, size_t item, FILE *out)
{
    const struct tcp_tuning *tuning = member;
    (void)item;
    if (tuning->keepalive == KEEPALIVE_TIMES)
        fprintf(out, "%" PRIu32 "s,%" PRIu32 "s,%" PRIu32, tuning->idle, tuning->interval,
                tuning->count);
    else
        fputs(tuning->keepalive == KEEPALIVE_NO ? "no" : "yes", out);
    return true;
}

const struct option_custom keepalive_custom = {
    .form = "yes, no or IDLE,INTERVAL,COUNT", .read = read_keepalive, .write = write_keepalive};
