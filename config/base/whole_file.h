/* Small files that are read at once: keys, certificates. */
#ifndef RPPROXY_CONFIG_BASE_WHOLE_FILE_H
#define RPPROXY_CONFIG_BASE_WHOLE_FILE_H

#include <stddef.h>
#include <sys/stat.h>

/* Reads the regular file at path, of `most` bytes at most; a FIFO does not block. Returns NULL, and
 * *bytes with a NUL behind them are to be freed by whole_file_free(); or what is wrong, which can
 * follow "PATH ": a static or thread-local text that is valid until the next call. errno is then
 * that of open(2), or 0: ENOENT, there is no such file; EACCES. status: of the file when it was
 * opened; may be NULL. While a configuration is read: exits if there is no memory. */
const char *whole_file_read(const char *path, size_t most, unsigned char **bytes, size_t *length,
                            struct stat *status) __attribute__((warn_unused_result));

/* Overwrites them first, as they may be a key. NULL is fine. */
void whole_file_free(unsigned char *bytes, size_t length);

#endif
