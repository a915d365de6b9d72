#include "reload/listeners/sinks.h"

#include "reload/listeners/steering.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

int sinks_open(struct sinks *sinks, const struct listen_address *at, int listener, unsigned sockets)
{
    unsigned wanted = group_sinks(sockets);
    *sinks = (struct sinks){.fds = calloc(wanted, sizeof *sinks->fds)};
    int error = sinks->fds ? 0 : ENOMEM;
    while (!error && sinks->count < wanted) {
        int fd = steering_sink(at);
        if (fd < 0)
            error = -fd;
        else
            sinks->fds[sinks->count++] = fd;
    }
    if (!error)
        error = steering_set(listener, group_sunk(sockets));
    if (error)
        sinks_close(sinks);
    return error;
}

void sinks_close(struct sinks *sinks)
{
    while (sinks->count)
        close(sinks->fds[--sinks->count]);
    free(sinks->fds);
    sinks->fds = NULL;
}
