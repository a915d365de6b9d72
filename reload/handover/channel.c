#include "reload/handover/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

struct parcel {
    STAILQ_ENTRY(parcel) next;
    size_t fd_count;
    bool lent; /* its descriptors are the sender's */
    size_t length;
    int fds[MESSAGE_FDS_MAX];
    struct message_head head;
    unsigned char payload[];
};

struct channel {
    int fd;
    bool foreign;      /* the peer is of another major version */
    const char *wrong; /* a message could not be sent: nothing is any more, and on_lost is due */
    bool *closed;      /* not NULL: set by channel_close(), for the event that is under way */
    struct event *readable, *writable, *retry;
    struct channel_events events;
    struct channel_aside aside;
    STAILQ_HEAD(, parcel) queue;
};

/* What the peer has said before a command comes is heard before the command is: a new process that
 * hears one message a turn would be asked for its status before it knows how its reload went. The
 * limit is there for a peer that says more all the time. */
enum { HEARD_AT_ONCE = 64 };

/* The kernel tells nobody when a shortage of its is over. */
static const struct timeval retry_interval = {.tv_usec = 10000};

union control_space {
    struct cmsghdr align;
    unsigned char bytes[CMSG_SPACE(sizeof(int) * MESSAGE_FDS_MAX)];
};

static void lost(struct channel *channel, const char *wrong)
{
    event_del(channel->readable);
    event_del(channel->writable);
    event_del(channel->retry);
    channel->events.on_lost(wrong, channel->events.arg);
}

static size_t take_fds(struct msghdr *header, int fds[static MESSAGE_FDS_MAX])
{
    size_t count = 0;
    for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(header); cmsg; cmsg = CMSG_NXTHDR(header, cmsg)) {
        if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
            continue;
        size_t here = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(fds + count, CMSG_DATA(cmsg), here * sizeof(int));
        count += here;
    }
    return count;
}

/* Returns what is wrong with a record, or NULL. */
static const char *examine(const struct msghdr *header, size_t size,
                           const struct message_head *head)
{
    if (header->msg_flags & MSG_TRUNC)
        return "sent a message that was cut short";
    if (size < sizeof *head || head->magic != MESSAGE_MAGIC)
        return "does not speak the handover protocol";
    if (head->length != size - sizeof *head)
        return "sent a message of the wrong length";
    if ((header->msg_flags & MSG_CTRUNC) && head->type != MESSAGE_HANDOFF &&
        head->type != MESSAGE_DUPLICATES)
        return "sent more descriptors than could be taken";
    return NULL;
}

int channel_first(int fd, enum message_type type, int wait_ms)
{
    struct message_head head = {0};
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    union control_space control;
    struct iovec iov = {.iov_base = &head, .iov_len = sizeof head};
    struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
    int fds[MESSAGE_FDS_MAX];
    (void)poll(&readable, 1, wait_ms);
    if (recv(fd, &head, sizeof head, MSG_PEEK | MSG_DONTWAIT) != sizeof head ||
        head.magic != MESSAGE_MAGIC || head.major != MESSAGE_MAJOR || head.type != type)
        return -1;
    header.msg_control = control.bytes;
    header.msg_controllen = sizeof control.bytes;
    if (recvmsg(fd, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) < 0)
        return -1;
    size_t count = take_fds(&header, fds);
    for (size_t i = 1; i < count; i++)
        close(fds[i]);
    return count > 0 ? fds[0] : -1;
}

static bool understood(const struct channel *channel, uint32_t type)
{
    return !channel->foreign || type <= MESSAGE_COMMON;
}

/* A process of another major version passes BEAT over, and shows by reading it that it runs. */
static bool may_be_sent(const struct channel *channel, uint32_t type)
{
    return understood(channel, type) || type == MESSAGE_BEAT;
}

bool channel_hear(struct channel *channel)
{
    struct {
        struct message_head head;
        unsigned char payload[MESSAGE_PAYLOAD_MAX];
    } record = {0};
    union control_space control;
    struct iovec iov = {.iov_base = &record, .iov_len = sizeof record};
    struct msghdr header = {.msg_iov = &iov,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof control.bytes};
    ssize_t size = recvmsg(channel->fd, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (size < 0 && errno == EAGAIN)
        return false;
    /* unix(7) reports a peer that left something unread before what it had still said: once the
     * error is read, that comes, and then the end of file. */
    if (size < 0 && (errno == EINTR || errno == ECONNRESET))
        return true;
    if (size <= 0) {
        lost(channel, size < 0 ? "cannot be heard any more" : NULL);
        return true;
    }

    int fds[MESSAGE_FDS_MAX];
    size_t fd_count = take_fds(&header, fds);
    const char *wrong = examine(&header, (size_t)size, &record.head);
    if (!wrong)
        channel->foreign = record.head.major != MESSAGE_MAJOR;
    if (wrong) {
        lost(channel, wrong);
    } else if (understood(channel, record.head.type)) {
        struct received message = {.type = (enum message_type)record.head.type,
                                   .payload = record.payload,
                                   .length = record.head.length,
                                   .fds = fds,
                                   .fd_count = fd_count};
        if (channel->aside.arg && message.type == channel->aside.type)
            channel->aside.on_message(&message, channel->aside.arg);
        else
            channel->events.on_message(&message, channel->events.arg);
    }
    for (size_t i = 0; i < fd_count; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    return true;
}

static bool more_is_there(const struct channel *channel)
{
    int unread;
    return !channel->wrong && event_pending(channel->readable, EV_READ, NULL) &&
           ioctl(channel->fd, SIOCINQ, &unread) == 0 && unread > 0;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct channel *channel = arg;
    bool closed = false;
    if (channel->wrong) {
        lost(channel, channel->wrong);
        return;
    }
    channel->closed = &closed;
    for (unsigned i = 0; i < HEARD_AT_ONCE; i++) {
        (void)channel_hear(channel);
        if (closed)
            return;
        if (!more_is_there(channel))
            break;
    }
    channel->closed = NULL;
}

static int transmit(int fd, struct parcel *parcel)
{
    union control_space control = {0};
    struct iovec iov = {.iov_base = &parcel->head, .iov_len = sizeof parcel->head + parcel->length};
    struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
    if (parcel->fd_count) {
        header.msg_control = control.bytes;
        header.msg_controllen = CMSG_SPACE(sizeof(int) * parcel->fd_count);
        struct cmsghdr *cmsg = &control.align; /* CMSG_FIRSTHDR(&header) */
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(sizeof(int) * parcel->fd_count);
        memcpy(CMSG_DATA(cmsg), parcel->fds, sizeof(int) * parcel->fd_count);
    }
    return sendmsg(fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? errno : 0;
}

static void discard(struct parcel *parcel)
{
    for (size_t i = 0; i < parcel->fd_count && !parcel->lent; i++)
        close(parcel->fds[i]);
    free(parcel);
}

bool channel_may_retry(int error)
{
    switch (error) {
    case EAGAIN:
    case EINTR:
    case ENOBUFS:
    case ENOMEM:
    case ETOOMANYREFS:
        return true;
    default:
        return false;
    }
}

/* True: an event will try it again. Any other error is the peer's end, which on_readable() will
 * see. */
static bool try_later(struct channel *channel, int error)
{
    if (!channel_may_retry(error))
        return false;
    if (error == EAGAIN || error == EINTR)
        event_add(channel->writable, NULL);
    else
        event_add(channel->retry, &retry_interval);
    return true;
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct channel *channel = arg;
    struct parcel *parcel;
    while ((parcel = STAILQ_FIRST(&channel->queue))) {
        if (try_later(channel, transmit(channel->fd, parcel)))
            return;
        STAILQ_REMOVE_HEAD(&channel->queue, next);
        discard(parcel);
    }
}

static void free_events(struct channel *channel)
{
    struct event *events[] = {channel->readable, channel->writable, channel->retry};
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        if (events[i])
            event_free(events[i]);
}

struct channel *channel_open(int fd, struct event_base *base, const struct channel_events *events)
{
    struct channel *channel = calloc(1, sizeof *channel);
    if (!channel)
        return NULL;
    channel->fd = fd;
    channel->events = *events;
    STAILQ_INIT(&channel->queue);
    channel->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, channel);
    channel->writable = event_new(base, fd, EV_WRITE, on_writable, channel);
    channel->retry = event_new(base, -1, 0, on_writable, channel);
    if (channel->readable && channel->writable && channel->retry &&
        event_add(channel->readable, NULL) == 0)
        return channel;
    free_events(channel);
    free(channel);
    return NULL;
}

void channel_set_events(struct channel *channel, const struct channel_events *events)
{
    channel->events = *events;
}

void channel_set_aside(struct channel *channel, const struct channel_aside *aside)
{
    channel->aside = *aside;
}

void *channel_aside_arg(const struct channel *channel)
{
    return channel->aside.arg;
}

void channel_close(struct channel *channel)
{
    if (!channel)
        return;
    if (channel->closed)
        *channel->closed = true;
    if (channel->aside.arg)
        channel->aside.on_closed(channel->aside.arg);
    free_events(channel);
    struct parcel *parcel;
    while ((parcel = STAILQ_FIRST(&channel->queue))) {
        STAILQ_REMOVE_HEAD(&channel->queue, next);
        discard(parcel);
    }
    close(channel->fd);
    free(channel);
}

/* The descriptors are the caller's still. */
static struct parcel *make_parcel(enum message_type type, const void *payload, size_t length,
                                  const int *fds, size_t fd_count)
{
    struct parcel *parcel = calloc(1, sizeof *parcel + length);
    if (!parcel)
        return NULL;
    parcel->head = (struct message_head){.magic = MESSAGE_MAGIC,
                                         .major = MESSAGE_MAJOR,
                                         .minor = MESSAGE_MINOR,
                                         .type = type,
                                         .length = (uint32_t)length};
    parcel->length = length;
    if (length)
        memcpy(parcel->payload, payload, length);
    parcel->fd_count = fd_count;
    if (fd_count)
        memcpy(parcel->fds, fds, fd_count * sizeof *fds);
    return parcel;
}

int channel_send_now(struct channel *channel, enum message_type type, const void *payload,
                     size_t length, const int *fds, size_t fd_count)
{
    if (!may_be_sent(channel, type))
        return EPROTONOSUPPORT;
    if (channel->wrong)
        return ENOMEM;
    if (!STAILQ_EMPTY(&channel->queue))
        return EAGAIN;
    struct parcel *parcel = make_parcel(type, payload, length, fds, fd_count);
    if (!parcel)
        return ENOMEM;
    int error = transmit(channel->fd, parcel);
    free(parcel);
    return error == ECONNRESET ? EPIPE : error; /* something that was sent to it is unread */
}

/* One that is to wait keeps descriptors of its own. */
static bool own_fds(struct parcel *parcel)
{
    for (size_t i = 0; i < parcel->fd_count; i++) {
        int copy = fcntl(parcel->fds[i], F_DUPFD_CLOEXEC, 0);
        if (copy < 0) {
            while (i-- > 0)
                close(parcel->fds[i]);
            return false;
        }
        parcel->fds[i] = copy;
    }
    return true;
}

void channel_fail(struct channel *channel, const char *wrong)
{
    channel->wrong = wrong;
    event_active(channel->readable, EV_READ, 0);
}

/* A peer that has heard a part of something takes it for the whole: it hears no more. */
static void fail(struct channel *channel)
{
    channel_fail(channel, "could not be told everything: out of descriptors or memory");
}

static void post(struct channel *channel, enum message_type type, const void *payload,
                 size_t length, const int *fds, size_t fd_count, bool lent)
{
    if (!may_be_sent(channel, type) || channel->wrong)
        return;
    struct parcel *parcel = make_parcel(type, payload, length, fds, fd_count);
    if (!parcel) {
        fail(channel);
        return;
    }
    parcel->lent = lent;
    if (STAILQ_EMPTY(&channel->queue) && !try_later(channel, transmit(channel->fd, parcel))) {
        free(parcel);
    } else if (!lent && !own_fds(parcel)) {
        free(parcel);
        fail(channel);
    } else {
        STAILQ_INSERT_TAIL(&channel->queue, parcel, next);
    }
}

void channel_send(struct channel *channel, enum message_type type, const void *payload,
                  size_t length, const int *fds, size_t fd_count)
{
    post(channel, type, payload, length, fds, fd_count, false);
}

void channel_lend(struct channel *channel, enum message_type type, const void *payload,
                  size_t length, const int *fds, size_t fd_count)
{
    post(channel, type, payload, length, fds, fd_count, true);
}

bool channel_is_foreign(const struct channel *channel)
{
    return channel->foreign;
}

void channel_set_foreign(struct channel *channel)
{
    channel->foreign = true;
}

bool channel_is_read(const struct channel *channel)
{
    int unread;
    return STAILQ_EMPTY(&channel->queue) &&
           (ioctl(channel->fd, SIOCOUTQ, &unread) != 0 || unread == 0);
}

int channel_fd(const struct channel *channel)
{
    return channel->fd;
}
