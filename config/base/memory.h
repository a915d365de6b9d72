/* Allocation for the reading of a configuration. It happens in a process that does not serve yet
 * (`rpproxy check`, or a start), so exhausted memory ends that process, with a message and exit
 * status 1, instead of an error path in every line of the parser. Never use it where sessions
 * live. */
#ifndef RPPROXY_CONFIG_BASE_MEMORY_H
#define RPPROXY_CONFIG_BASE_MEMORY_H

#include <stddef.h>
#include <stdio.h>

/* Zeroed; freed by free(). */
void *memory_new(size_t count, size_t size)
    __attribute__((returns_nonnull, warn_unused_result, malloc));

char *memory_copy(const char *text) __attribute__((returns_nonnull, warn_unused_result, malloc));

char *memory_copy_n(const char *text, size_t length)
    __attribute__((returns_nonnull, warn_unused_result, malloc));

char *memory_print(const char *format, ...)
    __attribute__((format(printf, 1, 2), returns_nonnull, warn_unused_result, malloc));

/* A stream that makes a text; memory_stream_end() closes it and returns the text. */
struct memory_stream {
    FILE *stream;
    char *text;
    size_t length;
};

void memory_stream_begin(struct memory_stream *memory);
char *memory_stream_end(struct memory_stream *memory)
    __attribute__((returns_nonnull, warn_unused_result));

/* Returns items, moved if need be, with room for one more than count; *capacity doubles. */
void *memory_grow(void *items, size_t count, size_t *capacity, size_t size)
    __attribute__((returns_nonnull, warn_unused_result));

#endif
