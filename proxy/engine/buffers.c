#include "proxy/engine/buffers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* After a refusal so many requests are answered without another try. */
#define BACKOFF_REQUESTS 1000

int buffers_open(struct buffers *buffers)
{
    *buffers = (struct buffers){.scratch = malloc(SCRATCH_BYTES), .pipe_in = -1, .pipe_out = -1};
    return buffers->scratch ? 0 : ENOMEM;
}

void buffers_close(struct buffers *buffers)
{
    buffers_drop_pipe(buffers);
    free(buffers->scratch);
}

void buffers_drop_pipe(struct buffers *buffers)
{
    if (buffers->pipe_in < 0)
        return;
    close(buffers->pipe_in);
    close(buffers->pipe_out);
    buffers->pipe_in = buffers->pipe_out = -1;
}

static bool make_pipe(struct buffers *buffers)
{
    int ends[2];
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC))
        return false;
    buffers->pipe_out = ends[0];
    buffers->pipe_in = ends[1];
    if (fcntl(buffers->pipe_in, F_SETPIPE_SZ, PIPE_BYTES) >= PIPE_BYTES)
        return true;
    buffers_drop_pipe(buffers);
    return false;
}

bool buffers_have_pipe(struct buffers *buffers)
{
    if (buffers->pipe_in >= 0)
        return true;
    if (buffers->backoff > 0) {
        buffers->backoff--;
        return false;
    }
    if (make_pipe(buffers))
        return true;
    buffers->backoff = BACKOFF_REQUESTS;
    return false;
}
