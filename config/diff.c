#include "config/diff.h"

#include "config/base/memory.h"
#include "config/options/options.h"
#include "config/tls/certificate_store.h"
#include "config/write.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A named item of a config, and the section to which it belongs. */
struct item {
    const char *name;
    const void *thing, *holder;
};

struct index {
    struct item *items;
    size_t count;
};

static int by_name(const void *left, const void *right)
{
    const struct item *a = left;
    const struct item *b = right;
    return strcmp(a->name, b->name);
}

static struct index index_new(size_t most)
{
    return (struct index){.items = memory_new(most + 1, sizeof(struct item))};
}

static void index_add(struct index *index, const char *name, const void *thing, const void *holder)
{
    index->items[index->count++] = (struct item){name, thing, holder};
}

static void index_sort(struct index *index)
{
    qsort(index->items, index->count, sizeof *index->items, by_name);
}

static const struct item *index_find(const struct index *index, const char *name)
{
    const struct item key = {.name = name};
    return bsearch(&key, index->items, index->count, sizeof key, by_name);
}

static struct index frontend_index(const struct config *config)
{
    struct index index = index_new(config->frontend_count);
    for (size_t i = 0; i < config->frontend_count; i++)
        index_add(&index, config->frontends[i].name, &config->frontends[i], NULL);
    index_sort(&index);
    return index;
}

static struct index backend_index(const struct config *config)
{
    struct index index = index_new(config->backend_count);
    for (size_t i = 0; i < config->backend_count; i++)
        index_add(&index, config->backends[i].name, &config->backends[i], NULL);
    index_sort(&index);
    return index;
}

static struct index bind_index(const struct config *config)
{
    size_t count = 0;
    for (size_t i = 0; i < config->frontend_count; i++)
        count += config->frontends[i].bind_count;
    struct index index = index_new(count);
    for (size_t i = 0; i < config->frontend_count; i++)
        for (size_t j = 0; j < config->frontends[i].bind_count; j++)
            index_add(&index, config->frontends[i].binds[j].text, &config->frontends[i].binds[j],
                      &config->frontends[i]);
    index_sort(&index);
    return index;
}

static struct index server_index(const struct backend_conf *backend)
{
    struct index index = index_new(backend ? backend->server_count : 0);
    for (size_t i = 0; backend && i < backend->server_count; i++)
        index_add(&index, backend->servers[i].name, &backend->servers[i], backend);
    index_sort(&index);
    return index;
}

/* --- changes ------------------------------------------------------------------------------- */

static void add(struct config_diff *diff, struct change change)
{
    diff->items = memory_grow(diff->items, diff->count, &diff->capacity, sizeof *diff->items);
    diff->items[diff->count++] = change;
}

static char *option_value(const struct option *option, const void *owner)
{
    struct memory_stream value;
    memory_stream_begin(&value);
    option_write(option, owner, value.stream);
    return memory_stream_end(&value);
}

static char *bind_value(const struct bind_conf *bind)
{
    struct memory_stream value;
    memory_stream_begin(&value);
    bind_write(bind, value.stream);
    return memory_stream_end(&value);
}

static char *server_value(const struct server_conf *server)
{
    struct memory_stream value;
    memory_stream_begin(&value);
    server_write(server, value.stream);
    return memory_stream_end(&value);
}

/* Adds the change if its values differ; takes ownership of these values. */
static void add_if_changed(struct config_diff *diff, struct change change)
{
    if (strcmp(change.from, change.to) != 0) {
        change.kind = CHANGE_VALUE;
        add(diff, change);
        return;
    }
    free(change.from);
    free(change.to);
}

static void compare_options(struct config_diff *diff, enum section_kind kind,
                            enum change_subject subject, const char *section, const void *from,
                            const void *to)
{
    for (size_t i = 0; i < option_count(); i++) {
        const struct option *option = option_at(i);
        if (option->sections & IN(kind))
            add_if_changed(diff, (struct change){.subject = subject,
                                                 .section = section,
                                                 .option = option->name,
                                                 .from = option_value(option, from),
                                                 .to = option_value(option, to)});
    }
}

static void compare_bind(struct config_diff *diff, const struct item *old,
                         const struct frontend_conf *frontend, const struct bind_conf *bind)
{
    struct change change = {.subject = CHANGED_BIND, .section = frontend->name, .name = bind->text};
    if (!old) {
        change.kind = CHANGE_ADDED;
        add(diff, change);
        return;
    }
    const struct frontend_conf *before = old->holder;
    if (strcmp(before->name, frontend->name) != 0) {
        change.kind = CHANGE_MOVED;
        change.from = memory_copy(before->name);
        change.to = memory_copy(frontend->name);
        add(diff, change);
    }
    change.from = bind_value(old->thing);
    change.to = bind_value(bind);
    add_if_changed(diff, change);
}

static void compare_frontends(struct config_diff *diff, const struct config *from,
                              const struct config *to)
{
    struct index old = frontend_index(from), new = frontend_index(to);
    struct index old_binds = bind_index(from), new_binds = bind_index(to);
    for (size_t i = 0; i < to->frontend_count; i++) {
        const struct frontend_conf *frontend = &to->frontends[i];
        const struct item *before = index_find(&old, frontend->name);
        if (before)
            compare_options(diff, SECTION_FRONTEND, CHANGED_FRONTEND, frontend->name, before->thing,
                            frontend);
        else
            add(diff, (struct change){.kind = CHANGE_ADDED,
                                      .subject = CHANGED_FRONTEND,
                                      .section = frontend->name});
        for (size_t j = 0; j < frontend->bind_count; j++)
            compare_bind(diff, index_find(&old_binds, frontend->binds[j].text), frontend,
                         &frontend->binds[j]);
    }
    for (size_t i = 0; i < from->frontend_count; i++) {
        const struct frontend_conf *frontend = &from->frontends[i];
        if (!index_find(&new, frontend->name))
            add(diff, (struct change){.kind = CHANGE_REMOVED,
                                      .subject = CHANGED_FRONTEND,
                                      .section = frontend->name});
        for (size_t j = 0; j < frontend->bind_count; j++)
            if (!index_find(&new_binds, frontend->binds[j].text))
                add(diff, (struct change){.kind = CHANGE_REMOVED,
                                          .subject = CHANGED_BIND,
                                          .section = frontend->name,
                                          .name = frontend->binds[j].text});
    }
    free(old.items);
    free(new.items);
    free(old_binds.items);
    free(new_binds.items);
}

/* from or to may be NULL: then the whole backend is added or removed. */
static void compare_servers(struct config_diff *diff, const struct backend_conf *from,
                            const struct backend_conf *to)
{
    struct index old = server_index(from), new = server_index(to);
    for (size_t i = 0; to && i < to->server_count; i++) {
        const struct server_conf *server = &to->servers[i];
        const struct item *before = index_find(&old, server->name);
        struct change change = {
            .subject = CHANGED_SERVER, .section = to->name, .name = server->name};
        if (before) {
            change.from = server_value(before->thing);
            change.to = server_value(server);
            add_if_changed(diff, change);
        } else {
            change.kind = CHANGE_ADDED;
            change.to = server_value(server);
            add(diff, change);
        }
    }
    for (size_t i = 0; from && i < from->server_count; i++)
        if (!index_find(&new, from->servers[i].name))
            add(diff, (struct change){.kind = CHANGE_REMOVED,
                                      .subject = CHANGED_SERVER,
                                      .section = from->name,
                                      .name = from->servers[i].name});
    free(old.items);
    free(new.items);
}

static void compare_backends(struct config_diff *diff, const struct config *from,
                             const struct config *to)
{
    struct index old = backend_index(from), new = backend_index(to);
    for (size_t i = 0; i < to->backend_count; i++) {
        const struct backend_conf *backend = &to->backends[i];
        const struct item *before = index_find(&old, backend->name);
        if (before)
            compare_options(diff, SECTION_BACKEND, CHANGED_BACKEND, backend->name, before->thing,
                            backend);
        else
            add(diff, (struct change){.kind = CHANGE_ADDED,
                                      .subject = CHANGED_BACKEND,
                                      .section = backend->name});
        compare_servers(diff, before ? before->thing : NULL, backend);
    }
    for (size_t i = 0; i < from->backend_count; i++) {
        const struct backend_conf *backend = &from->backends[i];
        if (index_find(&new, backend->name))
            continue;
        add(diff, (struct change){.kind = CHANGE_REMOVED,
                                  .subject = CHANGED_BACKEND,
                                  .section = backend->name});
        compare_servers(diff, backend, NULL);
    }
    free(old.items);
    free(new.items);
}

/* --- certificates -------------------------------------------------------------------------- */

static const struct certificate *find_certificate(const struct certificate_source *source,
                                                  const char *path)
{
    for (size_t i = 0; source && i < source->count; i++)
        if (strcmp(source->list[i]->path, path) == 0)
            return source->list[i];
    return NULL;
}

static char *certificate_value(const struct certificate *certificate)
{
    struct memory_stream value;
    memory_stream_begin(&value);
    certificate_describe(certificate, value.stream);
    return memory_stream_end(&value);
}

static void compare_certificate(struct config_diff *diff, const struct certificate *before,
                                const struct certificate *certificate)
{
    struct change change = {.subject = CHANGED_CERTIFICATE, .section = certificate->path};
    if (before && strcmp(before->print, certificate->print) == 0)
        return;
    change.kind = before ? CHANGE_VALUE : CHANGE_ADDED;
    change.from = before ? certificate_value(before) : NULL;
    change.to = certificate_value(certificate);
    add(diff, change);
}

/* A source of which the old configuration does not know what was read tells nothing. */
static void compare_certificates(struct config_diff *diff, const struct config *from,
                                 const struct config *to)
{
    for (size_t i = 0; i < to->certificates->count; i++) {
        const struct certificate_source *source = to->certificates->items[i];
        const struct certificate_source *before =
            certificate_store_find(from->certificates, source->path, source->key);
        if (before && before->count == 0)
            continue;
        for (size_t j = 0; j < source->count; j++)
            compare_certificate(diff, find_certificate(before, source->list[j]->path),
                                source->list[j]);
        for (size_t j = 0; before && j < before->count; j++)
            if (!find_certificate(source, before->list[j]->path))
                add(diff, (struct change){.kind = CHANGE_REMOVED,
                                          .subject = CHANGED_CERTIFICATE,
                                          .section = before->list[j]->path});
    }
}

/* --- lists --------------------------------------------------------------------------------- */

static char *list_value(const struct address_file *file)
{
    if (file->plain)
        return memory_copy("as it was read");
    return memory_print("%zu entries (%016" PRIx64 ")", file->count, file->hash);
}

static void compare_lists(struct config_diff *diff, const struct config *from,
                          const struct config *to)
{
    for (size_t i = 0; i < to->address_files.count; i++) {
        const struct address_file *file = to->address_files.items[i];
        const struct address_file *before = address_files_find(&from->address_files, file->path);
        if (before && before->read && file->read && before->hash != file->hash)
            add(diff, (struct change){.kind = CHANGE_VALUE,
                                      .subject = CHANGED_LIST,
                                      .section = file->path,
                                      .name = file->plain ? "file" : "list",
                                      .from = list_value(before),
                                      .to = file->plain ? memory_copy("changed since")
                                                        : list_value(file)});
    }
}

void config_compare(const struct config *from, const struct config *to, struct config_diff *diff)
{
    *diff = (struct config_diff){0};
    compare_options(diff, SECTION_GLOBAL, CHANGED_GLOBAL, NULL, from, to);
    compare_frontends(diff, from, to);
    compare_backends(diff, from, to);
    compare_certificates(diff, from, to);
    compare_lists(diff, from, to);
}

void config_diff_free(struct config_diff *diff)
{
    for (size_t i = 0; i < diff->count; i++) {
        free(diff->items[i].from);
        free(diff->items[i].to);
    }
    free(diff->items);
    *diff = (struct config_diff){0};
}

/* --- as text ------------------------------------------------------------------------------- */

static void print_subject(const struct change *change, FILE *out)
{
    switch (change->subject) {
    case CHANGED_GLOBAL:
        fputs("global: ", out);
        break;
    case CHANGED_FRONTEND:
        fprintf(out, "frontend %s: ", change->section);
        break;
    case CHANGED_BIND:
        fprintf(out, "bind %s of frontend %s: ", change->name, change->section);
        break;
    case CHANGED_BACKEND:
        fprintf(out, "backend %s: ", change->section);
        break;
    case CHANGED_SERVER:
        fprintf(out, "server %s/%s: ", change->section, change->name);
        break;
    case CHANGED_CERTIFICATE:
        fprintf(out, "certificate %s: ", change->section);
        break;
    case CHANGED_LIST:
        fprintf(out, "%s %s: ", change->name, change->section);
        break;
    }
}

void change_print(const struct change *change, FILE *out)
{
    print_subject(change, out);
    switch (change->kind) {
    case CHANGE_ADDED:
        fprintf(out, "added%s%s", change->to ? ": " : "", change->to ? change->to : "");
        break;
    case CHANGE_REMOVED:
        fputs("removed", out);
        break;
    case CHANGE_MOVED:
        fprintf(out, "moved from frontend %s", change->from);
        break;
    case CHANGE_VALUE:
        fprintf(out, "%s%s%s -> %s", change->option ? change->option : "",
                change->option ? ": " : "", *change->from ? change->from : "none",
                *change->to ? change->to : "none");
        break;
    }
}
