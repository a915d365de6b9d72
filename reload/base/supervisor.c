#include "reload/base/supervisor.h"

#include "reload/base/inherited.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int channel = -1;

int supervisor_inherit(void)
{
    int fd = inherited_socket(SUPERVISOR_VARIABLE);
    if (fd < 0)
        return fd == -ENOENT ? 0 : -fd;
    channel = fd;
    return 0;
}

int supervisor_descriptor(void)
{
    return channel;
}

int supervisor_tell(const char *state)
{
    ssize_t sent = send(channel, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent < 0 ? errno : 0;
}

void supervisor_leave(void)
{
    if (channel >= 0)
        close(channel);
    channel = -1;
}
