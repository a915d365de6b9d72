/* Paths of files that a process of the proxy makes or connects to. */
#ifndef RPPROXY_CONFIG_BASE_PATH_H
#define RPPROXY_CONFIG_BASE_PATH_H

#include <stdbool.h>

/* Returns NULL, or a static text that says why no file can have this path: it must be absolute,
 * and its last part must not be empty, "." or "..". */
const char *path_check(const char *path) __attribute__((warn_unused_result));

/* Returns the absolute path with all symbolic links of its directory resolved; with follow also
 * those of its last part, if the file exists. Two paths of one file become equal. If the directory
 * cannot be resolved, returns a copy of the path. The caller frees it. */
char *path_plain(const char *path, bool follow)
    __attribute__((returns_nonnull, warn_unused_result));

#endif
