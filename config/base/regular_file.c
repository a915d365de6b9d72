#include "config/base/regular_file.h"

#include "config/base/error_text.h"
#include "config/base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* A file that changes so often while it is read is refused. */
#define ATTEMPTS_MAX 10

static const char *open_regular(const char *path, int *fd, struct stat *status)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*fd < 0 || fstat(*fd, status) != 0)
        return strerror(errno);
    if (S_ISDIR(status->st_mode))
        return strerror(EISDIR);
    return S_ISREG(status->st_mode) ? NULL : "not a regular file";
}

const char *regular_file_open(const char *path, int *fd, struct stat *status)
{
    struct stat own;
    const char *wrong = open_regular(path, fd, status ? status : &own);
    if (wrong && *fd >= 0) {
        close(*fd);
        *fd = -1;
    }
    return wrong;
}

static const char *too_large(size_t most)
{
    return most >= 1024 * 1024 ? error_text("larger than %zu MiB", most / 1024 / 1024)
                               : error_text("larger than %zu bytes", most);
}

static const char *read_rest(int fd, size_t most, char **text, size_t *length, size_t *capacity)
{
    for (;;) {
        *text = memory_grow(*text, *length + 1, capacity, 1);
        ssize_t got = read(fd, *text + *length, *capacity - 1 - *length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return strerror(errno);
        if (got == 0)
            return NULL;
        *length += (size_t)got;
        if (*length > most)
            return too_large(most);
    }
}

static bool is_unchanged(const struct stat *before, const struct stat *after)
{
    return before->st_size == after->st_size && before->st_mtim.tv_sec == after->st_mtim.tv_sec &&
           before->st_mtim.tv_nsec == after->st_mtim.tv_nsec;
}

const char *regular_file_read(int fd, size_t most, char **text, size_t *length)
{
    size_t capacity = 0;
    *text = NULL;
    for (int attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        struct stat before, after;
        *length = 0;
        if (fstat(fd, &before) || lseek(fd, 0, SEEK_SET) < 0)
            return strerror(errno);
        const char *wrong = read_rest(fd, most, text, length, &capacity);
        if (wrong)
            return wrong;
        if (fstat(fd, &after))
            return strerror(errno);
        if (is_unchanged(&before, &after))
            return NULL;
    }
    return "changes while it is read";
}
