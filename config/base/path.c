#include "config/base/path.h"

#include "config/base/memory.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *path_check(const char *path)
{
    if (path[0] != '/')
        return "must be an absolute path";
    const char *name = strrchr(path, '/') + 1;
    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return "is the path of a directory, not of a file";
    return NULL;
}

char *path_plain(const char *path, bool follow)
{
    char directory[PATH_MAX], real[PATH_MAX];
    const char *name = strrchr(path, '/') + 1;
    if (follow && realpath(path, real))
        return memory_copy(real);
    if ((size_t)(name - path) >= sizeof directory)
        return memory_copy(path);
    snprintf(directory, sizeof directory, "%.*s", (int)(name - path), path);
    if (!realpath(directory, real))
        return memory_copy(path);
    return memory_print("%s/%s", strcmp(real, "/") == 0 ? "" : real, name);
}
