#include "config/syntax/words.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t"

/* Copies the word at text to word, and returns what follows it; NULL: a quote is not closed. */
static const char *copy_word(const char *text, char *word)
{
    bool quoted = false;
    for (; *text && (quoted || !strchr(BLANKS, *text)); text++) {
        if (*text == '"') {
            quoted = !quoted;
            continue;
        }
        if (quoted && text[0] == '\\' && (text[1] == '"' || text[1] == '\\'))
            text++;
        *word++ = *text;
    }
    *word = '\0';
    return quoted ? NULL : text;
}

const char *words_split(const char *text, char ***words, size_t *count)
{
    size_t length = strlen(text);
    /* Half as many words as bytes at most, and all their text behind the list. */
    char **list = malloc((length / 2 + 2) * sizeof *list + length + 1);
    if (!list)
        return "there is no memory";
    char *word = (char *)(list + length / 2 + 2);
    *count = 0;
    for (text += strspn(text, BLANKS); *text; text += strspn(text, BLANKS)) {
        list[(*count)++] = word;
        text = copy_word(text, word);
        if (!text) {
            free(list);
            return "a double quote is not closed";
        }
        word += strlen(word) + 1;
    }
    list[*count] = NULL;
    *words = list;
    return NULL;
}

void words_free(char **words)
{
    free(words);
}
