/* Allocation for reading a configuration. The process does not serve yet (`rpproxy check`, or a
 * start), so these functions end it with a message and exit status 1 if there is no memory. Callers
 * need no error path. Never call them in a process that serves. */
#ifndef RPPROXY_CONFIG_BASE_MEMORY_H
#define RPPROXY_CONFIG_BASE_MEMORY_H

#include <stddef.h>
#include <stdio.h>

/* Returns zeroed memory, which the caller frees by free(). */
void *memory_new(size_t count, size_t size)
    __attribute__((returns_nonnull, warn_unused_result, malloc));

char *memory_copy(const char *text) __attribute__((returns_nonnull, warn_unused_result, malloc));

char *memory_copy_n(const char *text, size_t length)
    __attribute__((returns_nonnull, warn_unused_result, malloc));

char *memory_print(const char *format, ...)
    __attribute__((format(printf, 1, 2), returns_nonnull, warn_unused_result, malloc));

/* A stream that writes to a text; memory_stream_end() closes it and returns the text. */
struct memory_stream {
    FILE *stream;
    char *text;
    size_t length;
};

void memory_stream_begin(struct memory_stream *memory);
char *memory_stream_end(struct memory_stream *memory)
    __attribute__((returns_nonnull, warn_unused_result));

/* The text so far, of `length` bytes, until something else is written. memory_stream_again() begins
 * with an empty text: for many short ones, since each new stream clears eight kilobytes first. */
const char *memory_stream_text(struct memory_stream *memory)
    __attribute__((returns_nonnull, warn_unused_result));
void memory_stream_again(struct memory_stream *memory);

/* Returns items, moved if necessary, with room for at least count + 1; doubles *capacity if it is
 * exhausted. */
void *memory_grow(void *items, size_t count, size_t *capacity, size_t size)
    __attribute__((returns_nonnull, warn_unused_result));

#endif
