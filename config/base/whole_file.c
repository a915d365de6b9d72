#include "config/base/whole_file.h"

#include "config/base/error_text.h"
#include "config/base/memory.h"
#include "config/base/regular_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* `size`: of the file, when it was opened. */
static const char *read_all(int fd, size_t size, unsigned char *bytes, size_t *length)
{
    *length = 0;
    for (;;) {
        ssize_t count = read(fd, bytes + *length, size + 1 - *length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return error_text("cannot be read: %s", strerror(errno));
        if (count == 0)
            return NULL;
        *length += (size_t)count;
        if (*length > size)
            return error_text("grew while it was read");
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
        return error_text("cannot be read: %s", wrong);
    if ((size_t)seen->st_size > most)
        wrong = error_text("is larger than %zu KiB", most / 1024);
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
