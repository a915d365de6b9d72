/* Memory of one import: everything is freed together. Ends the process if there is none left, as
 * memory.h (base) does. */
#ifndef RPPROXY_CONFIG_IMPORT_ARENA_H
#define RPPROXY_CONFIG_IMPORT_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *blocks;
};

/* Zeroed memory, aligned for anything. */
void *arena_new(struct arena *arena, size_t count, size_t size)
    __attribute__((returns_nonnull, warn_unused_result));

char *arena_copy_n(struct arena *arena, const char *text, size_t length)
    __attribute__((returns_nonnull, warn_unused_result));

char *arena_copy(struct arena *arena, const char *text)
    __attribute__((returns_nonnull, warn_unused_result));

char *arena_print(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3), returns_nonnull, warn_unused_result));

/* Returns items, moved if necessary, with room for one more than count. */
void *arena_grow(struct arena *arena, void *items, size_t count, size_t *capacity, size_t size)
    __attribute__((returns_nonnull, warn_unused_result));

void arena_free(struct arena *arena);

#endif
