#include "config/tls/certificate_store.h"

#include "config/base/authorities.h"
#include "config/base/memory.h"
#include "config/syntax/named_files.h"
#include "config/tls/complaint.h"
#include "config/tls/key_copies.h"
#include "config/tls/revocations.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- folders ------------------------------------------------------------------------------- */

static bool ends_with(const char *text, const char *ending)
{
    size_t length = strlen(text), other = strlen(ending);
    return length > other && strcmp(text + length - other, ending) == 0;
}

static bool is_wanted(const char *name)
{
    return ends_with(name, ".pem") || ends_with(name, ".crt");
}

/* --- sources ------------------------------------------------------------------------------- */

/* What is being read. */
struct reading {
    struct certificate_source *source;
    struct key_copies *copies;
    const struct list_origin *origin;
    size_t capacity;
    time_t now;
    bool good;
};

static void warn_of_changes(const struct reading *reading)
{
    const struct list_origin *origin = reading->origin;
    key_copies_warn(reading->copies, origin->problems, origin->place, origin->option);
}

static void read_file(struct reading *reading, const char *path)
{
    struct certificate_source *source = reading->source;
    struct certificate *certificate;
    const struct list_origin *origin = reading->origin;
    const char *wrong = certificate_read(path, source->key, reading->copies, &certificate);
    if (wrong) {
        problem_add(origin->problems, origin->place, "%s: %s", origin->option, wrong);
        reading->good = false;
        return;
    }
    warn_of_changes(reading);
    const char *warning = certificate_warning(certificate, reading->now);
    if (warning)
        problem_warn(origin->problems, origin->place, "%s: %s", origin->option, warning);
    source->list =
        memory_grow(source->list, source->count, &reading->capacity, sizeof(struct certificate *));
    source->list[source->count++] = certificate;
}

static void read_folder(struct reading *reading)
{
    const struct list_origin *origin = reading->origin;
    const char *folder = reading->source->path;
    struct words names = {0};
    key_copies_begin(reading->copies, false);
    int error = key_copies_list(reading->copies, folder, is_wanted, &names);
    warn_of_changes(reading);
    if (error)
        problem_add(origin->problems, origin->place, "%s: %s: cannot be read: %s", origin->option,
                    folder, strerror(error));
    else if (names.count == 0)
        problem_add(origin->problems, origin->place, "%s: %s: has no file *.pem or *.crt",
                    origin->option, folder);
    for (size_t i = 0; i < names.count; i++) {
        char *path =
            memory_print("%s%s%s", folder, ends_with(folder, "/") ? "" : "/", names.list[i]);
        read_file(reading, path);
        free(path);
        free(names.list[i]);
    }
    free(names.list);
}

static void drop_certificates(struct certificate_source *source)
{
    for (size_t i = 0; i < source->count; i++)
        certificate_free(source->list[i]);
    free(source->list);
    source->list = NULL;
    source->count = 0;
}

/* What is read beside the file or in the folder, and that a new file there is one of them. */
static void name_files(const struct certificate_source *source, struct named_files *named)
{
    char *path = named_file_quoted(source->path, strlen(source->path));
    const char *dot = strrchr(path, '.');
    const int stem = dot && !strchr(dot, '/') ? (int)(dot - path) : (int)strlen(path);
    char *const patterns[] = {memory_print("%s/*", path), memory_print("%s.key", path),
                              memory_print("%s.ocsp", path), memory_print("%.*s.key", stem, path),
                              memory_print("%.*s.ocsp", stem, path)};
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        named_files_add(named, patterns[i]);
        free(patterns[i]);
    }
    free(path);
}

static void read_source(struct certificate_source *source, struct key_copies *copies,
                        const struct list_origin *origin)
{
    if (origin->place.source->named)
        name_files(source, origin->place.source->named);
    struct reading reading = {
        .source = source, .copies = copies, .origin = origin, .now = time(NULL), .good = true};
    if (!key_copies_is_folder(copies, source->path))
        read_file(&reading, source->path);
    else if (source->key)
        problem_add(origin->problems, origin->place, "%s: %s: a folder has no key=FILE",
                    origin->option, source->path);
    else
        read_folder(&reading);
    if (!reading.good)
        drop_certificates(source);
}

static bool is_same(const char *one, const char *other)
{
    return one && other ? strcmp(one, other) == 0 : one == other;
}

struct certificate_store *certificate_store_new(struct key_copies *copies)
{
    struct certificate_store *store = memory_new(1, sizeof *store);
    store->copies = copies;
    return store;
}

static struct certificate_source *find(const struct certificate_store *store, const char *path,
                                       const char *key)
{
    for (size_t i = 0; i < store->count; i++)
        if (strcmp(store->items[i]->path, path) == 0 && is_same(store->items[i]->key, key))
            return store->items[i];
    return NULL;
}

const struct certificate_source *certificate_store_find(const struct certificate_store *store,
                                                        const char *path, const char *key)
{
    return find(store, path, key);
}

void certificate_store_note(struct certificate_store *store, const char *path, const char *key,
                            struct certificate *certificate)
{
    struct certificate_source *source = find(store, path, key);
    if (!source) {
        certificate_free(certificate);
        return;
    }
    size_t capacity = source->count;
    source->list =
        memory_grow(source->list, source->count, &capacity, sizeof(struct certificate *));
    source->list[source->count++] = certificate;
}

const struct certificate_source *certificate_store_get(struct certificate_store *store,
                                                       const char *path, const char *key,
                                                       bool closed,
                                                       const struct list_origin *origin)
{
    struct certificate_source *source = find(store, path, key);
    if (source)
        return source;
    source = memory_new(1, sizeof *source);
    source->path = memory_copy(path);
    source->key = key ? memory_copy(key) : NULL;
    store->items = memory_grow(store->items, store->count, &store->capacity,
                               sizeof(struct certificate_source *));
    store->items[store->count++] = source;
    if (!closed)
        read_source(source, store->copies, origin);
    return source;
}

bool certificate_store_has_keys(const struct certificate_store *store)
{
    for (size_t i = 0; i < store->count; i++)
        if (store->items[i]->count > 0)
            return true;
    return false;
}

/* --- authorities --------------------------------------------------------------------------- */

const char *certificate_store_authorities(struct certificate_store *store, const char *which,
                                          struct x509_store_st **authorities)
{
    for (size_t i = 0; i < store->authority_count; i++)
        if (strcmp(store->authorities[i].which, which) == 0) {
            *authorities = store->authorities[i].store;
            return NULL;
        }
    const char *wrong = strcmp(which, "system") == 0 ? authorities_of_system(authorities)
                                                     : authorities_read(which, authorities);
    if (wrong)
        return wrong;
    store->authorities = memory_grow(store->authorities, store->authority_count,
                                     &store->authority_capacity, sizeof *store->authorities);
    store->authorities[store->authority_count++] =
        (struct certificate_authorities){memory_copy(which), *authorities};
    return NULL;
}

const char *certificate_store_revocations(struct certificate_store *store, const char *path,
                                          struct stack_st_X509_CRL **list)
{
    for (size_t i = 0; i < store->revocation_count; i++)
        if (strcmp(store->revocations[i].path, path) == 0) {
            *list = store->revocations[i].list;
            return NULL;
        }
    const char *wrong = revocations_read(path, list);
    if (wrong)
        return wrong;
    store->revocations = memory_grow(store->revocations, store->revocation_count,
                                     &store->revocation_capacity, sizeof *store->revocations);
    store->revocations[store->revocation_count++] =
        (struct certificate_revocations){memory_copy(path), *list};
    return NULL;
}

void certificate_store_free(struct certificate_store *store)
{
    if (!store)
        return;
    for (size_t i = 0; i < store->count; i++) {
        struct certificate_source *source = store->items[i];
        drop_certificates(source);
        free(source->path);
        free(source->key);
        free(source);
    }
    for (size_t i = 0; i < store->authority_count; i++) {
        free(store->authorities[i].which);
        authorities_free(store->authorities[i].store);
    }
    for (size_t i = 0; i < store->revocation_count; i++) {
        free(store->revocations[i].path);
        revocations_free(store->revocations[i].list);
    }
    free(store->items);
    free(store->authorities);
    free(store->revocations);
    free(store);
}
