/* Memory and pipe that an engine moves bytes with: scratch memory, and a pipe for splice(2). Both
 * are empty when no bytes are being moved, so one of each is enough for all streams of an engine,
 * and no stalled session keeps them from another.
 *
 * An unprivileged user may have pipes of 64 MiB in all (pipe(7), pipe-user-pages-soft), so nothing
 * relies on getting one. */
#ifndef RPPROXY_PROXY_ENGINE_BUFFERS_H
#define RPPROXY_PROXY_ENGINE_BUFFERS_H

#include <stdbool.h>
#include <stddef.h>

/* Of the scratch memory: half a megabyte costs half the CPU per byte of 64 KB. */
#define SCRATCH_BYTES (512 * 1024)
/* Of the pipe, and the most that one splice(2) moves. */
#define PIPE_BYTES (1024 * 1024)
/* Descriptors of a worker's pipe. */
#define PIPE_DESCRIPTORS 2

struct buffers {
    unsigned char *scratch; /* SCRATCH_BYTES */
    int pipe_in, pipe_out;  /* -1: there is no pipe */
    unsigned backoff;       /* a pipe was refused: so many further requests are not tried */
};

/* Returns 0 or ENOMEM. */
int buffers_open(struct buffers *buffers) __attribute__((warn_unused_result));
void buffers_close(struct buffers *buffers);

/* True: there is a pipe of PIPE_BYTES, and it is empty. False: the system gives none. */
bool buffers_have_pipe(struct buffers *buffers) __attribute__((warn_unused_result));

/* Closes the pipe, with the bytes that are in it. The next request makes another one. */
void buffers_drop_pipe(struct buffers *buffers);

#endif
