#include "reload/listeners/activation.h"

#include "config/base/log.h"
#include "config/model/config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST_FD 3 /* SD_LISTEN_FDS_START */
/* What a socket is called that came without LISTEN_FDNAMES. */
#define NAMELESS "unknown"

/* Reads a number of at most `most`. */
static bool read_number(const char *text, long most, long *number)
{
    char *end;
    errno = 0;
    *number = strtol(text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end && !errno && *number <= most;
}

static const char *take_one(struct offer *offer, int fd, const char *name, size_t length)
{
    char text[ADDRESS_TEXT_MAX];
    if (fcntl(fd, F_SETFD, FD_CLOEXEC))
        return "LISTEN_FDS: not all of these descriptors are open";
    int size = snprintf(text, sizeof text, BIND_FD_PREFIX "%.*s", (int)length, name);
    if (size < 0 || (size_t)size >= sizeof text) {
        log_warning("LISTEN_FDNAMES: the name of descriptor %d is longer than %d bytes: no bind "
                    "can name it",
                    fd, BIND_FD_NAME_MAX);
        close(fd);
        return NULL;
    }
    struct offered *offered = offer_add(offer, text);
    if (!offered || offered_add_fds(offered, &fd, 1))
        return "out of memory";
    return NULL;
}

static const char *take_all(struct offer *offer, long count, const char *names)
{
    const char *at = names;
    for (int fd = FIRST_FD; fd < FIRST_FD + count; fd++) {
        const char *name = names ? at : NAMELESS;
        if (!name)
            return "LISTEN_FDNAMES: fewer names than LISTEN_FDS";
        size_t length = strcspn(name, ":");
        const char *wrong = take_one(offer, fd, name, length);
        if (wrong)
            return wrong;
        if (names)
            at = at[length] ? at + length + 1 : NULL;
    }
    return names && at && count > 0 ? "LISTEN_FDNAMES: more names than LISTEN_FDS" : NULL;
}

static const char *take(struct offer *offer)
{
    const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
    long number, count;
    if (pid && !fds)
        log_warning("LISTEN_PID is set without LISTEN_FDS: no socket is taken from a service "
                    "manager");
    if (!pid && fds)
        log_warning("LISTEN_FDS is set without LISTEN_PID: no socket is taken from a service "
                    "manager");
    if (!pid || !fds)
        return NULL;
    if (!read_number(pid, INT_MAX, &number) || number == 0)
        return "LISTEN_PID: not a process id";
    if (number != getpid()) {
        log_warning("LISTEN_PID names process %ld, and this is process %d: no socket is taken from "
                    "a service manager (a program between the two has to exec rpproxy, and to keep "
                    "its PID namespace)",
                    number, (int)getpid());
        return NULL;
    }
    if (!read_number(fds, INT_MAX - FIRST_FD, &count))
        return "LISTEN_FDS: not a number of descriptors";
    return take_all(offer, count, getenv("LISTEN_FDNAMES"));
}

const char *activation_take(struct offer *offer)
{
    const char *wrong = take(offer);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return wrong;
}

static bool has_value(int fd, int option, int wanted)
{
    int value = 0;
    socklen_t length = sizeof value;
    return getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 && value == wanted;
}

const char *activation_adopt(int fd)
{
    bool tcp = has_value(fd, SO_DOMAIN, AF_INET) || has_value(fd, SO_DOMAIN, AF_INET6);
    if (!has_value(fd, SO_TYPE, SOCK_STREAM) || !(tcp || has_value(fd, SO_DOMAIN, AF_UNIX)))
        return "what was passed is not a TCP or Unix stream socket";
    if (!has_value(fd, SO_ACCEPTCONN, 1))
        return "the socket that was passed does not listen (Accept=yes passes connections)";
    /* Of the open file, which the process has in common with the manager: it only waits on it. */
    if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK))
        return strerror(errno);
    if (tcp) { /* as the process's own have it; what is accepted inherits it */
        (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &(int){1}, sizeof(int));
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    }
    return NULL;
}
