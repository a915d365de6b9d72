#include "proxy/end.h"

#include "proxy/socket.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* After so many full reads in a row the other sessions of the worker have their turn. */
#define TURN_READS 16

int end_open(struct end *end, struct event_base *base, int fd, bool thorough,
             event_callback_fn on_event)
{
    if (event_assign(&end->event, base, fd, EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST,
                     on_event, end) ||
        event_add(&end->event, NULL))
        return errno ? errno : ENOMEM;
    end->fd = fd;
    end->thorough = thorough;
    return 0;
}

void end_close(struct end *end, bool reset)
{
    if (end->fd < 0)
        return;
    event_del(&end->event);
    if (reset)
        socket_close_reset(end->fd);
    else
        close(end->fd);
    end->fd = -1;
    free(end->unsent);
    end->unsent = NULL;
    end->readable = end->writable = false;
}

void end_note(struct end *end, short what)
{
    if (what & EV_READ)
        end->readable = true;
    if (what & EV_WRITE)
        end->writable = true;
    if (what & EV_CLOSED)
        end->readable = end->thorough = true;
}

void end_look_again(struct end *end)
{
    if (end->doubtful)
        end->readable = true;
    end->doubtful = false;
}

/* Sends to an end; what it does not take is left to the caller. Returns bytes taken, or -1. */
static ssize_t offer(struct end *to, const unsigned char *bytes, size_t length)
{
    ssize_t sent;
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

static enum relay flush(struct end *to)
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

static enum relay receive(struct end *from, unsigned char *scratch, size_t size)
{
    struct end *to = from->peer;
    for (int turns = 0; from->readable && !from->ended && !to->unsent; turns++) {
        if (turns == TURN_READS)
            return RELAY_MORE;
        ssize_t got = recv(from->fd, scratch, size, 0);
        if (got < 0) {
            if (errno == EINTR)
                continue;
            if (errno != EAGAIN)
                return RELAY_FROM_FAILED;
            from->readable = from->doubtful = false;
            return RELAY_OK;
        }
        if (got == 0) {
            from->ended = true;
            from->doubtful = false;
            return RELAY_OK;
        }
        /* A short read emptied the socket, and what comes later is a new edge. Only an end of the
         * stream that came before it is not: EPOLLRDHUP told of it, and made us thorough. */
        if ((size_t)got < size && !from->thorough) {
            from->readable = false;
            from->doubtful = true;
        }
        from->received += (uint64_t)got;

        ssize_t sent = offer(to, scratch, (size_t)got);
        if (sent < 0)
            return RELAY_TO_FAILED;
        if (sent < got && keep(to, scratch + sent, (size_t)(got - sent)) != RELAY_OK)
            return RELAY_NO_MEMORY;
    }
    return RELAY_OK;
}

static enum relay move_bytes(struct end *from, unsigned char *scratch, size_t scratch_size)
{
    struct end *to = from->peer;
    if (to->unsent && to->writable) {
        enum relay result = flush(to);
        if (result != RELAY_OK)
            return result;
    }
    return receive(from, scratch, scratch_size);
}

void relay_last(struct end *from, unsigned char *scratch, size_t scratch_size)
{
    bool ended = from->ended;
    /* A Unix peer that has only ceased to read could go on for ever. */
    (void)shutdown(from->fd, SHUT_RD);
    from->readable = from->thorough = true;
    while (move_bytes(from, scratch, scratch_size) == RELAY_MORE)
        ;
    from->ended = ended; /* send(2) took the error, and recv(2) then calls it an end */
}

enum relay relay(struct end *from, unsigned char *scratch, size_t scratch_size)
{
    struct end *to = from->peer;
    enum relay result = move_bytes(from, scratch, scratch_size);
    if (result != RELAY_OK)
        return result;
    if (from->ended && !to->unsent && !to->shut) {
        /* Both ended: closing the descriptors says the same. */
        if (!to->ended && shutdown(to->fd, SHUT_WR) && errno != ENOTCONN)
            return RELAY_TO_FAILED;
        to->shut = true;
    }
    return RELAY_OK;
}
