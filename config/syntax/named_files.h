/* The files that a configuration names: those that it includes, lists, maps, passwords,
 * certificates, whether they are there or not. A reload that finds all of them unchanged would read
 * the same again. */
#ifndef RPPROXY_CONFIG_SYNTAX_NAMED_FILES_H
#define RPPROXY_CONFIG_SYNTAX_NAMED_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct named_file {
    char *pattern; /* of glob(3) */
    uint64_t mark; /* as named_files_mark() said before it was read */
    bool absent;   /* there was none, and not only none that this process may see */
};

/* Zero at first. */
struct named_files {
    struct named_file *items;
    size_t count;
    size_t capacity;
};

/* To be called before the files are read. One that is there already stays as it is. While a
 * configuration is read: exits if there is no memory. */
void named_files_add(struct named_files *files, const char *pattern);

/* The same for one path, which is no pattern. */
void named_files_add_path(struct named_files *files, const char *path);

void named_files_free(struct named_files *files);

/* A number that changes when the pattern finds other files, or when one of them is another file, or
 * has another content, owner or mode; symbolic links are followed. 0: this process finds none. */
uint64_t named_files_mark(const char *pattern);

/* What makes one file another one: path, inode, size, time. */
uint64_t named_file_identity(const char *path, const struct stat *status);

/* The path, or the beginning of a path, with what is special in glob(3) quoted. The caller frees
 * it. */
char *named_file_quoted(const char *path, size_t length)
    __attribute__((returns_nonnull, warn_unused_result));

#endif
