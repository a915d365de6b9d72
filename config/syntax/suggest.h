/* "Did you mean": finds the known word that is most similar to an unknown one. */
#ifndef RPPROXY_CONFIG_SYNTAX_SUGGEST_H
#define RPPROXY_CONFIG_SYNTAX_SUGGEST_H

#include <stddef.h>

/* A search for the word that is most similar to `unknown`. */
struct suggestion {
    const char *unknown;
    const char *best; /* NULL: no word is similar enough */
    size_t distance;  /* of best */
};

struct suggestion suggest_begin(const char *unknown);

/* Offers a candidate, which must live as long as the suggestion. Of two equally similar ones the
 * first is used. */
void suggest_offer(struct suggestion *suggestion, const char *candidate);

/* Writes "; did you mean 'BEST'?", or nothing. Returns text. */
#define SUGGEST_TEXT_MAX 256
const char *suggest_text(const struct suggestion *suggestion, char text[static SUGGEST_TEXT_MAX]);

#endif
