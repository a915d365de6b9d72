/* What a worker lends its connections to move bytes with, one relay() at a time: scratch memory,
 * and a pipe for splice(2). Both are empty between two calls of relay(), so one of each is enough
 * for all sessions of a worker, and no stalled session keeps them from another.
 *
 * An unprivileged user may have pipes of 64 MiB in all (pipe(7), pipe-user-pages-soft), so nothing
 * relies on getting one. */
#ifndef RPPROXY_PROXY_SESSION_RELAY_BUFFERS_H
#define RPPROXY_PROXY_SESSION_RELAY_BUFFERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of the scratch memory: half a megabyte costs half the CPU per byte of 64 KB. */
#define SCRATCH_BYTES (512 * 1024)
/* Of the pipe, and the most that one splice(2) moves. */
#define PIPE_BYTES (1024 * 1024)
/* Descriptors of a worker's pipe. */
#define PIPE_DESCRIPTORS 2

struct relay_buffers {
    unsigned char *scratch; /* SCRATCH_BYTES */
    int pipe_in, pipe_out;  /* -1: there is no pipe */
    unsigned backoff;       /* a pipe was refused: so many further requests are not tried */
    uint64_t moved;         /* bytes received or sent; the caller of relay() sets it back to 0 */
};

/* Returns 0 or ENOMEM. */
int relay_buffers_open(struct relay_buffers *buffers) __attribute__((warn_unused_result));
void relay_buffers_close(struct relay_buffers *buffers);

/* True: there is a pipe of PIPE_BYTES, and it is empty. False: the system gives none. */
bool relay_buffers_have_pipe(struct relay_buffers *buffers) __attribute__((warn_unused_result));

/* Closes the pipe, with the bytes that are in it. The next request makes another one. */
void relay_buffers_drop_pipe(struct relay_buffers *buffers);

#endif
