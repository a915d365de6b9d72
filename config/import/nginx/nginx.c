#include "config/import/finish.h"
#include "config/import/nginx/directives.h"
#include "config/import/nginx/servers.h"

#include <inttypes.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>

static void write_global(struct import *import, const struct ngx_list *main)
{
    struct ini_section *out = ini_only(&import->ini, SECTION_GLOBAL);
    const struct ngx_directive *workers = ngx_find(main, "worker_processes");
    const struct ngx_directive *timeout = ngx_find(main, "worker_shutdown_timeout");
    uint64_t time;
    if (workers)
        ini_set(&import->ini, out, workers->origin, "workers", "%s",
                atoi(ngx_word(workers, 1)) > 256 ? "256" : ngx_word(workers, 1));
    if (timeout && ngx_time(ngx_word(timeout, 1), &time))
        ini_set(&import->ini, out, timeout->origin, "drain-timeout", "%s",
                text_duration(&import->arena, time));
    ngx_remark(import, main, NGX_MAIN, out);
}

/* The contents of all blocks stream; or, where there is none, of the file itself. */
static const struct ngx_list *find_stream(struct import *import, const struct ngx_list *main,
                                          bool *whole)
{
    struct ngx_list *stream = arena_new(&import->arena, 1, sizeof *stream);
    bool any = false;
    *whole = false;
    for (size_t i = 0; i < main->count; i++) {
        const struct ngx_directive *block = &main->items[i];
        if (!block->block || strcmp(block->words[0], "stream") != 0)
            continue;
        any = true;
        for (size_t j = 0; j < block->block->count; j++) {
            stream->items = arena_grow(&import->arena, stream->items, stream->count,
                                       &stream->capacity, sizeof *stream->items);
            stream->items[stream->count++] = block->block->items[j];
        }
    }
    if (any || (!ngx_find(main, "server") && !ngx_find(main, "upstream")))
        return stream;
    *whole = true;
    return main;
}

static void convert(struct import *import, const struct ngx_list *main)
{
    bool whole;
    const struct ngx_list *stream = find_stream(import, main, &whole);
    struct ngx_conversion conversion = {.import = import, .stream = stream};
    (void)ini_only(&import->ini, SECTION_GLOBAL);
    for (size_t i = 0; i < stream->count; i++)
        if (stream->items[i].block && strcmp(stream->items[i].words[0], "server") == 0)
            ngx_server_write(&conversion, &stream->items[i]);
    if (whole)
        imported_differently(import, (struct origin){main->items[0].origin.file, 0},
                             "there is no block stream: the file is taken for what stands in one");
    else
        write_global(import, main);
    struct ini_section *defaults = ini_only(&import->ini, SECTION_DEFAULTS);
    ngx_remark(import, stream, NGX_STREAM, defaults);
    import_finish(import);
}

static void begin(struct import *import)
{
    *import = (struct import){0};
    import->ini.arena = &import->arena;
}

void import_nginx_text(struct import *import, const char *name, const char *text, size_t length)
{
    struct ngx_list main = {0};
    begin(import);
    ngx_tree_read(import, NULL, arena_copy(&import->arena, name), text, length, &main);
    convert(import, &main);
}

bool import_nginx(struct import *import, const char *path)
{
    struct ngx_list main = {0};
    char *text;
    size_t length;
    begin(import);
    const char *wrong = import_read(import, path, &text, &length);
    if (wrong) {
        import->error = arena_print(&import->arena, "%s: %s", path, wrong);
        return false;
    }
    ngx_tree_read(import, dirname(arena_copy(&import->arena, path)),
                  arena_copy(&import->arena, path), text, length, &main);
    convert(import, &main);
    return true;
}
