#include "reload/handover/others.h"

#include "reload/handover/channel.h"
#include "reload/handover/generation.h"
#include "reload/handover/new_side.h"
#include "reload/handover/old_side.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

size_t others_list(const struct generation *generation,
                   struct other_process list[static OTHERS_MAX])
{
    size_t count = 0;
    const struct draining_process *process;
    TAILQ_FOREACH (process, &generation->draining_processes.list, link)
        if (count < OTHERS_MAX - 2)
            list[count++] = (struct other_process){process->pid, process->generation,
                                                   OTHER_DRAINING, process->channel};
    const struct message_sessions *before = &generation->predecessor;
    if (before->pid && generation->new_side && new_side_channel(generation->new_side))
        list[count++] = (struct other_process){(pid_t)before->pid, before->generation, OTHER_GIVER,
                                               new_side_channel(generation->new_side)};
    struct old_side_accepting accepting;
    if (old_side_accepting(generation->old_side, &accepting))
        list[count++] = (struct other_process){accepting.pid, accepting.generation,
                                               accepting.takes_sessions ? OTHER_TAKER : OTHER_GIVER,
                                               accepting.channel};
    return count;
}

int others_ask(const struct other_process *other, const char *line)
{
    int ends[2];
    size_t length = strlen(line);
    if (length > MESSAGE_PAYLOAD_MAX)
        return -EMSGSIZE;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends))
        return -errno;
    channel_send(other->channel, MESSAGE_ASK, line, length, &ends[1], 1);
    close(ends[1]);
    return ends[0];
}
