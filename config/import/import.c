#include "config/import/import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_BYTES_MAX (64u << 20)

/* So that a file that is no configuration does not fill a terminal. */
#define FINDINGS_MAX 10000

static void add(struct import *import, enum finding_kind kind, struct origin origin,
                const char *text)
{
    for (size_t i = 0; i < import->finding_count; i++) {
        const struct finding *other = &import->findings[i];
        if (other->kind == kind && other->origin.line == origin.line &&
            other->origin.file == origin.file && strcmp(other->text, text) == 0)
            return;
    }
    import->lost += kind == FINDING_LOST;
    if (import->finding_count == FINDINGS_MAX)
        return;
    import->findings = arena_grow(&import->arena, import->findings, import->finding_count,
                                  &import->finding_capacity, sizeof *import->findings);
    import->findings[import->finding_count++] =
        (struct finding){.kind = kind, .origin = origin, .text = arena_copy(&import->arena, text)};
}

void not_imported(struct import *import, struct origin origin, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    add(import, FINDING_LOST, origin, text);
}

void imported_differently(struct import *import, struct origin origin, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    add(import, FINDING_NOTE, origin, text);
}

static int compare(const void *one, const void *other)
{
    const struct finding *a = one, *b = other;
    int files = strcmp(a->origin.file ? a->origin.file : "", b->origin.file ? b->origin.file : "");
    if (files != 0)
        return files;
    if (a->origin.line != b->origin.line)
        return a->origin.line < b->origin.line ? -1 : 1;
    return a->kind != b->kind ? (int)a->kind - (int)b->kind : strcmp(a->text, b->text);
}

void import_sort(struct import *import)
{
    if (import->finding_count > 0)
        qsort(import->findings, import->finding_count, sizeof *import->findings, compare);
}

void import_free(struct import *import)
{
    arena_free(&import->arena);
    *import = (struct import){0};
}

const char *import_read(struct import *import, const char *path, char **text, size_t *length)
{
    size_t capacity = 65536, used = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return strerror(errno);
    char *bytes = malloc(capacity);
    const char *wrong = bytes ? NULL : strerror(ENOMEM);
    while (!wrong) {
        if (used == capacity) {
            char *more = capacity < FILE_BYTES_MAX ? realloc(bytes, capacity * 2) : NULL;
            if (!more) {
                wrong = "File too large";
                break;
            }
            bytes = more;
            capacity *= 2;
        }
        ssize_t got = read(fd, bytes + used, capacity - used);
        if (got == 0)
            break;
        if (got < 0 && errno != EINTR)
            wrong = strerror(errno);
        else if (got > 0)
            used += (size_t)got;
    }
    close(fd);
    if (!wrong) {
        *text = arena_copy_n(&import->arena, bytes, used);
        *length = used;
    }
    free(bytes);
    return wrong;
}
