#include "proxy/backend/check/probe.h"

#include "config/base/clock.h"
#include "proxy/engine/socket.h"

#include <errno.h>

static int outcome(const struct probe *probe)
{
    int error = socket_error(probe->fd);
    if (!error && socket_is_self_connected(probe->fd, address_port(&probe->address)))
        error = ECONNREFUSED; /* nobody listens there */
    return error;
}

static void on_answer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    struct probe *probe = arg;
    int error = what & EV_TIMEOUT ? ETIMEDOUT : outcome(probe);
    probe_cancel(probe);
    probe->on_end(probe, error);
}

void probe_init(struct probe *probe, struct event_base *base,
                void (*on_end)(struct probe *probe, int error))
{
    *probe = (struct probe){.base = base, .on_end = on_end, .fd = -1};
}

int probe_begin(struct probe *probe, const struct address *address, millis timeout)
{
    const struct timeval deadline = clock_interval(timeout);
    int error;
    probe->address = *address;
    probe->fd = socket_connect(address, &error);
    if (probe->fd < 0)
        return error;
    event_assign(&probe->answer, probe->base, probe->fd, EV_WRITE, on_answer, probe);
    event_add(&probe->answer, &deadline);
    return 0;
}

void probe_cancel(struct probe *probe)
{
    if (probe->fd < 0)
        return;
    event_del(&probe->answer);
    socket_close_reset(probe->fd);
    probe->fd = -1;
}
