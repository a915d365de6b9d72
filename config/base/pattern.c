#include "config/base/pattern.h"

#include "config/base/error_text.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

/* Steps of one match, in PCRE2's measure; a plain search takes one for each position. Memory in
 * KiB. */
#define STEPS_MAX  1000000u
#define MEMORY_MAX 4096u

struct pattern {
    pcre2_code *code;
    pcre2_match_context *limits;
};

const char *pattern_new(const char *text, struct pattern **pattern)
{
    int error;
    PCRE2_SIZE at;
    struct pattern *made = calloc(1, sizeof *made);
    if (!made)
        return "out of memory";
    made->code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, 0, &error, &at, NULL);
    if (!made->code) {
        unsigned char why[120];
        pcre2_get_error_message(error, why, sizeof why);
        pattern_free(made);
        return error_text("%s, at character %zu of the regular expression", (const char *)why,
                          (size_t)at + 1);
    }
    made->limits = pcre2_match_context_create(NULL);
    if (!made->limits) {
        pattern_free(made);
        return "out of memory";
    }
    pcre2_set_match_limit(made->limits, STEPS_MAX);
    pcre2_set_heap_limit(made->limits, MEMORY_MAX);
    *pattern = made;
    return NULL;
}

void pattern_free(struct pattern *pattern)
{
    if (!pattern)
        return;
    pcre2_match_context_free(pattern->limits);
    pcre2_code_free(pattern->code);
    free(pattern);
}

bool pattern_find(const struct pattern *pattern, const void *bytes, size_t length, size_t *end)
{
    pcre2_match_data *match = pcre2_match_data_create(1, NULL);
    if (!match)
        return false;
    bool found = pcre2_match(pattern->code, bytes, length, 0, 0, match, pattern->limits) >= 0;
    if (found)
        *end = pcre2_get_ovector_pointer(match)[1];
    pcre2_match_data_free(match);
    return found;
}
