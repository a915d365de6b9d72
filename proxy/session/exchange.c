#include "proxy/session/exchange.h"

#include "proxy/session/delivery.h"
#include "proxy/session/relay.h"

/* What relay() met while it moved bytes from one side. Out of the way of sessions that are well. */
static __attribute__((cold)) void fail(struct session *session, struct conn *from,
                                       enum relay result)
{
    struct conn *to = from->peer;
    if (result == RELAY_NO_MEMORY) {
        session_close(session, SESSION_NO_RESOURCES);
    } else if (result == RELAY_FROM_FAILED) {
        delivery_lose_received(session, from);
    } else {
        delivery_lose(session, to);
    }
}

/* The server's first byte has come. */
static __attribute__((cold)) void note_answer(struct session *session)
{
    struct session_set *set = session->set;
    session->server.has_answered = true;
    if (session->facts && session->facts->log)
        session->facts->log->first_byte_at = loop_now(&set->loop);
    if (session->backend)
        histogram_add(session_set_counter(set, session_backend_place(session) +
                                                   COUNTER_OF(backend_figures, first_byte)),
                      loop_now(&set->loop) - session->connected_at);
}

/* One side at least has ended, and that was passed on. True: the session is over. */
static bool end_half(struct session *session)
{
    if (conn_pair_done(&session->client)) {
        session_close(session, SESSION_DONE);
        return true;
    }
    if (session->frontend->conf->fin_timeout > 0)
        session_set_state(session, SESSION_ESTABLISHED); /* another time limit holds now */
    return false;
}

/* Moves what can be moved, beginning with what `first` gave. */
void exchange_move(struct session *session, struct conn *first)
{
    struct session_set *set = session->set;
    struct conn *from = first;
    bool more = false;
    set->loop.engine.moved = 0;
    do {
        enum relay result = relay(from, &set->loop.engine);
        if (result == RELAY_MORE) {
            more = true;
        } else if (result != RELAY_OK) {
            fail(session, from, result);
            return;
        }
        from = from->peer;
    } while (from != first);

    session_note_activity(session, set);
    if (set->timed && !session->server.has_answered && session->server.stream.received > 0)
        note_answer(session);
    if ((session->client.shut || session->server.shut) && end_half(session))
        return;
    if (more)
        session_queue(session);
}

/* A reset that no read will find: of a side that has ended, or whose peer takes nothing. A Unix
 * socket keeps what it was sent before the reset, and the error for the receive after that. */
static bool failed_unread(const struct session *session, const struct conn *conn)
{
    if (!conn->stream.ended && (!conn_is_held_up(conn) || session_is_unix(session, conn)))
        return false;
    return engine_error(&conn->stream) != 0;
}

/* An event of one side of an established session. */
void exchange_on_event(struct session *session, struct conn *conn, uint32_t what)
{
    exchange_move(session, conn);
    if ((what & ENGINE_FAILED) && session->state == SESSION_ESTABLISHED &&
        failed_unread(session, conn))
        delivery_lose(session, conn);
}
