/* What a worker lends its sessions to move bytes with, one relay() at a time: a scratch buffer, and
 * pipes for splice(2). A session that is idle has neither.
 *
 * A pipe costs two descriptors and, while there are bytes in it, the pages they came in. An
 * unprivileged user may have pipes of 64 MiB in all (pipe(7), pipe-user-pages-soft), so pipes are
 * few, and no session relies on getting one. */
#ifndef RPPROXY_PROXY_SESSION_PIPE_POOL_H
#define RPPROXY_PROXY_SESSION_PIPE_POOL_H

#include <stddef.h>

/* Of the scratch buffer: half a megabyte costs half the CPU per byte of 64 KB. */
#define SCRATCH_BYTES (512 * 1024)
/* Of each pipe, and the most that one splice(2) moves. */
#define PIPE_BYTES (1024 * 1024)
/* Of a worker; twice as many descriptors. */
#define PIPES_MAX 16

struct pipe {
    int in, out;
    size_t length; /* bytes in it */
    struct pipe *next;
};

struct pipe_pool {
    unsigned char *scratch; /* SCRATCH_BYTES */
    struct pipe *idle;
    unsigned pipes;   /* idle or lent */
    unsigned backoff; /* pipes were refused: so many requests are not tried */
};

/* Returns 0 or ENOMEM. */
int pipe_pool_open(struct pipe_pool *pipe_pool) __attribute__((warn_unused_result));
/* All pipes have been given back. */
void pipe_pool_close(struct pipe_pool *pipe_pool);

/* An empty pipe of PIPE_BYTES, or NULL: there are enough, or the system gives none. */
struct pipe *pipe_pool_take(struct pipe_pool *pipe_pool);
/* Takes a pipe back; bytes that are still in it are lost. NULL is fine. */
void pipe_pool_give(struct pipe_pool *pipe_pool, struct pipe *pipe);

#endif
