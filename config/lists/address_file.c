#include "config/lists/address_file.h"

#include "config/base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

struct filling {
    struct address_file *file;
    struct prefix_entries entries;
};

static const char *take(void *arg, char *entry)
{
    struct filling *filling = arg;
    struct prefix prefix;
    if (strcmp(entry, "any") == 0) {
        filling->file->any = true;
        filling->file->count++;
        return NULL;
    }
    const char *wrong = prefix_parse(entry, &prefix);
    if (wrong)
        return wrong;
    prefix_entries_add(&filling->entries, &prefix, 0);
    filling->file->count++;
    return NULL;
}

static void read_file(struct address_file *file, const struct list_origin *origin)
{
    struct filling filling = {.file = file};
    file->read = list_file_read(file->path, origin, take, &filling, &file->hash);
    file->tree = prefix_tree_make(&filling.entries, PREFIX_LOWEST);
    free(filling.entries.items);
}

static struct address_file *find(const struct address_files *files, const char *path, bool of_names)
{
    for (size_t i = 0; i < files->count; i++)
        if (files->items[i]->of_names == of_names && strcmp(files->items[i]->path, path) == 0)
            return files->items[i];
    return NULL;
}

const struct address_file *address_files_find(const struct address_files *files, const char *path)
{
    const struct address_file *file = find(files, path, false);
    return file ? file : find(files, path, true);
}

static struct address_file *add(struct address_files *files, char *path)
{
    struct address_file *file = memory_new(1, sizeof *file);
    file->path = path;
    files->items =
        memory_grow(files->items, files->count, &files->capacity, sizeof(struct address_file *));
    files->items[files->count++] = file;
    return file;
}

void address_files_add_names(struct address_files *files, const char *path, size_t count,
                             uint64_t hash, bool read)
{
    if (find(files, path, true))
        return;
    struct address_file *file = add(files, memory_copy(path));
    file->of_names = true;
    file->count = count;
    file->hash = hash;
    file->read = read;
}

void address_files_add_plain(struct address_files *files, const char *path)
{
    struct stat status;
    struct stamp {
        uint64_t device, inode, size;
        int64_t seconds[2], nanoseconds[2];
    } stamp = {0};
    bool read = !files->closed && stat(path, &status) == 0;
    if (read)
        stamp = (struct stamp){
            .device = status.st_dev,
            .inode = status.st_ino,
            .size = (uint64_t)status.st_size,
            .seconds = {status.st_mtim.tv_sec, status.st_ctim.tv_sec},
            .nanoseconds = {status.st_mtim.tv_nsec, status.st_ctim.tv_nsec},
        };
    if (find(files, path, true))
        return;
    address_files_add_names(files, path, 0, XXH3_64bits(&stamp, sizeof stamp), read);
    files->items[files->count - 1]->plain = true;
}

void address_files_note(struct address_files *files, const char *path, size_t count, uint64_t hash)
{
    for (size_t i = 0; i < files->count; i++) {
        struct address_file *file = files->items[i];
        if (strcmp(file->path, path) != 0)
            continue;
        file->count = count;
        file->hash = hash;
        file->read = true;
    }
}

const struct address_file *address_files_get(struct address_files *files, const char *name,
                                             const struct list_origin *origin)
{
    char *path = list_file_path(name, origin->place.source);
    struct address_file *file = find(files, path, false);
    if (file) {
        free(path);
        return file;
    }
    file = add(files, path);
    if (!files->closed)
        read_file(file, origin);
    return file;
}

void address_files_free(struct address_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free(files->items[i]->path);
        prefix_tree_free(files->items[i]->tree);
        free(files->items[i]);
    }
    free(files->items);
    *files = (struct address_files){0};
}
