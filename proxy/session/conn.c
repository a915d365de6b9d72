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

void conn_close(struct conn *conn, struct poller *poller, struct pipe_pool *pipe_pool, bool reset)
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
    free(conn->unsent);
    conn->unsent = NULL;
    pipe_pool_give(pipe_pool, conn->pipe);
    conn->pipe = NULL;
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

int conn_settle(struct conn *conn, struct pipe_pool *pipe_pool)
{
    struct pipe *pipe = conn->pipe;
    if (!pipe)
        return 0;
    conn->unsent = malloc(sizeof *conn->unsent + pipe->length);
    if (!conn->unsent)
        return ENOMEM;
    *conn->unsent = (struct unsent){.length = pipe->length};
    while (pipe->length > 0) {
        ssize_t got = read(pipe->out, conn->unsent->bytes + conn->unsent->length - pipe->length,
                           pipe->length);
        if (got > 0)
            pipe->length -= (size_t)got;
        else if (errno != EINTR)
            abort(); /* a pipe of our own, with so many bytes in it */
    }
    pipe_pool_give(pipe_pool, pipe);
    conn->pipe = NULL;
    return 0;
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
    free(conn->unsent);
    conn->unsent = NULL;
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

/* Sends to an end; what it does not take is left to the caller. Returns bytes taken, or -1. */
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

static enum relay keep(struct conn *to, const unsigned char *bytes, size_t length)
{
    to->unsent = malloc(sizeof *to->unsent + length);
    if (!to->unsent)
        return RELAY_NO_MEMORY;
    to->unsent->offset = 0;
    to->unsent->length = length;
    memcpy(to->unsent->bytes, bytes, length);
    return RELAY_OK;
}

static enum relay flush_unsent(struct conn *to)
{
    struct unsent *unsent = to->unsent;
    ssize_t sent = offer(to, unsent->bytes + unsent->offset, unsent->length);
    if (sent < 0)
        return RELAY_TO_FAILED;
    unsent->offset += (size_t)sent;
    unsent->length -= (size_t)sent;
    if (unsent->length == 0) {
        free(unsent);
        to->unsent = NULL;
    }
    return RELAY_OK;
}

/* Empties the pipe into its end, and gives it back once it is empty. */
static enum relay flush_pipe(struct conn *to, struct pipe_pool *pipe_pool)
{
    struct pipe *pipe = to->pipe;
    while (pipe->length > 0) {
        ssize_t sent =
            splice(pipe->out, NULL, to->fd, NULL, pipe->length, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (sent < 0) {
            if (errno == EINTR)
                continue;
            if (errno != EAGAIN)
                return RELAY_TO_FAILED;
            to->writable = false;
            return RELAY_OK;
        }
        pipe->length -= (size_t)sent;
    }
    pipe_pool_give(pipe_pool, pipe);
    to->pipe = NULL;
    return RELAY_OK;
}

static void note_size(struct conn *from, size_t got)
{
    if (got >= BULK && from->bulk < BULKY)
        from->bulk++;
}

/* Takes a scratch buffer full and sends it on. *got is what recv(2) returned, or 0 when it was
 * interrupted. */
static enum relay copy(struct conn *from, struct pipe_pool *pipe_pool, size_t *got)
{
    struct conn *to = from->peer;
    size_t size = from->bulk ? SCRATCH_BYTES : SMALL_READ;
    ssize_t received = recv(from->fd, pipe_pool->scratch, size, 0);
    if (received <= 0) {
        if (received == 0)
            from->ended = true;
        else if (errno == EAGAIN)
            from->readable = false;
        else if (errno != EINTR)
            return RELAY_FROM_FAILED;
        return RELAY_OK;
    }
    *got = (size_t)received;
    note_size(from, *got);
    /* A short read emptied the socket, and what comes later is a new edge. */
    if (*got < size && !from->thorough) {
        from->readable = false;
        from->ended = from->hung_up;
    }
    ssize_t sent = offer(to, pipe_pool->scratch, *got);
    if (sent < 0)
        return RELAY_TO_FAILED;
    if (sent == received)
        return RELAY_OK;
    return keep(to, pipe_pool->scratch + sent, (size_t)(received - sent));
}

/* By the kernel, or by who may forbid the call (seccomp); no error of the socket's. */
static bool splice_refused(int error)
{
    return error == EINVAL || error == ENOMEM || error == EOPNOTSUPP || error == ENOSYS ||
           error == EPERM || error == EACCES;
}

/* The same by a pipe, which is empty. Where that is not possible, or there is an end, the direction
 * is no longer bulky, and copy() finds out what it is; but an error of the socket is told only
 * once, and to recv(2) a connection that was reset has simply ended. */
static enum relay splice_bytes(struct conn *from, struct pipe *pipe, struct pipe_pool *pipe_pool,
                               size_t *got)
{
    struct conn *to = from->peer;
    ssize_t received =
        splice(from->fd, NULL, pipe->in, NULL, PIPE_BYTES, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (received <= 0) {
        pipe_pool_give(pipe_pool, pipe);
        if (received < 0 && errno == EAGAIN)
            from->readable = false;
        else if (received == 0 || splice_refused(errno))
            from->bulk = 0;
        else if (errno != EINTR)
            return RELAY_FROM_FAILED;
        return RELAY_OK;
    }
    *got = (size_t)received;
    pipe->length = *got;
    to->pipe = pipe;
    return flush_pipe(to, pipe_pool);
}

static enum relay receive(struct conn *from, struct pipe_pool *pipe_pool)
{
    struct conn *to = from->peer;
    size_t bytes = 0;
    int reads = 0;
    for (; from->readable && !from->ended && !conn_is_owed(to); reads++) {
        if (reads == TURN_READS || bytes >= TURN_BYTES)
            return RELAY_MORE;
        size_t got = 0;
        struct pipe *pipe = NULL;
        if (from->bulk == BULKY && !from->thorough)
            pipe = pipe_pool_take(pipe_pool);
        enum relay result =
            pipe ? splice_bytes(from, pipe, pipe_pool, &got) : copy(from, pipe_pool, &got);
        from->received += got;
        counter_add(from->counter, got);
        bytes += got;
        if (result != RELAY_OK)
            return result;
    }
    if (reads > 0 && !from->readable && bytes < BULK)
        from->bulk = 0;
    return RELAY_OK;
}

static enum relay move_bytes(struct conn *from, struct pipe_pool *pipe_pool)
{
    struct conn *to = from->peer;
    if (conn_is_owed(to) && to->writable) {
        enum relay result = to->unsent ? flush_unsent(to) : flush_pipe(to, pipe_pool);
        if (result != RELAY_OK)
            return result;
    }
    return receive(from, pipe_pool);
}

void relay_last(struct conn *from, struct pipe_pool *pipe_pool)
{
    bool ended = from->ended;
    /* A Unix peer that has only ceased to read could go on for ever. */
    (void)shutdown(from->fd, SHUT_RD);
    from->readable = from->thorough = true;
    while (move_bytes(from, pipe_pool) == RELAY_MORE)
        ;
    from->ended = ended; /* send(2) took the error, and recv(2) then calls it an end */
}

enum relay relay(struct conn *from, struct pipe_pool *pipe_pool)
{
    struct conn *to = from->peer;
    enum relay result = move_bytes(from, pipe_pool);
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
