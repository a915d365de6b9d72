#include "config/base/systemd.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#ifdef HAVE_LIBSYSTEMD

#include <dlfcn.h>
#include <systemd/sd-daemon.h>

/* The number is the version of the interface in the headers that were compiled in. */
#define LIBRARY "libsystemd.so.0"

static __typeof__(&sd_notify) notify;

static int load(void)
{
    if (notify)
        return 0;
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return ENOENT;
    /* ISO C has no conversion from void * to a function pointer; POSIX (dlsym) recommends this one.
     */
    *(void **)&notify = dlsym(library, "sd_notify");
    return notify ? 0 : ENOENT;
}

/* Sends by a socket that is not a Unix socket (vsock(7), to the host of a virtual machine). */
static int notify_by_library(const char *state)
{
    int error = load();
    if (error)
        return error;
    int result = notify(0, state);
    return result < 0 ? -result : 0;
}

#else

static int notify_by_library(const char *state)
{
    (void)state;
    return ENOSYS;
}

#endif

/* Sends to the Unix socket `name`; '@' at the start means an abstract name (unix(7)). */
static int send_to(const char *name, const char *state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(name);
    if (length >= sizeof address.sun_path)
        return ENAMETOOLONG;
    memcpy(address.sun_path, name, length);
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    ssize_t sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
                          (const struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
    int error = sent < 0 ? errno : 0;
    close(fd);
    return error;
}

int systemd_notify(const char *state)
{
    const char *name = getenv("NOTIFY_SOCKET");
    if (!name)
        return 0;
    return name[0] == '/' || name[0] == '@' ? send_to(name, state) : notify_by_library(state);
}
