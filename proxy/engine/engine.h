/* All that touches the kernel for each byte and each connection of a worker.
 *
 * An engine belongs to one thread, which calls all functions here, but for engine_share(). epoll(7)
 * stands behind this interface today (epoll.c, epoll_inline.h); no word of it is known elsewhere. A
 * worker does not use libevent's loop as the main thread does, for one reason: closing a descriptor
 * takes it out of epoll, and libevent would call epoll_ctl(2) all the same, twice for each session.
 *
 * The interface suits an engine that works by completions, such as io_uring(7), as well. Each
 * function says how such an engine would keep its promise. What holds for all of them:
 *   - The memory of a stream is the engine's to write from engine_take() or engine_connect() until
 *     `done` of engine_close() or engine_park() was called. The epoll engine calls `done` before
 *     engine_close() and engine_park() return; another engine calls it when the last completion of
 *     the stream has come. Streams that are idle (engine_disconnect()) or parked have nothing under
 *     way: for these each engine calls `done` at once.
 *   - on_ready() is called by engine_turn() only, never by another function.
 *   - When a socket is empty, what a short read means, and that a peer has hung up, is known to the
 *     engine alone; the user asks `readable` and `ended`. (Under TLS a short read means nothing.)
 *   - Sockets stay ordinary descriptors, for reloads pass them to another process. */
#ifndef RPPROXY_PROXY_ENGINE_ENGINE_H
#define RPPROXY_PROXY_ENGINE_ENGINE_H

#include "config/base/address.h"
#include "config/base/tcp_tuning.h"
#include "proxy/engine/epoll_inline.h"
#include "proxy/engine/stream.h"

struct connect_plan;

/* --- the engine ------------------------------------------------------------------------------ */

/* orders: of local ports (ports.h), which outlive the engine; NULL: the kernel chooses all ports.
 * Returns 0 or an errno value; an engine that could not be opened needs no closing. */
int engine_open(struct engine *engine, struct port_orders *orders)
    __attribute__((warn_unused_result));
void engine_shut(struct engine *engine);

/* Waits for events, at most so many milliseconds (-1: for ever), and reports them. An asynchronous
 * engine submits what was asked for since the last turn, and takes completions. */
void engine_turn(struct engine *engine, int timeout);

/* From now on engine_turn() waits no longer than until that time: milliseconds of CLOCK_MONOTONIC;
 * UINT64_MAX: there is no such time. The kernel compares with its own clock, so that it does not
 * matter how long ago the caller has looked at the time. A call with the same time again is free.
 */
static inline void engine_wake_at(struct engine *engine, uint64_t milliseconds);

/* Any thread: while a program is launched, a child has every descriptor open for a moment, and
 * closing is not enough. True before, false after it. */
void engine_share(struct engine *engine, bool shared);

/* on_ready is called in each turn in which the descriptor is readable. Returns 0 or an errno value.
 * engine_unwatch: on_ready is not called any more, not even for what this turn has found already.
 */
int engine_watch(struct engine *engine, struct watch *watch, int fd)
    __attribute__((warn_unused_result));
void engine_unwatch(struct engine *engine, struct watch *watch, int fd);

/* --- listening sockets ----------------------------------------------------------------------- */

/* on_ready is called as long as there is a connection to accept; with arrivals, once for each
 * connection, or several, that come. In both cases it is called for what is there already. May be
 * called again to go over from one to the other. A shared socket wakes one of the engines that
 * watch it (EPOLLEXCLUSIVE). Returns 0 or an errno value; the socket is not watched then.
 *
 * An asynchronous engine may have accepted a connection before on_ready reports it. One that nobody
 * has asked for when engine_ignore() is called is still given by engine_accept(). */
int engine_listen(struct engine *engine, struct accept_watch *accept_watch, bool arrivals)
    __attribute__((warn_unused_result));

/* Nothing more is told. Harmless if the socket is not watched. */
void engine_ignore(struct engine *engine, struct accept_watch *accept_watch);

/* Accepts a connection: a non-blocking, close-on-exec descriptor, or -errno; EAGAIN: nobody waits.
 * *client: the address of the client. Any thread. */
int engine_accept(int fd, struct address *client);

/* --- beginning and ending a connection ------------------------------------------------------- */

/* Makes a stream of a connected descriptor, which is the stream's from here on. Returns 0 or an
 * errno value (fd is still the caller's then). */
int engine_take(struct engine *engine, struct stream *stream, int fd, enum stream_kind kind)
    __attribute__((warn_unused_result));

/* Begins to connect; socket_connect_by() says with what options, and explains the errors. Returns 0
 * or an errno value. The outcome is told by on_ready: ENGINE_FAILED, or ENGINE_WRITABLE. */
int engine_connect(struct engine *engine, struct stream *stream, const struct address *address,
                   const struct connect_plan *plan) __attribute__((warn_unused_result));

/* The same on an idle stream. Returns 0 or an errno value; the stream is idle as before then. */
int engine_reconnect(struct engine *engine, struct stream *stream, const struct address *address)
    __attribute__((warn_unused_result));

/* True: a connection that had connected to its own port (socket_is_self_connected()). */
bool engine_is_self_connected(const struct stream *stream, unsigned port);

/* Where it can be done without cutting anything short, a stream of which both ends have come is
 * kept for another connection: its socket stays open, connected to nobody (idle), and no event
 * of it is reported. That spares socket(2), epoll_ctl(2) and close(2), a twentieth of the proxy's
 * CPU time for a short session. False: close it. */
bool engine_disconnect(struct stream *stream) __attribute__((warn_unused_result));

/* An idle stream, before it is given to another owner: counts and flags begin anew. */
void engine_renew(struct engine *engine, struct stream *stream);

/* Closes; the stream must have a descriptor. reset: the peer is to see a reset. At once fd is -1,
 * `readable` and `writable` are false, and nothing more is told; `ended` and `received` stay.
 * `done` is called when the memory of the stream may be used for something else. */
static inline void engine_close(struct engine *engine, struct stream *stream, bool reset,
                                void (*done)(struct stream *stream));

/* --- bytes ----------------------------------------------------------------------------------- */

/* Receives at most so many bytes. Returns their number, and in *bytes a view of them, in memory of
 * the engine, valid until the next function of this section is called for any stream; 0 when there
 * is nothing now, and at the end of the stream (`ended`); -1 when the connection has failed. An
 * asynchronous engine gives what a completion has left in one of its buffers. */
static inline ssize_t engine_receive(struct engine *engine, struct stream *from, size_t most,
                                     const unsigned char **bytes);

/* Sends. Returns how many bytes were taken; less than length: the caller keeps the rest, and
 * on_ready tells when there is room again; -1: the connection has failed. An asynchronous engine
 * takes what fits in its buffers, reports room when a completion has freed some, and reports by
 * ENGINE_FAILED what failed later. engine->moved is not changed. */
static inline ssize_t engine_send(struct engine *engine, struct stream *to,
                                  const unsigned char *bytes, size_t length);

/* True: bytes from this stream can move through the engine's pipe, which is empty now, and spares
 * copying. It stays so until engine_splice_in() is called. An engine without a pipe says false. */
bool engine_can_splice(struct engine *engine, const struct stream *from)
    __attribute__((warn_unused_result));

#define ENGINE_NO_SPLICE (-2)

/* Receives into the pipe. As engine_receive(), but the end of the stream is left to that, and
 * ENGINE_NO_SPLICE is returned then, and where the kernel refuses. */
ssize_t engine_splice_in(struct engine *engine, struct stream *from, size_t most)
    __attribute__((warn_unused_result));

/* Sends what is in the pipe, so many bytes. As engine_send(). What is left is to be read by
 * engine_read_pipe(), all of it, or to be thrown away by engine_drop_pipe(), before the pipe is
 * used again. */
ssize_t engine_splice_out(struct engine *engine, struct stream *to, size_t length)
    __attribute__((warn_unused_result));
void engine_read_pipe(struct engine *engine, unsigned char *bytes, size_t length);
void engine_drop_pipe(struct engine *engine);

/* Ends the stream of this side (FIN); the peer may go on to send. Returns 0 or an errno value. An
 * asynchronous engine ends it behind what it was given to send. */
int engine_shutdown(struct stream *to) __attribute__((warn_unused_result));

/* --- questions ------------------------------------------------------------------------------- */

/* The end of the stream has come, without a byte that could still be received. */
bool engine_has_left(const struct stream *stream);

/* The error of a connection that on_ready has reported (ENGINE_FAILED), or 0. Asking clears it. */
int engine_error(const struct stream *stream);

/* The address of this side of the connection (getsockname(2)); length 0: the kernel does not tell.
 */
struct address engine_own_address(const struct stream *stream);

/* How many bytes a send is likely to take at once: socket_room(). */
size_t engine_room(const struct stream *to);

/* A send finds room (socket_is_writable()); false: on_ready tells when there is some. */
bool engine_has_room(struct stream *to) __attribute__((warn_unused_result));

/* Bytes that were sent and not acknowledged: socket_unacknowledged(). What an asynchronous engine
 * has not given to the kernel yet counts as well. */
size_t engine_unacknowledged(const struct stream *to);

/* Milliseconds since the kernel last sent data that the other side takes: socket_sent_ago(). */
uint64_t engine_sent_ago(const struct stream *to);

/* Of a TCP connection that was reset: the end of its stream had come before, and was received or is
 * in the socket, behind bytes that can still be received. */
bool engine_is_whole(const struct stream *stream);

/* Of a Unix socket that was reset, all bytes of which were received: `ended` is true from now on if
 * the end of its stream had come before the reset, else false. */
static inline void engine_settle_end(struct stream *stream)
{
    stream->ended = stream->hung_up;
}

/* Of bytes that were received only so many count, for the others are TLS around them. `received` is
 * then less than what the kernel has counted, so that the end of the stream is always received. */
static inline void engine_count_as(struct stream *stream, size_t received, size_t count)
{
    stream->received += count - received;
}

/* The bytes that were received say that nothing more will come. */
static inline void engine_end(struct stream *stream)
{
    stream->ended = true;
}

/* The bytes that were received say that the end that has come with them is none: as if it were
 * still to be received. */
static inline void engine_deny_end(struct stream *stream)
{
    stream->ended = false;
    stream->readable = true;
}

/* The connection has failed, as a send has told: what it had said can still be received, as long as
 * `readable` is true and engine_receive() does not fail; an end of the stream is not seen any more.
 */
static inline void engine_expect_last(struct stream *stream)
{
    stream->readable = stream->thorough = stream->failed = true;
}

/* Its TCP keep-alives (SO_KEEPALIVE) are sent from now on. */
void engine_keep_alive(const struct stream *stream);

/* Sets keep-alive and user timeout of a TCP connection as the configuration has them. */
void engine_tune(const struct stream *stream, const struct tcp_tuning *tuning);

/* --- moving to another process --------------------------------------------------------------- */

/* No event of the stream is reported any more, and nothing is received or sent. `done` is called
 * when that is so. An asynchronous engine cancels its receive; what it had received already it
 * still gives by engine_receive(), once, in `done`. */
static inline void engine_park(struct engine *engine, struct stream *stream,
                               void (*done)(struct stream *stream));

/* A parked or adopted stream goes on; all that holds is told anew. Returns 0 or an errno value. */
int engine_resume(struct engine *engine, struct stream *stream) __attribute__((warn_unused_result));

/* Closes a parked or adopted stream that another process has; the peer sees nothing of it. */
void engine_leave(struct stream *stream);

/* What another process has to know of the stream beside its descriptor and `received`; these
 * numbers are in messages between versions of the program, and do not change. Bits 2 and 128 are
 * the user's. */
#define ENGINE_FLAGS_NOT_USED (2u | 128u)
uint32_t engine_flags(const struct stream *stream);

/* Makes a parked stream of what another process has said. The descriptor is the stream's. */
void engine_adopt(struct stream *stream, int fd, uint64_t received, uint32_t flags);

#endif
