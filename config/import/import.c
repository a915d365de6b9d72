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

/* Servers that a finding names. */
#define NAMES_MOST 4

static bool is_same_line(struct origin one, struct origin other)
{
    return one.line == other.line && one.file == other.file;
}

/* scope: NULL, or a finding of another line is the same as well. Returns NULL if there are too
 * many. */
static struct finding *add(struct import *import, enum finding_kind kind, struct origin origin,
                           const void *scope, const char *text)
{
    for (size_t i = 0; i < import->finding_count; i++) {
        struct finding *other = &import->findings[i];
        if (other->kind == kind && other->scope == scope &&
            (scope || is_same_line(other->origin, origin)) && strcmp(other->text, text) == 0)
            return other;
    }
    import->lost += kind == FINDING_LOST;
    if (import->finding_count == FINDINGS_MAX)
        return NULL;
    import->findings = arena_grow(&import->arena, import->findings, import->finding_count,
                                  &import->finding_capacity, sizeof *import->findings);
    struct finding *finding = &import->findings[import->finding_count++];
    *finding = (struct finding){
        .kind = kind, .origin = origin, .scope = scope, .text = arena_copy(&import->arena, text)};
    return finding;
}

void not_imported(struct import *import, struct origin origin, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    (void)add(import, FINDING_LOST, origin, NULL, text);
}

void imported_differently(struct import *import, struct origin origin, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    (void)add(import, FINDING_NOTE, origin, NULL, text);
}

void server_imported_differently(struct import *import, const void *scope, struct origin origin,
                                 const char *name, const char *detail, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    struct finding *finding = add(import, FINDING_NOTE, origin, scope, text);
    if (!finding)
        return;
    for (size_t i = 0; i < finding->server_count; i++)
        if (is_same_line(finding->servers[i].origin, origin) &&
            strcmp(finding->servers[i].name, name) == 0)
            return;
    finding->servers = arena_grow(&import->arena, finding->servers, finding->server_count,
                                  &finding->server_capacity, sizeof *finding->servers);
    finding->servers[finding->server_count++] = (struct finding_server){origin, name, detail};
}

const char *import_finding_text(struct import *import, const struct finding *finding)
{
    const size_t count = finding->server_count;
    /* "and 1 more" would be no shorter than the name. */
    const size_t named = count > NAMES_MOST + 1 ? NAMES_MOST : count;
    const char *text = count > 1 ? "servers" : "server";
    if (count == 0)
        return finding->text;
    for (size_t i = 0; i < named; i++) {
        const struct finding_server *server = &finding->servers[i];
        const char *before = i == 0 ? " " : i + 1 == count ? " and " : ", ";
        text = arena_print(&import->arena, "%s%s%.100s", text, before, server->name);
        if (server->detail)
            text = arena_print(&import->arena, "%s (%.100s)", text, server->detail);
    }
    if (named < count)
        text = arena_print(&import->arena, "%s and %zu more", text, count - named);
    return arena_print(&import->arena, "%s: %s", text, finding->text);
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
