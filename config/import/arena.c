#include "config/import/arena.h"

#include "config/base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 65536u

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    _Alignas(max_align_t) char bytes[];
};

static void *take(struct arena *arena, size_t size)
{
    const size_t step = _Alignof(max_align_t);
    size = (size + step - 1) / step * step;
    struct arena_block *block = arena->blocks;
    if (!block || block->size - block->used < size) {
        size_t bytes = size > BLOCK_BYTES ? size : BLOCK_BYTES;
        block = memory_new(1, sizeof *block + bytes);
        block->size = bytes;
        block->next = arena->blocks;
        arena->blocks = block;
    }
    void *memory = block->bytes + block->used;
    block->used += size;
    return memory;
}

void *arena_new(struct arena *arena, size_t count, size_t size)
{
    return take(arena, count * size + 1);
}

char *arena_copy_n(struct arena *arena, const char *text, size_t length)
{
    char *copy = take(arena, length + 1);
    memcpy(copy, text, length);
    return copy;
}

char *arena_copy(struct arena *arena, const char *text)
{
    return arena_copy_n(arena, text, strlen(text));
}

char *arena_print(struct arena *arena, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    char *text = take(arena, (length < 0 ? 0 : (size_t)length) + 1);
    if (length > 0)
        (void)vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    va_end(arguments);
    return text;
}

void *arena_grow(struct arena *arena, void *items, size_t count, size_t *capacity, size_t size)
{
    if (items && count < *capacity)
        return items;
    size_t more = *capacity ? *capacity * 2 : 8;
    void *grown = arena_new(arena, more, size);
    if (items && count > 0)
        memcpy(grown, items, count * size);
    *capacity = more;
    return grown;
}

void arena_free(struct arena *arena)
{
    while (arena->blocks) {
        struct arena_block *block = arena->blocks;
        arena->blocks = block->next;
        free(block);
    }
}
