#include "config/base/whole_file.h"

#include "config/base/memory.h"
#include "config/base/regular_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

static const char *complain(const char *format, ...)
{
    static _Thread_local char text[128];
    const int error = errno;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    errno = error;
    return text;
}

/* `size`: of the file, when it was opened. */
static const char *read_all(int fd, size_t size, unsigned char *bytes, size_t *length)
{
    *length = 0;
    for (;;) {
        ssize_t count = read(fd, bytes + *length, size + 1 - *length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return complain("cannot be read: %s", strerror(errno));
        if (count == 0)
            return NULL;
        *length += (size_t)count;
        if (*length > size)
            return complain("grew while it was read");
    }
}

const char *whole_file_read(const char *path, size_t most, unsigned char **bytes, size_t *length,
                            struct stat *status)
{
    struct stat own, *seen = status ? status : &own;
    int fd;
    errno = 0; /* of what is there, and is no file, it would be an older one's */
    const char *wrong = regular_file_open(path, &fd, seen);
    if (wrong)
        return complain("cannot be read: %s", wrong);
    if ((size_t)seen->st_size > most)
        wrong = complain("is larger than %zu KiB", most / 1024);
    if (!wrong) {
        *bytes = memory_new((size_t)seen->st_size + 2, 1);
        wrong = read_all(fd, (size_t)seen->st_size, *bytes, length);
        if (wrong)
            whole_file_free(*bytes, *length);
    }
    close(fd);
    return wrong;
}

void whole_file_free(unsigned char *bytes, size_t length)
{
    if (!bytes)
        return;
    explicit_bzero(bytes, length);
    free(bytes);
}
