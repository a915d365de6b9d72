#include "reload/base/inherited.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int inherited_socket(const char *variable)
{
    const char *text = getenv(variable);
    if (!text)
        return -ENOENT;
    char *end;
    long number = strtol(text, &end, 10);
    bool sound = *text && !*end && number > 2 && number <= INT_MAX;
    unsetenv(variable);
    if (!sound)
        return -EINVAL;
    int fd = (int)number, type = 0;
    socklen_t length = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length))
        return -errno;
    if (type != SOCK_SEQPACKET)
        return -ENOTSOCK;
    return fcntl(fd, F_SETFD, FD_CLOEXEC) ? -errno : fd;
}
