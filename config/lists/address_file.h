/* Files with addresses and prefixes, an entry a line (prefix.h), as trees. A file that several
 * options name is read once, and its tree is there once. */
#ifndef RPPROXY_CONFIG_LISTS_ADDRESS_FILE_H
#define RPPROXY_CONFIG_LISTS_ADDRESS_FILE_H

#include "config/lists/list_file.h"
#include "config/lists/prefix_tree.h"

struct address_file {
    char *path;               /* absolute */
    size_t count;             /* entries */
    uint64_t hash;            /* of the bytes of the file */
    bool of_names;            /* a list of names, or a map: there is no tree */
    bool plain;               /* neither: hash is of its size and its times, and not of its bytes,
                                 which may be a secret */
    bool any;                 /* contains the entry "any" */
    bool read;                /* false: it was not read, or not without mistakes; count and hash are
                                 then not known */
    struct prefix_tree *tree; /* value 0 for each entry; NULL: not read */
};

/* All files of a configuration; zero at first. */
struct address_files {
    struct address_file **items;
    size_t count;
    size_t capacity;
    bool closed; /* no file is opened: the configuration is that of another process, and the files
                    may have changed since that process read them */
};

/* Returns the file that an option names as "@NAME", and reads it if that has not happened before.
 * Mistakes are reported to origin, once. Never NULL; the pointer is valid until
 * address_files_free(). */
const struct address_file *address_files_get(struct address_files *files, const char *name,
                                             const struct list_origin *origin)
    __attribute__((returns_nonnull));

/* A file of names, which the caller has read or has not: so that users see whether it has changed.
 * Of a file that is there already the first entry stays. */
void address_files_add_names(struct address_files *files, const char *path, size_t count,
                             uint64_t hash, bool read);

/* A file without entries, such as a password or certificates: the same. It has just been read,
 * unless files is closed. */
void address_files_add_plain(struct address_files *files, const char *path);

/* What another process has read of that file; for files that were not opened. */
void address_files_note(struct address_files *files, const char *path, size_t count, uint64_t hash);

/* The file with that path, or NULL. */
const struct address_file *address_files_find(const struct address_files *files, const char *path);

void address_files_free(struct address_files *files);

/* Whether the file contains the address. "any" also contains Unix clients. Any thread. */
static inline bool address_file_contains(const struct address_file *file,
                                         const struct sockaddr *address)
{
    return file->any || (file->tree && prefix_tree_find(file->tree, address) != PREFIX_NO_VALUE);
}

#endif
