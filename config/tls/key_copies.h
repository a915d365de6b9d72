/* How files with private keys are read, and what is kept of them for the next process.
 *
 * A process that has become another user can often not read them again. With `tls-keys = sealed` it
 * keeps what it reads, and leaves that to its successor (key_container.h); where the successor may
 * not read a file, it takes the copy. For the time when a configuration is read: exits if there is
 * no memory. Where files are read copies may be NULL, and nothing else happens then. Main thread.
 */
#ifndef RPPROXY_CONFIG_TLS_KEY_COPIES_H
#define RPPROXY_CONFIG_TLS_KEY_COPIES_H

#include "config/model/metrics.h"
#include "config/syntax/problems.h"

#include <stdbool.h>
#include <stddef.h>

struct key_copies;

struct key_copies *key_copies_new(void) __attribute__((returns_nonnull, warn_unused_result));

/* Takes over fd, which comes from the process before. Returns NULL, or what is wrong with it, as
 * key_container_open(): there are no copies then. */
const char *key_copies_inherit(struct key_copies *copies, int fd)
    __attribute__((warn_unused_result));

/* The configuration has `tls-keys = sealed`. Without it nothing is kept, and no copy is taken. */
void key_copies_keep(struct key_copies *copies);

/* --- reading ------------------------------------------------------------------------------- */

/* To be called before files that belong together are read: key_copies_taken() and key_copies_warn()
 * are about these.
 * prefer: copies are taken, where there are any, also of files that could be read. */
void key_copies_begin(struct key_copies *copies, bool prefer);

/* As whole_file_read(). */
const char *key_copies_read(struct key_copies *copies, const char *path, size_t most,
                            unsigned char **bytes, size_t *length)
    __attribute__((warn_unused_result));

bool key_copies_is_folder(const struct key_copies *copies, const char *path);

/* Adds the names of the files in the folder that are wanted, by their bytes. Returns 0 or an errno
 * value. */
int key_copies_list(struct key_copies *copies, const char *folder,
                    bool (*is_wanted)(const char *name), struct words *names)
    __attribute__((warn_unused_result));

/* Whether a copy was taken. */
bool key_copies_taken(const struct key_copies *copies);

/* Warns of each file of which a copy was taken and that is another one on disk. */
void key_copies_warn(const struct key_copies *copies, struct problems *problems, struct place place,
                     const char *option);

/* --- afterwards ---------------------------------------------------------------------------- */

/* A file that could not be read for lack of permission, and had no copy; NULL: there is none. */
const char *key_copies_denied(const struct key_copies *copies);

/* All has been read: makes what the next process gets, if the configuration wants that; copies of
 * files that were not named, and that this process may not read either, are part of it. What was
 * kept is overwritten. Returns 0 or an errno value. */
int key_copies_seal(struct key_copies *copies) __attribute__((warn_unused_result));

/* Whether that file was read with copies. */
bool key_copies_have_read(const struct key_copies *copies, const char *path);

/* The first file that was read and that this process may not read again; NULL: there is none. */
const char *key_copies_out_of_reach(const struct key_copies *copies);

/* Calls with each file of which a copy was taken. unseen: why it is not known whether the file on
 * disk is another one, or NULL. Returns how many there were. */
size_t key_copies_each_taken(const struct key_copies *copies,
                             void (*call)(const char *path, const char *unseen));

/* Of the files only what the next process gets is left. */
void key_copies_forget(struct key_copies *copies);

/* For the next process, close-on-exec; -1: there is nothing (also of NULL). It stays the copies'.
 */
int key_copies_fd(const struct key_copies *copies);

/* NULL is fine. */
void key_copies_free(struct key_copies *copies);

#endif
