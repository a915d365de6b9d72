#include "proxy/session/relay.h"

#include "proxy/session/sealed.h"
#include "proxy/session/session_set.h"

#include <string.h>

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

static struct unsent *make_unsent(size_t length)
{
    struct unsent *unsent = malloc(sizeof *unsent + length);
    if (unsent)
        *unsent = (struct unsent){.length = length};
    return unsent;
}

/* Keeps for a connection what it did not take. False: out of memory. */
static bool keep(struct conn *to, const unsigned char *bytes, size_t length)
{
    to->unsent = make_unsent(length);
    if (to->unsent)
        memcpy(to->unsent->bytes, bytes, length);
    return to->unsent;
}

static enum relay relay_of(enum sealed_sent sent)
{
    switch (sent) {
    case SEALED_SENT:
        return RELAY_OK;
    case SEALED_NO_MEMORY:
        return RELAY_NO_MEMORY;
    case SEALED_FAILED:
        break;
    }
    return RELAY_TO_FAILED;
}

enum relay relay_flush(struct conn *to, struct engine *engine)
{
    struct unsent *unsent = to->unsent;
    ssize_t sent = 0;
    if (unsent->length > 0)
        sent = engine_send(engine, &to->stream, unsent->bytes + unsent->offset, unsent->length);
    if (sent < 0)
        return RELAY_TO_FAILED;
    engine->moved += (size_t)sent;
    unsent->offset += (size_t)sent;
    unsent->length -= (size_t)sent;
    if (unsent->length == 0 && !(to->sealed && sealed_holds(to)))
        conn_forget_unsent(to);
    return RELAY_OK;
}

/* The same as copy() where a side speaks TLS. */
static __attribute__((noinline)) enum relay copy_sealed(struct conn *from, struct engine *engine,
                                                        size_t size)
{
    const unsigned char *bytes;
    ssize_t got = sealed_receive(from, engine, size, &bytes);
    if (got <= 0)
        return got < 0 ? RELAY_FROM_FAILED : RELAY_OK;
    session_set_count(session_set_of(engine), from, (size_t)got);
    if (got >= BULK && from->bulk < BULKY)
        from->bulk++;
    return relay_of(sealed_send(from->peer, engine, bytes, (size_t)got));
}

/* Receives at most so much, and sends it on. */
static inline enum relay copy(struct conn *from, struct engine *engine, size_t size)
{
    struct conn *to = from->peer;
    const unsigned char *bytes;
    if (from->sealed)
        return copy_sealed(from, engine, size);
    ssize_t got = engine_receive(engine, &from->stream, size, &bytes);
    if (got <= 0)
        return got < 0 ? RELAY_FROM_FAILED : RELAY_OK;
    session_set_count(session_set_of(engine), from, (size_t)got);
    if (got >= BULK && from->bulk < BULKY)
        from->bulk++;
    ssize_t sent = engine_send(engine, &to->stream, bytes, (size_t)got);
    if (sent < 0)
        return RELAY_TO_FAILED;
    if (sent == got || keep(to, bytes + sent, (size_t)(got - sent)))
        return RELAY_OK;
    return RELAY_NO_MEMORY;
}

/* The same as copy() by the pipe. Where that is not possible, or there is an end, the direction is
 * no longer bulky, and copy() finds out what it is. */
static enum relay splice_bytes(struct conn *from, struct engine *engine, size_t size)
{
    struct conn *to = from->peer;
    ssize_t got = engine_splice_in(engine, &from->stream, size);
    if (got == ENGINE_NO_SPLICE) {
        from->bulk = 0;
        return RELAY_OK;
    }
    if (got <= 0)
        return got < 0 ? RELAY_FROM_FAILED : RELAY_OK;
    session_set_count(session_set_of(engine), from, (size_t)got);
    ssize_t sent = engine_splice_out(engine, &to->stream, (size_t)got);
    if (sent == got)
        return RELAY_OK;
    if (sent >= 0) {
        to->unsent = make_unsent((size_t)(got - sent));
        if (to->unsent) {
            engine_read_pipe(engine, to->unsent->bytes, to->unsent->length);
            return RELAY_OK;
        }
    }
    engine_drop_pipe(engine);
    return sent < 0 ? RELAY_TO_FAILED : RELAY_NO_MEMORY;
}

/* How much is received at a time for a connection: what it is likely to take at once, so that
 * little is left to be kept when it takes no more. 0: nothing, until an event reports room. */
static size_t portion(struct conn *to)
{
    size_t room = engine_room(&to->stream);
    if (room < LITTLE_ROOM && !engine_has_room(&to->stream))
        return 0;
    return room < LEAST_READ ? LEAST_READ : room;
}

static bool is_for_pipe(const struct conn *from, struct engine *engine, size_t size)
{
    return from->bulk == BULKY && size >= BULK && !from->sealed &&
           engine_can_splice(engine, &from->stream);
}

static enum relay receive(struct conn *from, struct engine *engine)
{
    struct conn *to = from->peer;
    const struct stream *stream = &from->stream;
    uint64_t before = stream->received;
    uint64_t room_until = 0; /* as stream->received counts */
    int reads = 0;
    for (; stream->readable && !stream->ended && !conn_is_held_up(from); reads++) {
        if (reads == TURN_READS || stream->received - before >= TURN_BYTES)
            return RELAY_MORE;
        size_t size = SMALL_READ;
        if (from->bulk) {
            if (room_until < stream->received + LITTLE_ROOM)
                room_until = stream->received + portion(to);
            size = (size_t)(room_until - stream->received);
            if (size == 0)
                break;
        }
        enum relay result = is_for_pipe(from, engine, size) ? splice_bytes(from, engine, size)
                                                            : copy(from, engine, size);
        if (result != RELAY_OK)
            return result;
    }
    if (reads > 0 && !stream->readable && stream->received - before < BULK)
        from->bulk = 0;
    return RELAY_OK;
}

static inline enum relay move_bytes(struct conn *from, struct engine *engine)
{
    struct conn *to = from->peer;
    if (conn_is_owed(to) && to->stream.writable) {
        enum relay result = relay_flush(to, engine);
        if (result != RELAY_OK)
            return result;
    }
    return receive(from, engine);
}

void relay_last(struct conn *from, struct engine *engine)
{
    engine_expect_last(&from->stream);
    while (move_bytes(from, engine) == RELAY_MORE)
        ;
}

/* `from` has ended, and all its bytes are sent: the peer is told. Not inline, so that relay(),
 * which meets this once a session, saves no registers for it. */
static __attribute__((noinline)) enum relay pass_end(struct conn *from, struct engine *engine)
{
    struct conn *to = from->peer;
    if (to->sealed) {
        enum relay result = relay_of(sealed_end(to, engine));
        if (result != RELAY_OK || conn_is_owed(to))
            return result;
    }
    /* Both ended: closing the descriptors says the same. */
    if (!to->stream.ended && engine_shutdown(&to->stream))
        return RELAY_TO_FAILED;
    to->shut = true;
    return RELAY_OK;
}

enum relay relay(struct conn *from, struct engine *engine)
{
    const struct conn *to = from->peer;
    enum relay result = move_bytes(from, engine);
    if (result == RELAY_OK && from->stream.ended && !conn_is_owed(to) && !to->shut)
        return pass_end(from, engine);
    return result;
}
