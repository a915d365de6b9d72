#include "proxy/session/pipe_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* After a refusal so many requests are answered without another try. */
#define SHY_REQUESTS 1000

int carrier_open(struct carrier *carrier)
{
    *carrier = (struct carrier){.scratch = malloc(SCRATCH_BYTES)};
    return carrier->scratch ? 0 : ENOMEM;
}

static void destroy(struct carrier *carrier, struct pipe *pipe)
{
    close(pipe->in);
    close(pipe->out);
    free(pipe);
    carrier->pipes--;
}

void carrier_close(struct carrier *carrier)
{
    while (carrier->idle) {
        struct pipe *pipe = carrier->idle;
        carrier->idle = pipe->next;
        destroy(carrier, pipe);
    }
    free(carrier->scratch);
}

static struct pipe *make(struct carrier *carrier)
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
    carrier->pipes++;
    if (fcntl(pipe->in, F_SETPIPE_SZ, PIPE_BYTES) < PIPE_BYTES) {
        destroy(carrier, pipe);
        return NULL;
    }
    return pipe;
}

struct pipe *carrier_take_pipe(struct carrier *carrier)
{
    struct pipe *pipe = carrier->idle;
    if (pipe) {
        carrier->idle = pipe->next;
        return pipe;
    }
    if (carrier->pipes == PIPES_MAX)
        return NULL;
    if (carrier->shy > 0) {
        carrier->shy--;
        return NULL;
    }
    pipe = make(carrier);
    if (!pipe)
        carrier->shy = SHY_REQUESTS;
    return pipe;
}

void carrier_give_pipe(struct carrier *carrier, struct pipe *pipe)
{
    if (!pipe)
        return;
    if (pipe->length > 0) {
        destroy(carrier, pipe);
        return;
    }
    pipe->next = carrier->idle;
    carrier->idle = pipe;
}
