#include "config/syntax/named_files.h"

#include "config/base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

/* What makes one file another one. */
struct identity {
    uint64_t name, device, inode, size, seconds, nanoseconds;
};

/* And what lets this process read it. */
struct rights {
    uint64_t mode, owner, group;
};

uint64_t named_file_identity(const char *path, const struct stat *status)
{
    const struct identity identity = {.name = XXH3_64bits(path, strlen(path)),
                                      .device = status->st_dev,
                                      .inode = status->st_ino,
                                      .size = (uint64_t)status->st_size,
                                      .seconds = (uint64_t)status->st_mtim.tv_sec,
                                      .nanoseconds = (uint64_t)status->st_mtim.tv_nsec};
    return XXH3_64bits(&identity, sizeof identity);
}

static uint64_t rights_of(const struct stat *status)
{
    const struct rights rights = {
        .mode = status->st_mode, .owner = status->st_uid, .group = status->st_gid};
    return XXH3_64bits(&rights, sizeof rights);
}

uint64_t named_files_mark(const char *pattern)
{
    uint64_t sum = 0;
    glob_t found = {0};
    struct stat status;
    if (glob(pattern, GLOB_NOSORT | GLOB_ERR, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            if (stat(found.gl_pathv[i], &status) == 0)
                sum += named_file_identity(found.gl_pathv[i], &status) ^ rights_of(&status);
    globfree(&found);
    return sum;
}

/* Of glob(3): nothing is hidden in a folder that is not there. */
static int is_hidden(const char *path, int error)
{
    (void)path;
    return error != ENOENT && error != ENOTDIR;
}

/* The pattern finds nothing, and the nearest folder above it that is there may be searched. */
static bool is_absent(const char *pattern)
{
    glob_t found = {0};
    char *folder = memory_copy(pattern), *slash;
    bool absent = glob(pattern, GLOB_NOSORT, is_hidden, &found) == GLOB_NOMATCH;
    bool above = false;
    globfree(&found);
    while (absent && !above && (slash = strrchr(folder, '/')) && slash > folder) {
        *slash = '\0';
        above = glob(folder, GLOB_NOSORT, NULL, &found) == 0;
        for (size_t i = 0; above && i < found.gl_pathc; i++)
            absent = absent && faccessat(AT_FDCWD, found.gl_pathv[i], X_OK, AT_EACCESS) == 0;
        globfree(&found);
    }
    free(folder);
    return absent;
}

char *named_file_quoted(const char *path, size_t length)
{
    struct memory_stream text;
    memory_stream_begin(&text);
    for (size_t i = 0; i < length; i++) {
        if (strchr("*?[]\\", path[i]))
            putc('\\', text.stream);
        putc(path[i], text.stream);
    }
    return memory_stream_end(&text);
}

void named_files_add(struct named_files *files, const char *pattern)
{
    for (size_t i = 0; i < files->count; i++)
        if (strcmp(files->items[i].pattern, pattern) == 0)
            return;
    files->items = memory_grow(files->items, files->count, &files->capacity, sizeof *files->items);
    struct named_file *file = &files->items[files->count++];
    *file = (struct named_file){.pattern = memory_copy(pattern), .mark = named_files_mark(pattern)};
    file->absent = file->mark == 0 && is_absent(pattern);
}

void named_files_add_path(struct named_files *files, const char *path)
{
    char *pattern = named_file_quoted(path, strlen(path));
    named_files_add(files, pattern);
    free(pattern);
}

void named_files_free(struct named_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->items[i].pattern);
    free(files->items);
    *files = (struct named_files){0};
}
