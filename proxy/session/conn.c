#include "proxy/session/conn.h"

#include "proxy/engine/socket.h"
#include "proxy/stats/shared_stats.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* After so many reads, or so many bytes, the other sessions of the worker have their turn. */
#define TURN_READS 16
#define TURN_BYTES (1024u * 1024)

/* What a direction reads at a time before it has proved bulky. */
#define SMALL_READ (64u * 1024)
/* What a bulky direction reads at least, if it reads. */
#define LEAST_READ (16u * 1024)
/* With less room than this the kernel is asked whether it is worth while to go on: many small reads
 * cost more than few large ones. */
#define LITTLE_ROOM (256u * 1024)
/* A read of so much speaks for bulk, a turn of less against it: from about here on splice(2) is
 * cheaper than two copies. */
#define BULK (32u * 1024)
/* So many reads in a row prove it. */
#define BULKY 2

static int watch_socket(struct conn *conn, struct poller *poller, int fd)
{
    return poller_add(poller, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET,
                      &conn->watch);
}

int conn_open(struct conn *conn, struct poller *poller, int fd, enum conn_kind kind)
{
    int error = watch_socket(conn, poller, fd);
    if (error)
        return error;
    conn->fd = fd;
    conn->thorough = kind == CONN_UNIX;
    conn->prompt = kind != CONN_CONNECTED;
    return 0;
}

void conn_close(struct conn *conn, struct poller *poller, bool reset)
{
    if (conn->fd < 0)
        return;
    if (conn->shared) {
        poller_remove(poller, conn->fd, &conn->watch);
        socket_finish(conn->fd, reset);
    } else if (reset) {
        socket_will_reset(conn->fd);
    }
    poller_close(poller, conn->fd, &conn->watch);
    conn->fd = -1;
    conn_forget_unsent(conn);
    conn->readable = conn->writable = conn->hung_up = conn->spoken_to = conn->shared = false;
}

void conn_look(struct conn *conn)
{
    uint64_t received;
    if (!conn->first_out || conn->thorough || conn->closed)
        return;
    conn->closed = socket_is_closed(conn->fd, &received);
    if (conn->closed && received == conn->received)
        conn->ended = true;
}

bool conn_is_whole(const struct conn *conn)
{
    return conn->ended || (conn->fd >= 0 && socket_end_has_come(conn->fd, conn->received));
}

bool conn_disconnect(struct conn *conn)
{
    return conn->closed && conn->ended && socket_disconnect(conn->fd) == 0;
}

void conn_renew(struct conn *conn, struct poller *poller)
{
    poller_forget(poller, &conn->watch);
    *conn = (struct conn){
        .watch = conn->watch, .counter = conn->counter, .fd = conn->fd, .prompt = conn->prompt};
}

void conn_suspend(struct conn *conn, struct poller *poller)
{
    poller_remove(poller, conn->fd, &conn->watch);
    conn->readable = conn->writable = false;
}

int conn_resume(struct conn *conn, struct poller *poller)
{
    conn->shared = true;
    return watch_socket(conn, poller, conn->fd);
}

void conn_leave(struct conn *conn)
{
    close(conn->fd);
    conn->fd = -1;
    conn_forget_unsent(conn);
}

/* The first segment of a connection never waits for another (RFC 896), so an end that is sent to
 * only once is spared the call. */
static void be_prompt(struct conn *to)
{
    if (to->spoken_to) {
        socket_no_delay(to->fd);
        to->prompt = true;
    }
    to->spoken_to = true;
}

/* Sends to a connection; what it does not take is left to the caller. Returns bytes taken, or -1.
 */
static ssize_t offer(struct conn *to, const unsigned char *bytes, size_t length)
{
    ssize_t sent;
    if (!to->prompt)
        be_prompt(to);
    do
        sent = send(to->fd, bytes, length, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        if (errno != EAGAIN)
            return -1;
        sent = 0;
    }
    if ((size_t)sent < length)
        to->writable = false;
    return sent;
}

static struct unsent *make_unsent(size_t length)
{
    struct unsent *unsent = malloc(sizeof *unsent + length);
    if (unsent)
        *unsent = (struct unsent){.length = length};
    return unsent;
}

static enum relay keep(struct conn *to, const unsigned char *bytes, size_t length)
{
    to->unsent = make_unsent(length);
    if (!to->unsent)
        return RELAY_NO_MEMORY;
    memcpy(to->unsent->bytes, bytes, length);
    return RELAY_OK;
}

static enum relay flush_unsent(struct conn *to, struct relay_buffers *buffers)
{
    struct unsent *unsent = to->unsent;
    ssize_t sent = offer(to, unsent->bytes + unsent->offset, unsent->length);
    if (sent < 0)
        return RELAY_TO_FAILED;
    buffers->moved += (size_t)sent;
    unsent->offset += (size_t)sent;
    unsent->length -= (size_t)sent;
    if (unsent->length == 0)
        conn_forget_unsent(to);
    return RELAY_OK;
}

void conn_forget_unsent(struct conn *conn)
{
    free(conn->unsent);
    conn->unsent = NULL;
}

static void note_size(struct conn *from, size_t got)
{
    if (got >= BULK && from->bulk < BULKY)
        from->bulk++;
}

static void count(struct conn *from, struct relay_buffers *buffers, size_t got)
{
    from->received += got;
    buffers->moved += got;
    counter_add(from->counter, got);
}

/* Receives into the scratch memory. Returns bytes; 0 at the end of the stream, and when there is
 * nothing; -1 when the connection has failed. */
static inline ssize_t take(struct conn *from, struct relay_buffers *buffers, size_t size)
{
    ssize_t got = recv(from->fd, buffers->scratch, size, 0);
    if (got <= 0) {
        if (got == 0)
            from->ended = true;
        else if (errno == EAGAIN)
            from->readable = false;
        else if (errno != EINTR)
            return -1;
        return 0;
    }
    count(from, buffers, (size_t)got);
    /* A short read emptied the socket, and what comes later is a new edge. */
    if ((size_t)got < size && !from->thorough) {
        from->readable = false;
        from->ended = from->hung_up;
    }
    return got;
}

/* Receives at most so much, and sends it on. */
static inline enum relay copy(struct conn *from, struct relay_buffers *buffers, size_t size)
{
    struct conn *to = from->peer;
    ssize_t got = take(from, buffers, size);
    if (got <= 0)
        return got < 0 ? RELAY_FROM_FAILED : RELAY_OK;
    note_size(from, (size_t)got);
    ssize_t sent = offer(to, buffers->scratch, (size_t)got);
    if (sent < 0)
        return RELAY_TO_FAILED;
    if (sent == got)
        return RELAY_OK;
    return keep(to, buffers->scratch + sent, (size_t)(got - sent));
}

/* Moves what is in the pipe, so many bytes, into memory. */
static enum relay keep_from_pipe(struct conn *to, struct relay_buffers *buffers, size_t length)
{
    to->unsent = make_unsent(length);
    if (!to->unsent)
        return RELAY_NO_MEMORY;
    for (size_t done = 0; done < length;) {
        ssize_t got = read(buffers->pipe_out, to->unsent->bytes + done, length - done);
        if (got > 0)
            done += (size_t)got;
        else if (errno != EINTR)
            abort(); /* a pipe of our own, with so many bytes in it */
    }
    return RELAY_OK;
}

/* Empties the pipe, which holds so many bytes, into the connection. */
static enum relay empty_pipe(struct conn *to, struct relay_buffers *buffers, size_t length)
{
    while (length > 0) {
        ssize_t sent = splice(buffers->pipe_out, NULL, to->fd, NULL, length,
                              SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (sent < 0) {
            if (errno == EINTR)
                continue;
            if (errno != EAGAIN)
                return RELAY_TO_FAILED;
            to->writable = false;
            return keep_from_pipe(to, buffers, length);
        }
        length -= (size_t)sent;
    }
    return RELAY_OK;
}

/* By the kernel, or by who may forbid the call (seccomp); no error of the socket's. */
static bool splice_refused(int error)
{
    return error == EINVAL || error == ENOMEM || error == EOPNOTSUPP || error == ENOSYS ||
           error == EPERM || error == EACCES;
}

/* The same as copy() by the pipe. Where that is not possible, or there is an end, the direction is
 * no longer bulky, and copy() finds out what it is; but an error of the socket is told only once,
 * and to recv(2) a connection that was reset has simply ended. */
static enum relay splice_bytes(struct conn *from, struct relay_buffers *buffers, size_t size)
{
    ssize_t got =
        splice(from->fd, NULL, buffers->pipe_in, NULL, size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (got <= 0) {
        if (got < 0 && errno == EAGAIN)
            from->readable = false;
        else if (got == 0 || splice_refused(errno))
            from->bulk = 0;
        else if (errno != EINTR)
            return RELAY_FROM_FAILED;
        return RELAY_OK;
    }
    count(from, buffers, (size_t)got);
    enum relay result = empty_pipe(from->peer, buffers, (size_t)got);
    if (result != RELAY_OK)
        relay_buffers_drop_pipe(buffers);
    return result;
}

/* How much is received at a time for a connection: what it is likely to take at once, so that
 * little is left to be kept when it takes no more. 0: nothing, until an event tells of room. */
static size_t portion(struct conn *to)
{
    size_t room = socket_room(to->fd);
    if (room < LITTLE_ROOM && !socket_is_writable(to->fd)) {
        to->writable = false;
        return 0;
    }
    return room < LEAST_READ ? LEAST_READ : room;
}

static size_t least_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool is_for_pipe(const struct conn *from, struct relay_buffers *buffers, size_t size)
{
    return from->bulk == BULKY && size >= BULK && !from->thorough &&
           relay_buffers_have_pipe(buffers);
}

static enum relay receive(struct conn *from, struct relay_buffers *buffers)
{
    struct conn *to = from->peer;
    uint64_t before = from->received;
    uint64_t room_until = 0; /* as from->received counts */
    int reads = 0;
    for (; from->readable && !from->ended && !conn_is_held_up(from); reads++) {
        if (reads == TURN_READS || from->received - before >= TURN_BYTES)
            return RELAY_MORE;
        size_t size = SMALL_READ;
        if (from->bulk) {
            if (room_until < from->received + LITTLE_ROOM)
                room_until = from->received + portion(to);
            size = (size_t)(room_until - from->received);
            if (size == 0)
                break;
        }
        enum relay result = is_for_pipe(from, buffers, size)
                                ? splice_bytes(from, buffers, least_of(size, PIPE_BYTES))
                                : copy(from, buffers, least_of(size, SCRATCH_BYTES));
        if (result != RELAY_OK)
            return result;
    }
    if (reads > 0 && !from->readable && from->received - before < BULK)
        from->bulk = 0;
    return RELAY_OK;
}

enum relay conn_discard(struct conn *conn, struct relay_buffers *buffers)
{
    for (int reads = 0; conn->readable && !conn->ended; reads++) {
        if (reads == TURN_READS)
            return RELAY_MORE;
        if (take(conn, buffers, SCRATCH_BYTES) < 0)
            return RELAY_FROM_FAILED;
    }
    return RELAY_OK;
}

static enum relay move_bytes(struct conn *from, struct relay_buffers *buffers)
{
    struct conn *to = from->peer;
    if (conn_is_owed(to) && to->writable) {
        enum relay result = flush_unsent(to, buffers);
        if (result != RELAY_OK)
            return result;
    }
    return receive(from, buffers);
}

void relay_last(struct conn *from, struct relay_buffers *buffers)
{
    bool ended = from->ended;
    from->readable = from->thorough = true;
    while (move_bytes(from, buffers) == RELAY_MORE)
        ;
    from->ended = ended; /* send(2) took the error, and recv(2) then calls it an end */
}

enum relay relay(struct conn *from, struct relay_buffers *buffers)
{
    struct conn *to = from->peer;
    enum relay result = move_bytes(from, buffers);
    if (result != RELAY_OK)
        return result;
    if (from->ended && !conn_is_owed(to) && !to->shut) {
        /* Both ended: closing the descriptors says the same. */
        if (!to->ended) {
            if (shutdown(to->fd, SHUT_WR) && errno != ENOTCONN)
                return RELAY_TO_FAILED;
            to->first_out = true;
        }
        to->shut = true;
    }
    return RELAY_OK;
}
