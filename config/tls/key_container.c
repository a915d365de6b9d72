#include "config/tls/key_container.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u /* Linux 6.3; vm.memfd_noexec may demand it */
#endif

#define MAGIC   0x72706b63u
#define VERSION 1 /* of the layout: a process passes over a container of another one */
#define SEALS   (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

struct head {
    uint32_t magic, version;
    uint64_t total; /* bytes, with this head */
    uint64_t count;
};

/* Behind it the path with a NUL, and the bytes. */
struct record {
    uint32_t kind;
    uint32_t nanoseconds;
    int64_t seconds;
    uint64_t size;
    uint64_t path_length; /* without the NUL */
    uint64_t length;
};

struct key_container {
    int fd;
    unsigned char *memory;
    size_t total;
    struct key_file *files; /* sorted; they point into the memory */
    size_t count;
};

/* --- writing ------------------------------------------------------------------------------- */

/* Returns 0 or an errno value. */
static int put(int fd, const void *bytes, size_t length)
{
    while (length > 0) {
        ssize_t count = write(fd, bytes, length);
        if (count < 0 && errno != EINTR)
            return errno;
        if (count > 0) {
            bytes = (const char *)bytes + count;
            length -= (size_t)count;
        }
    }
    return 0;
}

static int put_file(int fd, const struct key_file *file)
{
    const struct record record = {.kind = file->kind,
                                  .nanoseconds = file->stamp.nanoseconds,
                                  .seconds = file->stamp.seconds,
                                  .size = file->stamp.size,
                                  .path_length = strlen(file->path),
                                  .length = file->length};
    int error = put(fd, &record, sizeof record);
    if (!error)
        error = put(fd, file->path, record.path_length + 1);
    return error ? error : put(fd, file->bytes, file->length);
}

static int put_all(int fd, const struct key_file *const *files, size_t count)
{
    struct head head = {.magic = MAGIC, .version = VERSION, .total = sizeof head, .count = count};
    for (size_t i = 0; i < count; i++) {
        head.total += sizeof(struct record) + strlen(files[i]->path) + 1 + files[i]->length;
        if (head.total > KEY_CONTAINER_MAX)
            return EFBIG;
    }
    int error = put(fd, &head, sizeof head);
    for (size_t i = 0; i < count && !error; i++)
        error = put_file(fd, files[i]);
    return error;
}

/* No other process of the same user may open it by way of /proc where its owner is root. */
static int seal(int fd)
{
    return fchmod(fd, 0) || fcntl(fd, F_ADD_SEALS, SEALS) ? errno : 0;
}

int key_container_make(const struct key_file *const *files, size_t count)
{
    const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = memfd_create("rpproxy-keys", flags | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL)
        fd = memfd_create("rpproxy-keys", flags);
    if (fd < 0)
        return -errno;
    int error = put_all(fd, files, count);
    if (!error)
        error = seal(fd);
    if (!error)
        return fd;
    close(fd);
    return -error;
}

/* --- reading ------------------------------------------------------------------------------- */

/* Names of files, without a folder. */
static bool are_names(const unsigned char *bytes, size_t length)
{
    while (length > 0) {
        const unsigned char *end = memchr(bytes, '\0', length);
        if (!end || end == bytes || *bytes == '.' || memchr(bytes, '/', (size_t)(end - bytes)))
            return false;
        length -= (size_t)(end - bytes) + 1;
        bytes = end + 1;
    }
    return true;
}

static bool is_sound(const struct key_file *file)
{
    switch (file->kind) {
    case KEY_FILE:
        return true;
    case KEY_FOLDER:
        return are_names(file->bytes, file->length);
    case KEY_ABSENT:
        return file->length == 0;
    }
    return false;
}

/* The file at *at, which is moved behind it. False: there is none. */
static bool take_file(const struct key_container *container, size_t *at, struct key_file *file)
{
    struct record record;
    size_t left = container->total - *at;
    const unsigned char *bytes = container->memory + *at;
    if (left < sizeof record)
        return false;
    memcpy(&record, bytes, sizeof record);
    bytes += sizeof record;
    left -= sizeof record;
    if (record.path_length == 0 || record.path_length >= PATH_MAX || record.path_length >= left)
        return false;
    const size_t path_size = (size_t)record.path_length + 1;
    if (bytes[0] != '/' || memchr(bytes, '\0', path_size) != bytes + record.path_length ||
        record.length > left - path_size)
        return false;
    *file = (struct key_file){.kind = (enum key_file_kind)record.kind,
                              .path = (const char *)bytes,
                              .bytes = bytes + path_size,
                              .length = (size_t)record.length,
                              .stamp = {.size = record.size,
                                        .seconds = record.seconds,
                                        .nanoseconds = record.nanoseconds}};
    *at = (size_t)(bytes - container->memory) + path_size + file->length;
    return is_sound(file);
}

static int by_path(const void *one, const void *other)
{
    return strcmp(((const struct key_file *)one)->path, ((const struct key_file *)other)->path);
}

static const char *take_files(struct key_container *container)
{
    struct head head;
    memcpy(&head, container->memory, sizeof head);
    if (head.magic != MAGIC)
        return "of another kind";
    if (head.version != VERSION)
        return "of another version";
    if (head.total != container->total ||
        head.count > (head.total - sizeof head) / sizeof(struct record))
        return "of the wrong size";
    size_t at = sizeof head;
    container->files = calloc(head.count ? head.count : 1, sizeof *container->files);
    if (!container->files)
        return strerror(ENOMEM);
    for (; container->count < head.count; container->count++)
        if (!take_file(container, &at, &container->files[container->count]))
            return "damaged";
    if (at != container->total)
        return "damaged";
    qsort(container->files, container->count, sizeof *container->files, by_path);
    for (size_t i = 1; i < container->count; i++)
        if (by_path(&container->files[i - 1], &container->files[i]) == 0)
            return "damaged";
    return NULL;
}

/* A private mapping: old kernels refuse a shared one of what is sealed against writing. */
static const char *map(struct key_container *container)
{
    void *memory = mmap(NULL, container->total, PROT_READ, MAP_PRIVATE, container->fd, 0);
    if (memory == MAP_FAILED)
        return strerror(errno);
    container->memory = memory;
    (void)madvise(memory, container->total, MADV_DONTDUMP);
    (void)mlock(memory, container->total);
    return NULL;
}

static const char *examine(struct key_container *container)
{
    struct stat status;
    int seals = fcntl(container->fd, F_GET_SEALS);
    if (seals < 0)
        return "not a memfd";
    if ((seals & SEALS) != SEALS)
        return "not sealed";
    if (fstat(container->fd, &status) || status.st_size < (off_t)sizeof(struct head))
        return "too short";
    if (status.st_size > KEY_CONTAINER_MAX)
        return "too large";
    container->total = (size_t)status.st_size;
    return NULL;
}

const char *key_container_open(int fd, struct key_container **made)
{
    struct key_container *container = calloc(1, sizeof *container);
    if (!container) {
        close(fd);
        return strerror(ENOMEM);
    }
    container->fd = fd;
    const char *wrong = examine(container);
    if (!wrong)
        wrong = map(container);
    if (!wrong)
        wrong = take_files(container);
    if (wrong)
        key_container_free(container);
    else
        *made = container;
    return wrong;
}

size_t key_container_count(const struct key_container *container)
{
    return container->count;
}

const struct key_file *key_container_at(const struct key_container *container, size_t i)
{
    return &container->files[i];
}

const struct key_file *key_container_find(const struct key_container *container, const char *path)
{
    const struct key_file key = {.path = path};
    return bsearch(&key, container->files, container->count, sizeof *container->files, by_path);
}

int key_container_fd(const struct key_container *container)
{
    return container->fd;
}

void key_container_free(struct key_container *container)
{
    if (!container)
        return;
    if (container->memory)
        munmap(container->memory, container->total);
    free(container->files);
    close(container->fd);
    free(container);
}
