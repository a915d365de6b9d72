/* Sets of servers, by their places in the backend: a bit for each. */
#ifndef RPPROXY_PROXY_BACKEND_BALANCE_PLACE_SET_H
#define RPPROXY_PROXY_BACKEND_BALANCE_PLACE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PLACES_OF_WORD 64

/* A zeroed set is empty. free(3) frees the words. */
struct place_set {
    uint64_t *words;
    size_t count; /* of the words */
};

/* Empties the set, which has room for so many places from now on. False: out of memory; the set is
 * as before. */
static inline bool place_set_clear(struct place_set *set, size_t places)
{
    size_t count = (places + PLACES_OF_WORD - 1) / PLACES_OF_WORD;
    if (count > set->count) {
        uint64_t *words = realloc(set->words, count * sizeof *words);
        if (!words)
            return false;
        set->words = words;
        set->count = count;
    }
    if (set->count > 0)
        memset(set->words, 0, set->count * sizeof *set->words);
    return true;
}

static inline void place_set_add(struct place_set *set, size_t place)
{
    set->words[place / PLACES_OF_WORD] |= UINT64_C(1) << place % PLACES_OF_WORD;
}

static inline void place_set_remove(struct place_set *set, size_t place)
{
    set->words[place / PLACES_OF_WORD] &= ~(UINT64_C(1) << place % PLACES_OF_WORD);
}

/* The least place in the bits of a word; there is one. */
static inline size_t place_in_word(size_t word, uint64_t bits)
{
    return word * PLACES_OF_WORD + (size_t)__builtin_ctzll(bits);
}

#endif
