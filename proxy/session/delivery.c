#include "proxy/session/delivery.h"

#include "proxy/session/discard.h"
#include "proxy/session/relay.h"
#include "proxy/session/sealed.h"

/* A side that acknowledges nothing of what is being delivered for this time is given up. */
#define DELIVERY_MS 30000u
/* Between two looks at it, which no event spares: from, to. */
#define DELIVERY_LOOK_MS      20u
#define DELIVERY_LOOK_MOST_MS 1000u

/* For how long nothing may move. As long as the stream has not ended it is a session as others. */
static uint64_t delivery_ends_at(const struct session *session, const struct conn *gone)
{
    enum session_end why;
    millis idle_timeout = session_may_rest(session, &why);
    uint64_t most = gone->stream.ended ? DELIVERY_MS : WHEEL_NEVER;
    if (idle_timeout && idle_timeout < most)
        most = idle_timeout;
    return most == WHEEL_NEVER ? WHEEL_NEVER : session->active_at / 1000 + most;
}

/* All of it is with the other side, or on its way there with nothing that could stop it: a side
 * that has ended its own stream sends nothing that could meet a closed socket. A server whose
 * client was reset is to be reset as well, but not before it has everything. */
static bool is_delivered(struct session *session, const struct conn *to)
{
    if (conn_is_open(to->peer) || conn_is_owed(to) || (to->peer->stream.ended && !to->shut))
        return false;
    if (to->stream.ended && to->shut && session->outcome != SESSION_CLIENT_RESET)
        return true;
    size_t left = engine_unacknowledged(&to->stream);
    if (left != session->unacknowledged)
        session->active_at = loop_now(&session->set->loop);
    session->unacknowledged = left;
    return left == 0;
}

/* Throws away what that side says. What TLS holds for it comes free by that. */
static enum discard discard(struct conn *from, struct engine *engine)
{
    const unsigned char *bytes;
    while (from->sealed && sealed_holds(from) && from->stream.readable && !from->stream.ended) {
        ssize_t got = sealed_receive(from, engine, SIZE_MAX, &bytes);
        if (got < 0)
            return DISCARD_FAILED;
        session_set_count(session_set_of(engine), from, (size_t)got);
    }
    return conn_discard(from, engine);
}

/* Moves what can be moved to the side that remains. to_failed: that side was reset. */
void delivery_go_on(struct session *session, bool to_failed)
{
    struct session_set *set = session->set;
    struct conn *to = session->to_client ? &session->client : &session->server;
    struct conn *gone = to->peer;
    set->loop.engine.moved = 0;
    enum relay relayed = relay(gone, &set->loop.engine);
    session_note_activity(session, session->set); /* what is thrown away is none */
    enum discard discarded = discard(to, &set->loop.engine);
    bool lost = relayed == RELAY_FROM_FAILED;
    bool failed = (lost && !session_is_unix(session, gone)) || relayed == RELAY_TO_FAILED ||
                  discarded == DISCARD_FAILED || to_failed;
    if (lost || gone->stream.ended)
        session_close_conn(session, gone, false);
    if (relayed == RELAY_NO_MEMORY) {
        session_close(session, SESSION_NO_RESOURCES);
    } else if (failed || is_delivered(session, to)) {
        session_close(session, session->outcome);
    } else if (delivery_ends_at(session, gone) <= loop_now_ms(&set->loop)) {
        session_close(session, SESSION_UNDELIVERED);
    } else {
        session->deadline = loop_now_ms(&set->loop) + session->look_after;
        session_set_state(session, SESSION_DELIVERING);
        if (relayed == RELAY_MORE || discarded == DISCARD_MORE)
            session_queue(session);
    }
}

void delivery_on_event(struct session *session, struct conn *conn, uint32_t what)
{
    bool remains = conn == (session->to_client ? &session->client : &session->server);
    delivery_go_on(session, remains && (what & ENGINE_FAILED) && engine_error(&conn->stream));
}

/* Begins to deliver to one side what the other has said, or what of that can still be received. */
static void deliver(struct session *session, struct conn *to, enum session_end outcome)
{
    struct conn *gone = to->peer;
    session->outcome = outcome;
    session->to_client = to == &session->client;
    session->active_at = loop_now(&session->set->loop);
    session->unacknowledged = SIZE_MAX;
    session->look_after = DELIVERY_LOOK_MS;
    if (gone->stream.ended)
        session_close_conn(session, gone, conn_misses_bytes(gone));
    else
        conn_forget_unsent(gone);
    if (gone == &session->server)
        session_leave_server(session);
    session_set_state(session, SESSION_DELIVERING);
    delivery_go_on(session, false);
}

void delivery_look(struct session *session)
{
    if (session->look_after < DELIVERY_LOOK_MOST_MS)
        session->look_after *= 2;
    delivery_go_on(session, false);
}

static enum session_end reset_of(const struct session *session, const struct conn *gone)
{
    return gone == &session->client ? SESSION_CLIENT_RESET : SESSION_SERVER_RESET;
}

/* A side was reset, or takes no more. What it said may still have to be received: of a stream that
 * is not whole, what the other side takes at once. */
void delivery_lose(struct session *session, struct conn *gone)
{
    if (sealed_is_whole(gone) || session_is_unix(session, gone)) {
        deliver(session, gone->peer, reset_of(session, gone));
        return;
    }
    relay_last(gone, &session->set->loop.engine);
    session_close(session, reset_of(session, gone));
}

/* A side was reset, as a receive has told after all that it had said. */
void delivery_lose_received(struct session *session, struct conn *gone)
{
    if (!session_is_unix(session, gone)) {
        session_close(session, reset_of(session, gone));
        return;
    }
    engine_settle_end(&gone->stream);
    session_close_conn(session, gone, false);
    deliver(session, gone->peer, reset_of(session, gone));
}

/* When the kernel last sent a byte of the session, in microseconds; 0: unknown. */
static uint64_t sent_at(struct session *session)
{
    uint64_t client = engine_sent_ago(&session->client.stream);
    uint64_t server = engine_sent_ago(&session->server.stream);
    uint64_t ago = client < server ? client : server;
    uint64_t now = loop_now(&session->set->loop);
    return ago < now / 1000 ? now - ago * 1000 : 0;
}

void delivery_expire(struct session *session)
{
    enum session_end why;
    millis rest = session_may_rest(session, &why);
    uint64_t at = sent_at(session);
    if (at / 1000 + rest > loop_now_ms(&session->set->loop)) {
        session->active_at = at;
        session_set_state(session, session->state);
        return;
    }
    struct conn *conns[] = {&session->client, &session->server};
    for (unsigned i = 0; i < 2; i++)
        if (conns[i]->shut && !conns[i]->stream.ended &&
            engine_unacknowledged(&conns[i]->stream) > 0) {
            deliver(session, conns[i], why);
            return;
        }
    session_close(session, why);
}
