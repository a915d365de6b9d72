/* Regular files that are read whole, as they are at one moment. */
#ifndef RPPROXY_CONFIG_BASE_REGULAR_FILE_H
#define RPPROXY_CONFIG_BASE_REGULAR_FILE_H

#include <stddef.h>
#include <sys/stat.h>

/* Opens a regular file only: a FIFO or a terminal would block, and the new process of a reload
 * could not read it again. Returns NULL, or what is wrong, as text that can follow "FILE: " and is
 * valid until the next call of the thread; *fd is then -1. status: of the file; may be NULL. */
const char *regular_file_open(const char *path, int *fd, struct stat *status)
    __attribute__((warn_unused_result));

/* Reads the file from its beginning, and anew where a program writes to it meanwhile: half a list
 * could let strangers in. *text, to be freed in any case, has room for one byte behind the end.
 * Returns NULL or what is wrong, as above; a file of more than `most` bytes is. */
const char *regular_file_read(int fd, size_t most, char **text, size_t *length)
    __attribute__((warn_unused_result));

#endif
