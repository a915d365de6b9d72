#include "config/options/time_values.h"

#include "config/base/memory.h"
#include "config/model/config.h"
#include "config/syntax/value.h"

#include <stdlib.h>
#include <string.h>

#define LONGEST (UINT64_C(8760) * 60 * 60 * 1000)

static const char *read_duration(const char *text, millis *length)
{
    const char *wrong = value_duration(text, length);
    return !wrong && *length > LONGEST ? "must be 0s to 8760h" : wrong;
}

/* "10%", up to 90%: a session lasts a tenth of its time at least. */
static bool read_jitter(const char *text, unsigned *jitter)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 2 || strcmp(text + digits, "%") != 0)
        return false;
    *jitter = (unsigned)strtoul(text, NULL, 10);
    return *jitter <= 90;
}

static const char *read_life(const char *value, void *member, const struct option_context *context)
{
    static const char name[] = "jitter=";
    struct session_life life = {0};
    char *words = memory_copy(value);
    char *rest;
    const char *wrong = read_duration(strtok_r(words, " \t", &rest), &life.length);
    const char *word = strtok_r(NULL, " \t", &rest);
    (void)context;
    if (!wrong && word &&
        (strncmp(word, name, strlen(name)) != 0 ||
         !read_jitter(word + strlen(name), &life.jitter) || strtok_r(NULL, " \t", &rest)))
        wrong = "must be TIME, or TIME jitter=N% with 0% to 90%: 12h jitter=10%";
    free(words);
    if (!wrong)
        *(struct session_life *)member = life;
    return wrong;
}

static bool write_life(const void *member, size_t item, FILE *out)
{
    const struct session_life *life = member;
    char text[DURATION_TEXT_MAX];
    (void)item;
    fputs(duration_text(life->length, text), out);
    if (life->jitter > 0)
        fprintf(out, " jitter=%u%%", life->jitter);
    return true;
}

const struct option_custom session_life_custom = {
    .form = "TIME [jitter=N%]", .read = read_life, .write = write_life};

static const char *read_idle(const char *value, void *member, const struct option_context *context)
{
    millis length = 0;
    bool is_time = strcmp(value, "frontend") != 0;
    (void)context;
    const char *wrong = is_time ? read_duration(value, &length) : NULL;
    if (!wrong)
        *(millis *)member = is_time && length == 0 ? IDLE_FOR_EVER : length;
    return wrong;
}

static bool write_idle(const void *member, size_t item, FILE *out)
{
    const millis *length = member;
    char text[DURATION_TEXT_MAX];
    (void)item;
    if (*length == 0)
        fputs("frontend", out);
    else
        fputs(duration_text(*length == IDLE_FOR_EVER ? 0 : *length, text), out);
    return true;
}

const struct option_custom backend_idle_custom = {
    .form = "frontend or 0s to 8760h", .read = read_idle, .write = write_idle};
