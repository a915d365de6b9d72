#include "config/options/admission_values.h"

#include "config/base/error_text.h"
#include "config/base/memory.h"
#include "config/model/config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- allow and deny ------------------------------------------------------------------------ */

static const char *add_words(const char *value, struct address_rules *rules, unsigned access,
                             const struct option_context *context)
{
    static const char blanks[] = " \t";
    const struct list_origin origin = {.problems = context->problems,
                                       .place = context->place,
                                       .option = access == ACCESS_ALLOW ? "allow" : "deny"};
    char *words = memory_copy(value);
    const char *wrong = NULL;
    char *rest;
    for (char *word = strtok_r(words, blanks, &rest); word && !wrong;
         word = strtok_r(NULL, blanks, &rest)) {
        wrong = address_rules_add(rules, word, access, context->files, &origin);
        if (wrong && strcmp(word, value) != 0)
            wrong = error_text("contains '%.60s', which %s", word, wrong);
    }
    free(words);
    return wrong;
}

static const char *read_allow(const char *value, void *member, const struct option_context *context)
{
    return add_words(value, member, ACCESS_ALLOW, context);
}

static const char *read_deny(const char *value, void *member, const struct option_context *context)
{
    return add_words(value, member, ACCESS_DENY, context);
}

static bool write_rule(const void *member, size_t item, FILE *out)
{
    const struct address_rules *rules = member;
    if (item >= rules->count)
        return false;
    address_rule_write(&rules->items[item], out);
    return true;
}

static const char *key_of_rule(const void *member, size_t item)
{
    const struct address_rules *rules = member;
    if (item >= rules->count)
        return NULL;
    return rules->items[item].value == ACCESS_ALLOW ? "allow" : "deny";
}

/* The option `allow` writes all. */
static bool write_nothing(const void *member, size_t item, FILE *out)
{
    (void)member;
    (void)item;
    (void)out;
    return false;
}

static void release_rules(void *member)
{
    struct address_rules *rules = member;
    free(rules->items);
    *rules = (struct address_rules){0};
}

const struct option_custom access_allow = {.form = "any, ADDRESS, ADDRESS/BITS or @FILE ...",
                                           .read = read_allow,
                                           .write = write_rule,
                                           .key = key_of_rule,
                                           .release = release_rules};
const struct option_custom access_deny = {.form = "any, ADDRESS, ADDRESS/BITS or @FILE ...",
                                          .read = read_deny,
                                          .write = write_nothing,
                                          .release = release_rules};

/* --- rates --------------------------------------------------------------------------------- */

static const struct {
    const char *unit;
    uint32_t period;
} periods[] = {{"/s", 1000}, {"/m", 60000}, {"/h", 3600000}};

#define PERIODS (sizeof periods / sizeof periods[0])

static const char *read_rate(const char *value, void *member, const struct option_context *context)
{
    static const char form[] = "must be unlimited, or 1 to 1000000 with /s, /m or /h: 100/s";
    struct rate *rate = member;
    size_t digits = strspn(value, "0123456789");
    size_t unit = 0;
    (void)context;
    if (strcmp(value, "unlimited") == 0) {
        *rate = (struct rate){0};
        return NULL;
    }
    while (unit < PERIODS && strcmp(value + digits, periods[unit].unit) != 0)
        unit++;
    unsigned long count = digits > 0 && digits < 9 ? strtoul(value, NULL, 10) : 0;
    if (unit == PERIODS || count < 1 || count > RATE_COUNT_MAX)
        return form;
    *rate = (struct rate){(uint32_t)count, periods[unit].period};
    return NULL;
}

static bool write_rate(const void *member, size_t item, FILE *out)
{
    const struct rate *rate = member;
    (void)item;
    if (rate->count == 0)
        fputs("unlimited", out);
    for (size_t i = 0; rate->count && i < PERIODS; i++)
        if (rate->period == periods[i].period)
            fprintf(out, "%" PRIu32 "%s", rate->count, periods[i].unit);
    return true;
}

const struct option_custom rate_custom = {
    .form = "unlimited, N/s, N/m or N/h", .read = read_rate, .write = write_rate};
