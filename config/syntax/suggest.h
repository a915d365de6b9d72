/* "Did you mean": the nearest of some words to one that is unknown. */
#ifndef RPPROXY_CONFIG_SYNTAX_SUGGEST_H
#define RPPROXY_CONFIG_SYNTAX_SUGGEST_H

#include <stddef.h>

/* The search for the word that is meant by `unknown`. */
struct suggestion {
    const char *unknown;
    const char *best; /* NULL: nothing is near enough */
    size_t distance;  /* of best */
};

struct suggestion suggest_begin(const char *unknown);

/* Offers a candidate, which must live as long as the suggestion. Of two equally near ones the
 * first offered wins. */
void suggest_offer(struct suggestion *suggestion, const char *candidate);

/* Writes "; did you mean 'BEST'?", or nothing. Returns text. */
#define SUGGEST_TEXT_MAX 256
const char *suggest_text(const struct suggestion *suggestion, char text[static SUGGEST_TEXT_MAX]);

#endif
