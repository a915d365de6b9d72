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

static int watch_socket(struct end *end, struct poller *poller, int fd)
{
    return poller_add(poller, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET,
                      &end->watch);
}

int end_open(struct end *end, struct poller *poller, int fd, enum end_kind kind)
{
    int error = watch_socket(end, poller, fd);
    if (error)
        return error;
    end->fd = fd;
    end->thorough = kind == END_UNIX;
    end->prompt = kind != END_CONNECTED;
    return 0;
}

void end_close(struct end *end, struct poller *poller, struct carrier *carrier, bool reset)
{
    if (end->fd < 0)
        return;
    if (end->shared) {
        poller_remove(poller, end->fd, &end->watch);
        socket_finish(end->fd, reset);
    } else if (reset) {
        socket_will_reset(end->fd);
    }
    poller_close(poller, end->fd, &end->watch);
    end->fd = -1;
    free(end->unsent);
    end->unsent = NULL;
    carrier_give_pipe(carrier, end->pipe);
    end->pipe = NULL;
    end->readable = end->writable = end->hung_up = end->spoken_to = end->shared = false;
}

void end_look(struct end *end)
{
    uint64_t received;
    if (!end->first_out || end->thorough || end->closed)
        return;
    end->closed = socket_is_closed(end->fd, &received);
    if (end->closed && received == end->received)
        end->ended = true;
}

bool end_disconnect(struct end *end)
{
    return end->closed && end->ended && socket_disconnect(end->fd) == 0;
}

void end_renew(struct end *end, struct poller *poller)
{
    poller_forget(poller, &end->watch);
    *end = (struct end){
        .watch = end->watch, .counter = end->counter, .fd = end->fd, .prompt = end->prompt};
}

int end_settle(struct end *end, struct carrier *carrier)
{
    struct pipe *pipe = end->pipe;
    if (!pipe)
        return 0;
    end->unsent = malloc(sizeof *end->unsent + pipe->length);
    if (!end->unsent)
        return ENOMEM;
    *end->unsent = (struct unsent){.length = pipe->length};
    while (pipe->length > 0) {
        ssize_t got =
            read(pipe->out, end->unsent->bytes + end->unsent->length - pipe->length, pipe->length);
        if (got > 0)
            pipe->length -= (size_t)got;
        else if (errno != EINTR)
            abort(); /* a pipe of our own, with so many bytes in it */
    }
    carrier_give_pipe(carrier, pipe);
    end->pipe = NULL;
    return 0;
}

void end_suspend(struct end *end, struct poller *poller)
{
    poller_remove(poller, end->fd, &end->watch);
    end->readable = end->writable = false;
}

int end_resume(struct end *end, struct poller *poller)
{
    end->shared = true;
    return watch_socket(end, poller, end->fd);
}

void end_leave(struct end *end)
{
    close(end->fd);
    end->fd = -1;
    free(end->unsent);
    end->unsent = NULL;
}

/* The first segment of a connection never waits for another (RFC 896), so an end that is sent to
 * only once is spared the call. */
static void be_prompt(struct end *to)
{
    if (to->spoken_to) {
        socket_no_delay(to->fd);
        to->prompt = true;
    }
    to->spoken_to = true;
}

/* Sends to an end; what it does not take is left to the caller. Returns bytes taken, or -1. */
static ssize_t offer(struct end *to, const unsigned char *bytes, size_t length)
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

static enum relay keep(struct end *to, const unsigned char *bytes, size_t length)
{
    to->unsent = malloc(sizeof *to->unsent + length);
    if (!to->unsent)
        return RELAY_NO_MEMORY;
    to->unsent->offset = 0;
    to->unsent->length = length;
    memcpy(to->unsent->bytes, bytes, length);
    return RELAY_OK;
}

static enum relay flush_unsent(struct end *to)
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
static enum relay flush_pipe(struct end *to, struct carrier *carrier)
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
    carrier_give_pipe(carrier, pipe);
    to->pipe = NULL;
    return RELAY_OK;
}

static void note_size(struct end *from, size_t got)
{
    if (got >= BULK && from->bulk < BULKY)
        from->bulk++;
}

/* Takes a scratch buffer full and sends it on. *got is what recv(2) returned, or 0 when it was
 * interrupted. */
static enum relay copy(struct end *from, struct carrier *carrier, size_t *got)
{
    struct end *to = from->peer;
    size_t size = from->bulk ? SCRATCH_BYTES : SMALL_READ;
    ssize_t received = recv(from->fd, carrier->scratch, size, 0);
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
    ssize_t sent = offer(to, carrier->scratch, *got);
    if (sent < 0)
        return RELAY_TO_FAILED;
    if (sent == received)
        return RELAY_OK;
    return keep(to, carrier->scratch + sent, (size_t)(received - sent));
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
static enum relay carry(struct end *from, struct pipe *pipe, struct carrier *carrier, size_t *got)
{
    struct end *to = from->peer;
    ssize_t received =
        splice(from->fd, NULL, pipe->in, NULL, PIPE_BYTES, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (received <= 0) {
        carrier_give_pipe(carrier, pipe);
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
    return flush_pipe(to, carrier);
}

static enum relay receive(struct end *from, struct carrier *carrier)
{
    struct end *to = from->peer;
    size_t bytes = 0;
    int reads = 0;
    for (; from->readable && !from->ended && !end_is_owed(to); reads++) {
        if (reads == TURN_READS || bytes >= TURN_BYTES)
            return RELAY_MORE;
        size_t got = 0;
        struct pipe *pipe = NULL;
        if (from->bulk == BULKY && !from->thorough)
            pipe = carrier_take_pipe(carrier);
        enum relay result = pipe ? carry(from, pipe, carrier, &got) : copy(from, carrier, &got);
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

static enum relay move_bytes(struct end *from, struct carrier *carrier)
{
    struct end *to = from->peer;
    if (end_is_owed(to) && to->writable) {
        enum relay result = to->unsent ? flush_unsent(to) : flush_pipe(to, carrier);
        if (result != RELAY_OK)
            return result;
    }
    return receive(from, carrier);
}

void relay_last(struct end *from, struct carrier *carrier)
{
    bool ended = from->ended;
    /* A Unix peer that has only ceased to read could go on for ever. */
    (void)shutdown(from->fd, SHUT_RD);
    from->readable = from->thorough = true;
    while (move_bytes(from, carrier) == RELAY_MORE)
        ;
    from->ended = ended; /* send(2) took the error, and recv(2) then calls it an end */
}

enum relay relay(struct end *from, struct carrier *carrier)
{
    struct end *to = from->peer;
    enum relay result = move_bytes(from, carrier);
    if (result != RELAY_OK)
        return result;
    if (from->ended && !end_is_owed(to) && !to->shut) {
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
