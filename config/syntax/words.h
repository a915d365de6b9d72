/* Splits a command into its words. */
#ifndef RPPROXY_CONFIG_SYNTAX_WORDS_H
#define RPPROXY_CONFIG_SYNTAX_WORDS_H

#include <stddef.h>

/* Splits text at spaces and tabs. Within double quotes these belong to the word, and \" and
 * \\ stand for '"' and '\'; elsewhere a backslash is a backslash. Nothing else has a meaning: no
 * shell reads the words. *words is a list of *count words and a NULL behind them, to be freed by
 * words_free(). Returns NULL, or what is wrong. */
const char *words_split(const char *text, char ***words, size_t *count)
    __attribute__((warn_unused_result));

/* NULL is fine. */
void words_free(char **words);

#endif
