/* The epoll engine's memory, and its functions that are called for each byte: they are inline, so
 * that the interface costs nothing. Included by engine.h, which says what the functions promise.
 *
 * A connection is registered once, for reading, writing, early close and urgent data,
 * edge-triggered, as long as its descriptor is open. What is watched never changes; flags do. */
#ifndef RPPROXY_PROXY_ENGINE_EPOLL_INLINE_H
#define RPPROXY_PROXY_ENGINE_EPOLL_INLINE_H

#include "proxy/engine/buffers.h"
#include "proxy/engine/calls.h"
#include "proxy/engine/ports.h"
#include "proxy/engine/stream.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>

_Static_assert((int)ENGINE_WRITABLE == EPOLLOUT && (int)ENGINE_FAILED == EPOLLERR,
               "what the kernel says is passed on");

/* Events taken from the kernel at a time. */
#define ENGINE_BATCH 128

/* Descriptors of an engine: epoll, timer, pipe. */
#define ENGINE_DESCRIPTORS (2 + PIPE_DESCRIPTORS)

struct engine {
    int fd;
    int timer;        /* timerfd_create(2) */
    uint64_t wake_at; /* what the timer is set to: as engine_wake_at() takes it */
    unsigned turn;    /* counts the turns */
    int count, next;  /* of events: as many in this turn, and the first that is not told yet */
    struct buffers buffers;
    struct ports ports;
    uint64_t moved; /* bytes received and sent; the user may set it back to 0 */
    pthread_mutex_t lock;
    bool shared; /* under the lock */
    struct epoll_event events[ENGINE_BATCH];
};

void engine_set_timer(struct engine *engine, uint64_t milliseconds);

static inline void engine_wake_at(struct engine *engine, uint64_t milliseconds)
{
    if (milliseconds != engine->wake_at)
        engine_set_timer(engine, milliseconds);
}

static inline void engine_count(struct engine *engine, struct stream *from, size_t bytes)
{
    from->received += bytes;
    engine->moved += bytes;
}

static inline __attribute__((warn_unused_result)) ssize_t
engine_receive(struct engine *engine, struct stream *from, size_t most, const unsigned char **bytes)
{
    size_t size = most < SCRATCH_BYTES ? most : SCRATCH_BYTES;
    ssize_t got = call_recv(from->fd, engine->buffers.scratch, size);
    *bytes = engine->buffers.scratch;
    if (got <= 0) {
        if (got == 0 && !from->failed)
            from->ended = true;
        else if (got == 0 || errno == EAGAIN)
            from->readable = false;
        else if (errno != EINTR)
            return -1;
        return 0;
    }
    engine_count(engine, from, (size_t)got);
    /* A short read emptied the socket, and what comes later is a new edge. */
    if ((size_t)got < size && !from->thorough) {
        from->readable = false;
        from->ended = from->hung_up;
    }
    return got;
}

void engine_be_prompt(struct stream *to);

static inline __attribute__((warn_unused_result)) ssize_t
engine_send(struct engine *engine, struct stream *to, const unsigned char *bytes, size_t length)
{
    (void)engine;
    ssize_t sent;
    if (!to->prompt)
        engine_be_prompt(to);
    do
        sent = call_send(to->fd, bytes, length, MSG_NOSIGNAL);
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

void engine_close_now(struct engine *engine, struct stream *stream, bool reset);
void engine_park_now(struct engine *engine, struct stream *stream);

static inline void engine_close(struct engine *engine, struct stream *stream, bool reset,
                                void (*done)(struct stream *stream))
{
    engine_close_now(engine, stream, reset);
    done(stream);
}

static inline void engine_park(struct engine *engine, struct stream *stream,
                               void (*done)(struct stream *stream))
{
    engine_park_now(engine, stream);
    done(stream);
}

#endif
