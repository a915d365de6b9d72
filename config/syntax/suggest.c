#include "config/syntax/suggest.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Longer words are not compared: no known word is similar to them. */
#define WORD_MAX 63

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edits between two words, where two exchanged letters count as one ("drian"). */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][WORD_MAX + 1];
    size_t length = strlen(b);
    size_t *before = rows[0];
    size_t *last = rows[1];
    size_t *row = rows[2];
    for (size_t j = 0; j <= length; j++)
        last[j] = j;
    memcpy(before, last, sizeof rows[0]);
    for (size_t i = 1; a[i - 1]; i++) {
        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            size_t substituted = last[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least(substituted, least(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        size_t *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[length];
}

struct suggestion suggest_begin(const char *unknown)
{
    return (struct suggestion){.unknown = unknown, .best = NULL, .distance = SIZE_MAX};
}

void suggest_offer(struct suggestion *suggestion, const char *candidate)
{
    size_t length = strlen(suggestion->unknown);
    size_t other = strlen(candidate);
    if (length == 0 || length > WORD_MAX || other > WORD_MAX)
        return;
    /* A third of the letters may be wrong, and at least one. */
    size_t allowed = length < 6 ? 1 : length / 3;
    if ((length > other ? length - other : other - length) > allowed)
        return;
    size_t found = distance(suggestion->unknown, candidate);
    /* If all letters differ ("a" and "b"), the words are not similar. */
    if (found <= allowed && found < length && found < suggestion->distance) {
        suggestion->distance = found;
        suggestion->best = candidate;
    }
}

const char *suggest_text(const struct suggestion *suggestion, char text[static SUGGEST_TEXT_MAX])
{
    text[0] = '\0';
    if (suggestion->best)
        snprintf(text, SUGGEST_TEXT_MAX, "; did you mean '%s'?", suggestion->best);
    return text;
}
