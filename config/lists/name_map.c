#include "config/lists/name_map.h"

#include "config/base/memory.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Of the slots at least half are empty. */
#define SLOTS_FIRST 16

struct entry {
    uint64_t hash;
    size_t text; /* where it begins in `texts` */
    uint32_t value;
    unsigned char length;
    bool is_suffix;
};

struct name_map {
    struct entry *entries;
    size_t count, capacity;
    uint32_t *slots; /* number of an entry, and 1; 0: empty */
    size_t slot_count;
    char *texts; /* of all entries, without NUL */
    size_t texts_length, texts_capacity;
    uint64_t suffix_lengths[(NAME_MAP_TEXT_MAX + 1) / 64]; /* bit n: there is a suffix so long */
};

const char name_is_twice[] = "is given twice";

/* FNV-1a from the end of a text to its beginning, so that the hashes of all suffixes of a name cost
 * one pass. */
#define HASH_BEGIN UINT64_C(0xcbf29ce484222325)

static uint64_t hash_add(uint64_t hash, char byte)
{
    return (hash ^ (unsigned char)byte) * UINT64_C(0x100000001b3);
}

/* The low bits of FNV depend on low bits only. */
static uint64_t hash_end(uint64_t hash, bool is_suffix)
{
    hash += is_suffix;
    hash ^= hash >> 32;
    hash *= UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

static char lower(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte + 'a' - 'A') : byte;
}

struct name_map *name_map_make(void)
{
    struct name_map *map = memory_new(1, sizeof *map);
    map->slot_count = SLOTS_FIRST;
    map->slots = memory_new(map->slot_count, sizeof *map->slots);
    return map;
}

void name_map_free(struct name_map *map)
{
    if (!map)
        return;
    free(map->entries);
    free(map->slots);
    free(map->texts);
    free(map);
}

size_t name_map_count(const struct name_map *map)
{
    return map->count;
}

static bool has_suffix_of(const struct name_map *map, size_t length)
{
    return map->suffix_lengths[length / 64] >> length % 64 & 1;
}

/* The slot of the entry with this text, or the empty one where it would be. */
static uint32_t *find_slot(const struct name_map *map, uint64_t hash, const char *text,
                           size_t length, bool is_suffix)
{
    size_t mask = map->slot_count - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        uint32_t *slot = &map->slots[i];
        if (*slot == 0)
            return slot;
        const struct entry *entry = &map->entries[*slot - 1];
        if (entry->hash == hash && entry->length == length && entry->is_suffix == is_suffix &&
            (length == 0 || memcmp(map->texts + entry->text, text, length) == 0))
            return slot;
    }
}

static void grow_slots(struct name_map *map)
{
    map->slot_count *= 2;
    free(map->slots);
    map->slots = memory_new(map->slot_count, sizeof *map->slots);
    for (size_t i = 0; i < map->count; i++) {
        const struct entry *entry = &map->entries[i];
        *find_slot(map, entry->hash, map->texts + entry->text, entry->length, entry->is_suffix) =
            (uint32_t)i + 1;
    }
}

static size_t add_text(struct name_map *map, const char *text, size_t length)
{
    size_t at = map->texts_length;
    while (map->texts_capacity < at + length)
        map->texts =
            memory_grow(map->texts, map->texts_capacity, &map->texts_capacity, sizeof *map->texts);
    if (length > 0)
        memcpy(map->texts + at, text, length);
    map->texts_length += length;
    return at;
}

/* Into canonical, in lower case. Returns NULL, or what is wrong. */
static const char *read_text(const char *text, char canonical[static NAME_MAP_TEXT_MAX],
                             size_t *length, bool *is_suffix)
{
    const char *at = text;
    *is_suffix = *at == '*';
    at += *is_suffix;
    *length = strlen(at);
    if (*length > 0 && at[*length - 1] == '.')
        --*length;
    if (*length > NAME_MAP_TEXT_MAX)
        return "is longer than any name";
    if (*length == 0 && strcmp(text, "*") != 0)
        return "is no name";
    for (size_t i = 0; i < *length; i++) {
        canonical[i] = lower(at[i]);
        if (canonical[i] == '.' &&
            (i + 1 == *length || at[i + 1] == '.' || (i == 0 && !*is_suffix)))
            return "has an empty label";
        if (canonical[i] == '*')
            return "has a '*' that does not stand at its beginning";
        if ((unsigned char)canonical[i] >= 128)
            return "must be written in its ASCII form (xn--...)";
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-_.[:]", canonical[i]))
            return "is no name: it has a character that names do not have";
    }
    return NULL;
}

const char *name_map_add(struct name_map *map, const char *text, uint32_t value)
{
    char canonical[NAME_MAP_TEXT_MAX];
    size_t length;
    bool is_suffix;
    const char *wrong = read_text(text, canonical, &length, &is_suffix);
    if (wrong)
        return wrong;
    uint64_t hash = HASH_BEGIN;
    for (size_t i = length; i > 0; i--)
        hash = hash_add(hash, canonical[i - 1]);
    hash = hash_end(hash, is_suffix);
    if (*find_slot(map, hash, canonical, length, is_suffix))
        return name_is_twice;
    if ((map->count + 1) * 2 > map->slot_count)
        grow_slots(map);
    map->entries = memory_grow(map->entries, map->count, &map->capacity, sizeof *map->entries);
    map->entries[map->count++] = (struct entry){.hash = hash,
                                                .text = add_text(map, canonical, length),
                                                .value = value,
                                                .length = (unsigned char)length,
                                                .is_suffix = is_suffix};
    *find_slot(map, hash, canonical, length, is_suffix) = (uint32_t)map->count;
    if (is_suffix)
        map->suffix_lengths[length / 64] |= UINT64_C(1) << length % 64;
    return NULL;
}

const char *name_map_entry(const struct name_map *map, size_t i,
                           char text[static NAME_MAP_TEXT_MAX + 2], uint32_t *value)
{
    const struct entry *entry = &map->entries[i];
    char *at = text;
    if (entry->is_suffix)
        *at++ = '*';
    if (entry->length > 0)
        memcpy(at, map->texts + entry->text, entry->length);
    at[entry->length] = '\0';
    *value = entry->value;
    return text;
}

static uint32_t value_of(const struct name_map *map, uint64_t hash, const char *text, size_t length,
                         bool is_suffix)
{
    uint32_t found = *find_slot(map, hash_end(hash, is_suffix), text, length, is_suffix);
    return found ? map->entries[found - 1].value : NAME_NO_VALUE;
}

uint32_t name_map_find(const struct name_map *map, const char *name)
{
    char text[NAME_MAP_TEXT_MAX];
    size_t length = strlen(name);
    if (length > 0 && name[length - 1] == '.')
        length--;
    if (length == 0 || length > sizeof text)
        return NAME_NO_VALUE;
    uint64_t hash = HASH_BEGIN;
    uint32_t value = NAME_NO_VALUE;
    for (size_t n = 0;; n++) { /* n: length of the suffix */
        const char *suffix = text + length - n;
        /* Before ".NAME" there is a label. */
        if (has_suffix_of(map, n) && !(n == length && *suffix == '.')) {
            uint32_t found = value_of(map, hash, suffix, n, true);
            if (found != NAME_NO_VALUE)
                value = found;
        }
        if (n == length)
            break;
        text[length - n - 1] = lower(name[length - n - 1]);
        hash = hash_add(hash, text[length - n - 1]);
    }
    uint32_t exact = value_of(map, hash, text, length, false);
    return exact != NAME_NO_VALUE ? exact : value;
}
