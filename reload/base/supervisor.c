#include "reload/base/supervisor.h"

#include "reload/base/inherited.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
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

int supervisor_tell_files(const struct named_files *files)
{
    char message[SUPERVISOR_MESSAGE_MAX] = SUPERVISOR_FILES;
    size_t used = sizeof SUPERVISOR_FILES - 1;
    if (channel < 0)
        return 0;
    for (size_t i = 0; i < files->count; i++) {
        const struct named_file *file = &files->items[i];
        char line[SUPERVISOR_MESSAGE_MAX / 2];
        int length =
            snprintf(line, sizeof line, "\n" SUPERVISOR_FILE "%" PRIx64 " %s%s", file->mark,
                     file->pattern, file->absent ? "\n" SUPERVISOR_ABSENT : "");
        if (length < 0 || (size_t)length >= sizeof line)
            return ENAMETOOLONG;
        if (used + (size_t)length >= sizeof message) {
            int error = supervisor_tell(message);
            if (error)
                return error;
            used = 0;
        }
        memcpy(message + used, line, (size_t)length + 1);
        used += (size_t)length;
    }
    return supervisor_tell(message);
}

void supervisor_leave(void)
{
    if (channel >= 0)
        close(channel);
    channel = -1;
}
