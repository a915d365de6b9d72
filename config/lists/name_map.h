/* Finds the value of a host name among very many names and patterns.
 *
 *   NAME        this name only
 *   *.NAME      names that end in ".NAME", with a label or more before it
 *   *NAME       names that end in NAME: NAME itself as well
 *   *           every name
 *
 * A name comes before any pattern, and a longer pattern before a shorter one. Upper and lower case
 * are the same, and a dot at the end does not count.
 *
 * All entries are in one hash table. A name is looked up once for itself, and once for each length
 * that any pattern has: with patterns of the usual form that is once for each label, however many
 * entries there are. */
#ifndef RPPROXY_CONFIG_LISTS_NAME_MAP_H
#define RPPROXY_CONFIG_LISTS_NAME_MAP_H

#include <stddef.h>
#include <stdint.h>

/* Of a name or a pattern, without '*' and the dot at its end. */
#define NAME_MAP_TEXT_MAX 255

/* The value where nothing matches. */
#define NAME_NO_VALUE UINT32_MAX

struct name_map;

/* While a configuration is read: make and add exit if there is no memory. Afterwards the map does
 * not change any more. */
struct name_map *name_map_make(void) __attribute__((returns_nonnull, warn_unused_result));

/* Adds a name or a pattern. Returns NULL, or what is wrong: a string constant that can follow the
 * text; name_is_twice where the map has an entry for the same names, which stays. */
extern const char name_is_twice[];
const char *name_map_add(struct name_map *map, const char *text, uint32_t value)
    __attribute__((warn_unused_result));

/* NULL is fine. */
void name_map_free(struct name_map *map);

size_t name_map_count(const struct name_map *map);

/* The entry that was added as the i-th, as name_map_add() reads it, and its value. Returns text. */
const char *name_map_entry(const struct name_map *map, size_t i,
                           char text[static NAME_MAP_TEXT_MAX + 2], uint32_t *value);

/* Returns the value for the name, in upper or lower case; NAME_NO_VALUE: nothing matches, or the
 * name is empty. Any thread. */
uint32_t name_map_find(const struct name_map *map, const char *name);

#endif
