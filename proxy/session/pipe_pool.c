#include "proxy/session/pipe_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* After a refusal so many requests are answered without another try. */
#define SHY_REQUESTS 1000

int pipe_pool_open(struct pipe_pool *pipe_pool)
{
    *pipe_pool = (struct pipe_pool){.scratch = malloc(SCRATCH_BYTES)};
    return pipe_pool->scratch ? 0 : ENOMEM;
}

static void destroy(struct pipe_pool *pipe_pool, struct pipe *pipe)
{
    close(pipe->in);
    close(pipe->out);
    free(pipe);
    pipe_pool->pipes--;
}

void pipe_pool_close(struct pipe_pool *pipe_pool)
{
    while (pipe_pool->idle) {
        struct pipe *pipe = pipe_pool->idle;
        pipe_pool->idle = pipe->next;
        destroy(pipe_pool, pipe);
    }
    free(pipe_pool->scratch);
}

static struct pipe *make(struct pipe_pool *pipe_pool)
{
    int ends[2];
    struct pipe *pipe = calloc(1, sizeof *pipe);
    if (!pipe)
        return NULL;
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC)) {
        free(pipe);
        return NULL;
    }
    pipe->out = ends[0];
    pipe->in = ends[1];
    pipe_pool->pipes++;
    if (fcntl(pipe->in, F_SETPIPE_SZ, PIPE_BYTES) < PIPE_BYTES) {
        destroy(pipe_pool, pipe);
        return NULL;
    }
    return pipe;
}

struct pipe *pipe_pool_take(struct pipe_pool *pipe_pool)
{
    struct pipe *pipe = pipe_pool->idle;
    if (pipe) {
        pipe_pool->idle = pipe->next;
        return pipe;
    }
    if (pipe_pool->pipes == PIPES_MAX)
        return NULL;
    if (pipe_pool->backoff > 0) {
        pipe_pool->backoff--;
        return NULL;
    }
    pipe = make(pipe_pool);
    if (!pipe)
        pipe_pool->backoff = SHY_REQUESTS;
    return pipe;
}

void pipe_pool_give(struct pipe_pool *pipe_pool, struct pipe *pipe)
{
    if (!pipe)
        return;
    if (pipe->length > 0) {
        destroy(pipe_pool, pipe);
        return;
    }
    pipe->next = pipe_pool->idle;
    pipe_pool->idle = pipe;
}
