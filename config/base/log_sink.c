#include "config/base/log_sink.h"

#include "config/base/address.h"
#include "config/base/log_host.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The native protocol of the journal: https://systemd.io/JOURNAL_NATIVE_PROTOCOL.
 * sd_journal_send(3) blocks where journald does not read, and loads six libraries. */
#define JOURNAL_SOCKET "/run/systemd/journal/socket"

/* While a sink is not ready, its patience is asked this often. */
#define POLL_SLICE_MS 100

static int open_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
    return fd < 0 ? -errno : fd;
}

static int open_datagrams(const struct address *to)
{
    int fd = socket(to->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, &to->any, to->length) == 0)
        return fd;
    int error = errno;
    close(fd);
    return -error;
}

static int open_socket(const char *path)
{
    struct address address;
    char text[ADDRESS_TEXT_MAX];
    snprintf(text, sizeof text, "unix:%s", path);
    return address_parse(text, &address) ? -EINVAL : open_datagrams(&address);
}

static const char *syslog_path(const struct sink *sink)
{
    return sink->where ? sink->where : LOG_DEVICE;
}

/* A program that reads the socket may start, or start again, at any time. */
static bool may_come(int error)
{
    return error == ENOENT || error == ECONNREFUSED;
}

static int open_target(struct sink *sink)
{
    switch (sink->target) {
    case LOG_TO_STDERR:
        sink->fd = STDERR_FILENO;
        break;
    case LOG_TO_FILE:
        sink->fd = open_file(sink->where);
        break;
    case LOG_TO_JOURNAL:
        sink->fd = open_socket(JOURNAL_SOCKET);
        break;
    case LOG_TO_SYSLOG:
        sink->fd = open_socket(syslog_path(sink));
        return sink->fd >= 0 || may_come(-sink->fd) ? 0 : -sink->fd;
    case LOG_TO_UDP:
        return log_host_new(sink->where, &sink->host);
    }
    return sink->fd >= 0 ? 0 : -sink->fd;
}

int sink_open(struct sink *sink, enum log_target target, const char *where)
{
    *sink = (struct sink){.target = target, .fd = -1, .where = where ? strdup(where) : NULL};
    if (where && !sink->where)
        return ENOMEM;
    int error = open_target(sink);
    if (error)
        free(sink->where);
    return error;
}

void sink_close(struct sink *sink)
{
    if (sink->target != LOG_TO_STDERR && sink->fd >= 0)
        close(sink->fd);
    log_host_free(sink->host);
    free(sink->where);
    *sink = (struct sink){.target = sink->target, .fd = -1};
}

static bool reader_has_gone(int error)
{
    return error == ECONNREFUSED || error == ECONNRESET || error == ENOTCONN || error == EPIPE ||
           error == EDESTADDRREQ;
}

/* Waits a moment for room. False: the patience is over. */
static bool wait_for_room(int fd, const struct sink_patience *patience)
{
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    if (poll(&ready, 1, POLL_SLICE_MS) > 0)
        return true;
    return !patience->is_over(patience->arg);
}

/* O_NONBLOCK must not be set on descriptor 2, because other processes share it. A socket (stderr
 * under systemd) accepts MSG_DONTWAIT, and a pipe or terminal that polls as writable accepts
 * PIPE_BUF bytes. */
static ssize_t write_some(int fd, const char *bytes, size_t length)
{
    ssize_t done = send(fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (done < 0 && errno == ENOTSOCK)
        done = write(fd, bytes, length);
    return done;
}

/* 0 or an errno value; EAGAIN: the patience was over. */
static int write_all(int fd, const char *bytes, size_t length, const struct sink_patience *patience)
{
    while (length > 0) {
        struct pollfd ready = {.fd = fd, .events = POLLOUT};
        if (poll(&ready, 1, 0) <= 0 && !wait_for_room(fd, patience))
            return EAGAIN;
        ssize_t done = write_some(fd, bytes, length);
        if (done < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOBUFS)) {
            if (patience->is_over(patience->arg))
                return EAGAIN;
            if (errno == ENOBUFS)
                (void)poll(NULL, 0, POLL_SLICE_MS);
            continue;
        }
        if (done < 0)
            return errno;
        bytes += done;
        length -= (size_t)done;
    }
    return 0;
}

/* Opens a socket to a host by its address. False: the address is not known, or the time was over.
 */
static bool reach_host(struct sink *sink, const struct sink_patience *patience)
{
    struct address address;
    unsigned version;
    enum log_host_state state;
    while ((state = log_host_address(sink->host, patience->looks_up, &address, &version)) ==
           LOG_HOST_ASKED) {
        if (patience->is_over(patience->arg))
            return false;
        (void)poll(NULL, 0, POLL_SLICE_MS / 2);
    }
    if (state != LOG_HOST_KNOWN)
        return false;
    if (sink->fd >= 0 && version == sink->version)
        return true;
    if (sink->fd >= 0)
        close(sink->fd);
    sink->fd = open_datagrams(&address);
    sink->version = version;
    return sink->fd >= 0;
}

/* False: there is no reader. */
static bool connect_again(struct sink *sink)
{
    if (sink->target != LOG_TO_SYSLOG && sink->target != LOG_TO_JOURNAL)
        return false;
    int fd = open_socket(sink->target == LOG_TO_JOURNAL ? JOURNAL_SOCKET : syslog_path(sink));
    if (fd < 0)
        return false;
    if (sink->fd >= 0)
        close(sink->fd);
    sink->fd = fd;
    return true;
}

bool sink_write(struct sink *sink, const char *lines, size_t length,
                const struct sink_patience *patience)
{
    /* A datagram is one line, and needs no end. To the journal the end belongs. */
    if (sink->target == LOG_TO_SYSLOG || sink->target == LOG_TO_UDP)
        length--;
    if (sink->host && !reach_host(sink, patience))
        return false;
    int error = sink->fd < 0 ? ENOTCONN : write_all(sink->fd, lines, length, patience);
    if (error && reader_has_gone(error) && connect_again(sink))
        error = write_all(sink->fd, lines, length, patience);
    return error == 0;
}
