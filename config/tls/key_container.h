/* Copies of files with private keys in a sealed memfd, which a process leaves to the next one. It
 * comes from the process before, of this or of another build, and is not trusted to be right. */
#ifndef RPPROXY_CONFIG_TLS_KEY_CONTAINER_H
#define RPPROXY_CONFIG_TLS_KEY_CONTAINER_H

#include <stddef.h>
#include <stdint.h>

/* All files together. */
#define KEY_CONTAINER_MAX (256u * 1024 * 1024)

enum key_file_kind {
    KEY_FILE,
    KEY_FOLDER, /* the bytes are the names of the files in it, each with a NUL behind it */
    KEY_ABSENT, /* there was no such file */
};

/* By which a change of the file shows. */
struct key_stamp {
    uint64_t size;
    int64_t seconds; /* of the last change */
    uint32_t nanoseconds;
};

struct key_file {
    enum key_file_kind kind;
    const char *path; /* absolute */
    const unsigned char *bytes;
    size_t length;
    struct key_stamp stamp;
};

struct key_container;

/* Makes one of these files, in any order, of which no two have the same path. Returns its
 * descriptor, close-on-exec, or a negative errno value: -EFBIG, they are too large. */
int key_container_make(const struct key_file *const *files, size_t count)
    __attribute__((warn_unused_result));

/* Takes over fd. Returns NULL, and *made is the caller's; or what is wrong with it, which can
 * follow "is ", and fd is closed. */
const char *key_container_open(int fd, struct key_container **made)
    __attribute__((warn_unused_result));

size_t key_container_count(const struct key_container *container);

/* The files, by the order of their paths; valid until key_container_free(). */
const struct key_file *key_container_at(const struct key_container *container, size_t i);

/* The file with this path, or NULL. */
const struct key_file *key_container_find(const struct key_container *container, const char *path);

/* It stays the container's. */
int key_container_fd(const struct key_container *container);

/* NULL is fine. */
void key_container_free(struct key_container *container);

#endif
