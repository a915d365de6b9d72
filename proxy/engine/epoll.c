#include "proxy/engine/engine.h"

#include "config/base/container_of.h"
#include "proxy/engine/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* The event of the timer only ends the wait; no watch is told. */
static int open_timer(struct engine *engine)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    engine->wake_at = UINT64_MAX;
    engine->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (engine->timer < 0)
        return errno;
    if (epoll_ctl(engine->fd, EPOLL_CTL_ADD, engine->timer, &event) == 0)
        return 0;
    int error = errno;
    close(engine->timer);
    return error;
}

int engine_open(struct engine *engine, struct port_orders *orders)
{
    engine->fd = epoll_create1(EPOLL_CLOEXEC);
    if (engine->fd < 0)
        return errno;
    int error = open_timer(engine);
    if (error) {
        close(engine->fd);
        return error;
    }
    error = buffers_open(&engine->buffers);
    if (error) {
        close(engine->timer);
        close(engine->fd);
        return error;
    }
    ports_open(&engine->ports, orders);
    engine->moved = 0;
    engine->count = engine->next = 0;
    engine->turn = 0;
    engine->shared = false;
    pthread_mutex_init(&engine->lock, NULL);
    return 0;
}

void engine_shut(struct engine *engine)
{
    ports_close(&engine->ports);
    buffers_close(&engine->buffers);
    close(engine->timer);
    close(engine->fd);
    pthread_mutex_destroy(&engine->lock);
}

/* The kernel keeps with a descriptor the address of its watch, and in the lowest bit, which no
 * address of a watch has, whether the watch is a stream's. */
#define STREAM_BIT UINT64_C(1)

/* The kernel tells watch of these events on fd from now on. */
static int add(struct engine *engine, int fd, uint32_t events, struct watch *watch,
               uint64_t stream_bit)
{
    struct epoll_event event = {.events = events, .data.u64 = (uintptr_t)watch | stream_bit};
    return epoll_ctl(engine->fd, EPOLL_CTL_ADD, fd, &event) ? errno : 0;
}

/* The watch is not told what the kernel had already said in this turn. */
static void forget(struct engine *engine, const struct watch *watch)
{
    for (int i = engine->next; i < engine->count; i++)
        if ((engine->events[i].data.u64 & ~STREAM_BIT) == (uintptr_t)watch)
            engine->events[i].data.u64 = 0;
}

int engine_watch(struct engine *engine, struct watch *watch, int fd)
{
    return add(engine, fd, EPOLLIN, watch, 0);
}

void engine_unwatch(struct engine *engine, struct watch *watch, int fd)
{
    (void)epoll_ctl(engine->fd, EPOLL_CTL_DEL, fd, NULL);
    forget(engine, watch);
}

void engine_share(struct engine *engine, bool shared)
{
    pthread_mutex_lock(&engine->lock);
    engine->shared = shared;
    pthread_mutex_unlock(&engine->lock);
}

void engine_set_timer(struct engine *engine, uint64_t milliseconds)
{
    engine->wake_at = milliseconds;
    struct itimerspec at = {0}; /* none */
    if (milliseconds != UINT64_MAX) {
        at.it_value.tv_sec = (time_t)(milliseconds / 1000);
        at.it_value.tv_nsec = (long)(milliseconds % 1000 * 1000000);
    }
    (void)timerfd_settime(engine->timer, TFD_TIMER_ABSTIME, &at, NULL);
}

/* Both streams are over, the kernel says, and not by a reset. Where the proxy's end went first the
 * socket is likely to hold nothing but the other end: a look finds that as well as a receive does,
 * and says at the same time whether the socket can be kept. */
static void look(struct engine *engine, struct stream *stream)
{
    uint64_t received;
    if (!stream->first_out || stream->thorough || stream->closed)
        return;
    stream->closed = socket_is_closed(stream->fd, &received);
    if (!stream->closed)
        return;
    ports_note(&engine->ports, stream->order);
    if (received == stream->received)
        stream->ended = true;
}

static inline void note(struct engine *engine, struct stream *stream, uint32_t events)
{
    if (events & EPOLLIN)
        stream->readable = true;
    if (events & EPOLLOUT)
        stream->writable = true;
    /* The end of the stream is in the socket, and comes with no further event. A reset is told in
     * the same way, but as an error as well. */
    if (events & EPOLLRDHUP) {
        stream->readable = true;
        stream->hung_up |= !(events & EPOLLERR);
    }
    /* Nor does an error, or what lies behind urgent data, at which a read stops short. */
    if (events & (EPOLLERR | EPOLLPRI))
        stream->readable = stream->thorough = true;
    if (events & EPOLLHUP)
        look(engine, stream);
}

/* What forget() has met is told nothing. */
static inline void tell(struct engine *engine, uint64_t data, uint32_t events)
{
    if (data & STREAM_BIT) {
        struct watch *watch = (struct watch *)(uintptr_t)(data - STREAM_BIT);
        struct stream *stream = container_of(watch, struct stream, watch);
        if (stream->idle)
            return;
        note(engine, stream, events);
        watch->on_ready(watch, events);
    } else if (data) {
        struct watch *watch = (struct watch *)(uintptr_t)data;
        watch->on_ready(watch, events);
    }
}

void engine_turn(struct engine *engine, int timeout)
{
    engine->turn++;
    engine->count = call_epoll_wait(engine->fd, engine->events, ENGINE_BATCH, timeout);
    for (engine->next = 0; engine->next < engine->count;) {
        const struct epoll_event *event = &engine->events[engine->next++];
        tell(engine, event->data.u64, event->events);
    }
}

/* --- listening sockets ----------------------------------------------------------------------- */

void engine_ignore(struct engine *engine, struct accept_watch *accept_watch)
{
    if (accept_watch->watched)
        engine_unwatch(engine, &accept_watch->watch, accept_watch->fd);
    accept_watch->watched = false;
}

int engine_listen(struct engine *engine, struct accept_watch *accept_watch, bool arrivals)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uintptr_t)&accept_watch->watch};
    if (accept_watch->shared)
        event.events |= EPOLLEXCLUSIVE;
    if (arrivals)
        event.events |= EPOLLET;
    /* The kernel refuses to change what is exclusive. */
    if (accept_watch->shared)
        engine_ignore(engine, accept_watch);
    int operation = accept_watch->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(engine->fd, operation, accept_watch->fd, &event) == 0) {
        accept_watch->watched = true;
        return 0;
    }
    int error = errno;
    engine_ignore(engine, accept_watch);
    return error;
}

int engine_accept(int fd, struct address *client)
{
    client->length = sizeof *client - offsetof(struct address, any);
    int accepted = call_accept4(fd, &client->any, &client->length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return accepted < 0 ? -errno : accepted;
}

/* --- beginning and ending a connection ------------------------------------------------------- */

static int watch_stream(struct engine *engine, struct stream *stream, int fd)
{
    return add(engine, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET, &stream->watch,
               STREAM_BIT);
}

int engine_take(struct engine *engine, struct stream *stream, int fd, enum stream_kind kind)
{
    int error = watch_stream(engine, stream, fd);
    if (error)
        return error;
    stream->fd = fd;
    stream->thorough = kind == STREAM_UNIX;
    stream->prompt = kind != STREAM_CONNECTED;
    return 0;
}

static void keep_use(struct stream *stream, const struct port_use *use)
{
    stream->order = (uint16_t)use->order;
    stream->confined = use->confined;
}

int engine_connect(struct engine *engine, struct stream *stream, const struct address *address,
                   const struct connect_plan *plan)
{
    struct port_use use = {.ports = &engine->ports};
    int error;
    int fd = socket_connect_by(address, plan, &use, &error);
    if (fd < 0)
        return error;
    keep_use(stream, &use);
    error =
        engine_take(engine, stream, fd, address_is_unix(address) ? STREAM_UNIX : STREAM_CONNECTED);
    if (error)
        close(fd);
    return error;
}

int engine_reconnect(struct engine *engine, struct stream *stream, const struct address *address)
{
    struct port_use use = {.ports = &engine->ports, .confined = stream->confined};
    int error = socket_connect_again(stream->fd, address, &use);
    keep_use(stream, &use);
    stream->idle = error != 0;
    return error;
}

bool engine_is_self_connected(const struct stream *stream, unsigned port)
{
    return socket_is_self_connected(stream->fd, port);
}

bool engine_disconnect(struct stream *stream)
{
    stream->idle = stream->closed && stream->ended && socket_disconnect(stream->fd) == 0;
    return stream->idle;
}

void engine_renew(struct engine *engine, struct stream *stream)
{
    forget(engine, &stream->watch);
    *stream = (struct stream){.watch = stream->watch,
                              .fd = stream->fd,
                              .prompt = stream->prompt,
                              .confined = stream->confined,
                              .idle = true};
}

/* fd must not be open by another number (dup(2)), in a message under way or in another process, or
 * epoll goes on to report it. */
static void close_fd(struct engine *engine, int fd)
{
    pthread_mutex_lock(&engine->lock);
    if (engine->shared)
        (void)epoll_ctl(engine->fd, EPOLL_CTL_DEL, fd, NULL);
    (void)call_close(fd);
    pthread_mutex_unlock(&engine->lock);
}

void engine_close_now(struct engine *engine, struct stream *stream, bool reset)
{
    if (stream->shared) {
        (void)epoll_ctl(engine->fd, EPOLL_CTL_DEL, stream->fd, NULL);
        socket_finish(stream->fd, reset);
    } else if (reset) {
        socket_will_reset(stream->fd);
    }
    close_fd(engine, stream->fd);
    forget(engine, &stream->watch);
    stream->fd = -1;
    stream->readable = stream->writable = stream->hung_up = stream->spoken_to = stream->shared =
        stream->failed = stream->idle = false;
}

/* --- bytes ----------------------------------------------------------------------------------- */

/* The first segment of a connection never waits for another (RFC 896), so a connection that is sent
 * to only once is spared the call. */
void engine_be_prompt(struct stream *to)
{
    if (to->spoken_to) {
        socket_no_delay(to->fd);
        to->prompt = true;
    }
    to->spoken_to = true;
}

bool engine_can_splice(struct engine *engine, const struct stream *from)
{
    return !from->thorough && buffers_have_pipe(&engine->buffers);
}

/* By the kernel, or by what may forbid the call (seccomp); no error of the socket's. */
static bool splice_refused(int error)
{
    return error == EINVAL || error == ENOMEM || error == EOPNOTSUPP || error == ENOSYS ||
           error == EPERM || error == EACCES;
}

/* The end of the stream is left to recv(2): an error of the socket is told only once, and to
 * recv(2) a connection that was reset has simply ended after that. */
ssize_t engine_splice_in(struct engine *engine, struct stream *from, size_t most)
{
    size_t size = most < PIPE_BYTES ? most : PIPE_BYTES;
    ssize_t got = splice(from->fd, NULL, engine->buffers.pipe_in, NULL, size,
                         SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (got > 0) {
        engine_count(engine, from, (size_t)got);
        return got;
    }
    if (got == 0)
        return ENGINE_NO_SPLICE;
    if (errno == EAGAIN)
        from->readable = false;
    else if (splice_refused(errno))
        return ENGINE_NO_SPLICE;
    else if (errno != EINTR)
        return -1;
    return 0;
}

ssize_t engine_splice_out(struct engine *engine, struct stream *to, size_t length)
{
    size_t left = length;
    while (left > 0) {
        ssize_t sent = splice(engine->buffers.pipe_out, NULL, to->fd, NULL, left,
                              SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (sent < 0) {
            if (errno == EINTR)
                continue;
            if (errno != EAGAIN)
                return -1;
            to->writable = false;
            break;
        }
        left -= (size_t)sent;
    }
    return (ssize_t)(length - left);
}

void engine_read_pipe(struct engine *engine, unsigned char *bytes, size_t length)
{
    for (size_t done = 0; done < length;) {
        ssize_t got = read(engine->buffers.pipe_out, bytes + done, length - done);
        if (got > 0)
            done += (size_t)got;
        else if (errno != EINTR)
            abort(); /* the engine's own pipe, with so many bytes in it */
    }
}

void engine_drop_pipe(struct engine *engine)
{
    buffers_drop_pipe(&engine->buffers);
}

int engine_shutdown(struct stream *to)
{
    if (shutdown(to->fd, SHUT_WR) && errno != ENOTCONN)
        return errno;
    to->first_out = true;
    return 0;
}

/* --- questions ------------------------------------------------------------------------------- */

bool engine_has_left(const struct stream *stream)
{
    return stream->ended || (stream->hung_up && socket_unread(stream->fd) == 0);
}

int engine_error(const struct stream *stream)
{
    return socket_error(stream->fd);
}

struct address engine_own_address(const struct stream *stream)
{
    return socket_own_address(stream->fd);
}

size_t engine_room(const struct stream *to)
{
    return socket_room(to->fd);
}

bool engine_has_room(struct stream *to)
{
    bool has_room = socket_is_writable(to->fd);
    if (!has_room)
        to->writable = false;
    return has_room;
}

size_t engine_unacknowledged(const struct stream *to)
{
    return socket_unacknowledged(to->fd);
}

uint64_t engine_sent_ago(const struct stream *to)
{
    return socket_sent_ago(to->fd);
}

bool engine_is_whole(const struct stream *stream)
{
    return stream->ended || (stream->fd >= 0 && socket_end_has_come(stream->fd, stream->received));
}

void engine_keep_alive(const struct stream *stream)
{
    socket_keep_alive(stream->fd);
}

void engine_tune(const struct stream *stream, const struct tcp_tuning *tuning)
{
    socket_tune(stream->fd, tuning);
}

/* --- moving to another process --------------------------------------------------------------- */

void engine_park_now(struct engine *engine, struct stream *stream)
{
    engine_unwatch(engine, &stream->watch, stream->fd);
    stream->readable = stream->writable = false;
}

int engine_resume(struct engine *engine, struct stream *stream)
{
    stream->shared = true;
    return watch_stream(engine, stream, stream->fd);
}

void engine_leave(struct stream *stream)
{
    close(stream->fd);
    stream->fd = -1;
}

enum flag {
    FLAG_ENDED = 1,
    FLAG_THOROUGH = 4,
    FLAG_HUNG_UP = 8,
    FLAG_PROMPT = 16,
    FLAG_SPOKEN_TO = 32,
    FLAG_FIRST_OUT = 64,
};

uint32_t engine_flags(const struct stream *stream)
{
    return (stream->ended ? FLAG_ENDED : 0u) | (stream->thorough ? FLAG_THOROUGH : 0u) |
           (stream->hung_up ? FLAG_HUNG_UP : 0u) | (stream->prompt ? FLAG_PROMPT : 0u) |
           (stream->spoken_to ? FLAG_SPOKEN_TO : 0u) | (stream->first_out ? FLAG_FIRST_OUT : 0u);
}

void engine_adopt(struct stream *stream, int fd, uint64_t received, uint32_t flags)
{
    stream->fd = fd;
    stream->received = received;
    stream->ended = flags & FLAG_ENDED;
    stream->thorough = flags & FLAG_THOROUGH;
    stream->hung_up = flags & FLAG_HUNG_UP;
    stream->prompt = flags & FLAG_PROMPT;
    stream->spoken_to = flags & FLAG_SPOKEN_TO;
    stream->first_out = flags & FLAG_FIRST_OUT;
}
