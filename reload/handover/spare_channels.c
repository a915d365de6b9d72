#include "reload/handover/spare_channels.h"

#include "reload/handover/channel.h"
#include "reload/handover/draining_processes.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

void spare_channels_offer(const struct draining_processes *draining_processes,
                          struct channel *successor)
{
    const struct draining_process *process;
    TAILQ_FOREACH (process, &draining_processes->list, link) {
        int ends[2];
        if (channel_is_foreign(process->channel) ||
            socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends))
            continue;
        const struct message_sessions about = draining_process_about(process);
        channel_send(process->channel, MESSAGE_SPARE, &about, sizeof about, &ends[0], 1);
        channel_send(successor, MESSAGE_SPARE, &about, sizeof about, &ends[1], 1);
        close(ends[0]);
        close(ends[1]);
    }
}

void spare_channels_add(struct spare_channels *spare_channels, const struct received *message)
{
    if (message->fd_count != 1)
        return;
    struct spare_channel *list =
        reallocarray(spare_channels->list, spare_channels->count + 1, sizeof *list);
    if (!list)
        return;
    spare_channels->list = list;
    list[spare_channels->count++] =
        (struct spare_channel){*(const struct message_sessions *)message->payload, message->fds[0]};
    message->fds[0] = -1;
}

void spare_channels_drop(struct spare_channels *spare_channels,
                         const struct message_sessions *about)
{
    for (size_t i = 0; i < spare_channels->count; i++) {
        struct spare_channel *spare = &spare_channels->list[i];
        if (spare->about.pid != about->pid)
            continue;
        close(spare->fd);
        *spare = spare_channels->list[--spare_channels->count];
        return;
    }
}

bool spare_channel_is_dead(int fd)
{
    struct pollfd end = {.fd = fd};
    return poll(&end, 1, 0) > 0 && (end.revents & (POLLHUP | POLLERR | POLLNVAL));
}

void spare_channels_close(struct spare_channels *spare_channels)
{
    for (size_t i = 0; i < spare_channels->count; i++)
        close(spare_channels->list[i].fd);
    free(spare_channels->list);
    *spare_channels = (struct spare_channels){0};
}
