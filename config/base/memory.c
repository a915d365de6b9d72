#include "config/base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *memory)
{
    if (!memory) {
        fputs("rpproxy: out of memory while the configuration is read\n", stderr);
        exit(EXIT_FAILURE);
    }
    return memory;
}

void *memory_new(size_t count, size_t size)
{
    return checked(calloc(count ? count : 1, size));
}

char *memory_copy(const char *text)
{
    return checked(strdup(text));
}

char *memory_copy_n(const char *text, size_t length)
{
    return checked(strndup(text, length));
}

char *memory_print(const char *format, ...)
{
    va_list arguments;
    char *text = NULL;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    return checked(text);
}

void memory_stream_begin(struct memory_stream *memory)
{
    *memory = (struct memory_stream){0};
    memory->stream = checked(open_memstream(&memory->text, &memory->length));
}

char *memory_stream_end(struct memory_stream *memory)
{
    return checked(fclose(memory->stream) == 0 ? memory->text : NULL);
}

const char *memory_stream_text(struct memory_stream *memory)
{
    char *text = checked(fflush(memory->stream) == 0 ? memory->text : NULL);
    text[memory->length] = '\0'; /* the stream puts it after the longest text so far */
    return text;
}

void memory_stream_again(struct memory_stream *memory)
{
    rewind(memory->stream);
}

void *memory_grow(void *items, size_t count, size_t *capacity, size_t size)
{
    if (items && count < *capacity)
        return items;
    *capacity = *capacity ? *capacity * 2 : 8;
    return checked(reallocarray(items, *capacity, size));
}
