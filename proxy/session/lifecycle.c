#include "proxy/session/lifecycle.h"

#include "config/base/container_of.h"
#include "proxy/engine/socket.h"
#include "proxy/session/connect.h"
#include "proxy/session/delivery.h"
#include "proxy/session/exchange.h"
#include "proxy/session/queued.h"
#include "proxy/session/stages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void on_client_event(struct watch *watch, uint32_t what)
{
    struct session *session = container_of(watch, struct session, client.stream.watch);
    if (session->state == SESSION_ESTABLISHED)
        exchange_on_event(session, &session->client, what);
    else if (session->state == SESSION_DELIVERING)
        delivery_on_event(session, &session->client, what);
    else if (session->stage)
        stages_on_event(session, what);
    else if (session->state == SESSION_QUEUED)
        queued_on_event(session, what);
    /* What it said stays in the kernel until a server is there to take it. */
    else if ((what & ENGINE_FAILED) && engine_error(&session->client.stream))
        session_close(session, SESSION_CLIENT_RESET);
}

static void on_server_event(struct watch *watch, uint32_t what)
{
    struct session *session = container_of(watch, struct session, server.stream.watch);
    switch (session->state) {
    case SESSION_ESTABLISHED:
        exchange_on_event(session, &session->server, what);
        break;
    case SESSION_CONNECTING:
        connect_on_event(session, what);
        break;
    case SESSION_DELIVERING:
        delivery_on_event(session, &session->server, what);
        break;
    case SESSION_ADMISSION:
    case SESSION_FIRST_BYTES:
    case SESSION_TLS:
    case SESSION_ROUTING:
    case SESSION_QUEUED:
    case SESSION_WAITING:
    case SESSION_PARKED:
    case SESSION_CLOSED:
        break; /* there is no connection of which the engine could tell */
    }
}

/* What the session is to its worker. */
static void belong(struct session *session, struct session_set *set)
{
    session->set = set;
    session->client.stream.watch.on_ready = on_client_event;
    session->server.stream.watch.on_ready = on_server_event;
    const uint32_t place = set->frontends_at + session->frontend->tally;
    session->client.frontend_place = place + COUNTER_OF(frontend_figures, bytes_in);
    session->server.frontend_place = place + COUNTER_OF(frontend_figures, bytes_out);
    session->client.server_place = STATS_NOWHERE;
    session->server.server_place = STATS_NOWHERE + 1;
    session->client.total_place = COUNTER_OF(counters, client_bytes);
    session->server.total_place = COUNTER_OF(counters, server_bytes);
    session->client.is_client = true;
    session->client.peer = &session->server;
    session->server.peer = &session->client;
    session->pending = 1;
    wheel_entry_init(&session->timer);
}

/* A session that has ended, with a server's socket that is connected to nobody; NULL: none. */
static struct session *take_spare(struct session_set *set)
{
    struct session *session = STAILQ_FIRST(&set->spare);
    if (!session)
        return NULL;
    STAILQ_REMOVE_HEAD(&set->spare, dead);
    set->spares--;
    return session;
}

/* A session with nothing in it but, perhaps, a server's socket that is connected to nobody. */
static struct session *make(struct session_set *set)
{
    struct session *session = take_spare(set);
    if (session) {
        engine_renew(&set->loop.engine, &session->server.stream);
        *session = (struct session){.server.stream = session->server.stream,
                                    .server_family = session->server_family,
                                    .server_congestion = session->server_congestion,
                                    .kept_alive = session->kept_alive};
        return session;
    }
    session = calloc(1, sizeof *session);
    if (session)
        session->server.stream.fd = -1;
    return session;
}

void session_open(struct session_set *set, struct frontend *frontend, const struct bind_conf *bind,
                  int fd, const struct address *client)
{
    struct session *session = make(set);
    if (!session) {
        socket_close_reset(fd);
        service_release_place(set->service, frontend);
        return;
    }
    session->frontend = frontend;
    belong(session, set);
    session->bind = bind;
    session->backend = frontend->backend;
    session->generation = set->service->generation;
    session->entry.accepted_by = set->index;
    session->number = ++set->last_session;
    session->entry.accepted_at = session->active_at = loop_now(&set->loop);
    session->client.stream.fd = -1;
    session->peer.any.sa_family = client->any.sa_family;
    if (!address_is_unix(client))
        memcpy(&session->peer, &client->any, sizeof session->peer);
    session_list_append(session_own_list(session), &session->entry);
    counter_add(&set->counters->sessions, 1);
    counter_add(session_set_counter(set, session_frontend_place(session) +
                                             COUNTER_OF(frontend_figures, sessions)),
                1);

    if (engine_take(&set->loop.engine, &session->client.stream, fd,
                    address_is_unix(client) ? STREAM_UNIX : STREAM_ACCEPTED)) {
        socket_close_reset(fd);
        session_close(session, SESSION_NO_RESOURCES);
        return;
    }
    if (frontend->stages)
        stages_begin(session);
    else
        connect_begin(session);
}

static void session_continue(struct session *session)
{
    session->queued = false;
    if (session->state == SESSION_ESTABLISHED)
        exchange_move(session, &session->client);
    else if (session->state == SESSION_DELIVERING)
        delivery_go_on(session, false);
}

void session_on_timer(struct wheel_entry *timer)
{
    struct session *session = container_of(timer, struct session, timer);
    uint64_t now = loop_now_ms(&session->set->loop);
    enum session_end why;
    millis rest = session_may_rest(session, &why);
    bool due = session->state == SESSION_ESTABLISHED
                   ? rest && now >= session->active_at / 1000 + rest
                   : now >= session->deadline;
    if (session->state == SESSION_ESTABLISHED && now >= session_too_long_at(session)) {
        session_close(session, SESSION_TOO_LONG);
    } else if (session->terminate_at && now >= session->terminate_at) {
        session_close(session, SESSION_DRAIN_TIMEOUT);
    } else if (!due) {
        if (session->state == SESSION_ESTABLISHED && !session->kept_alive &&
            now >= session->connected_at / 1000 + KEEP_ALIVE_AFTER_MS) {
            engine_keep_alive(&session->server.stream);
            session->kept_alive = true;
        }
        session_set_state(session, session->state);
    } else if (session->stage) {
        stages_overdue(session);
    } else if (session->state == SESSION_CONNECTING) {
        connect_failed(session, ETIMEDOUT);
    } else if (session->state == SESSION_WAITING) {
        connect_begin(session);
    } else if (session->state == SESSION_QUEUED) {
        queued_overdue(session);
    } else if (session->state == SESSION_DELIVERING) {
        delivery_look(session);
    } else {
        delivery_expire(session);
    }
}

/* One side rests. It may be the last that was awaited. */
static void finish_parking(struct session *session)
{
    session_finish(session);
    if (session->state == SESSION_PARKED && session->pending == 1)
        session->set->on_parked(session);
}

static void on_client_parked(struct stream *stream)
{
    finish_parking(container_of(stream, struct session, client.stream));
}

static void on_server_parked(struct stream *stream)
{
    finish_parking(container_of(stream, struct session, server.stream));
}

void session_park(struct session *session)
{
    struct engine *engine = &session->set->loop.engine;
    wheel_cancel(&session->timer);
    session_set_state(session, SESSION_PARKED);
    session_own_list(session)->parked++;
    session->pending += 2;
    engine_park(engine, &session->client.stream, on_client_parked);
    engine_park(engine, &session->server.stream, on_server_parked);
}

/* Events of its two connections are reported again. */
static void settle_in(struct session *session)
{
    struct session_set *set = session->set;
    session_set_state(session, SESSION_ESTABLISHED);
    if (engine_resume(&set->loop.engine, &session->client.stream) ||
        engine_resume(&set->loop.engine, &session->server.stream))
        session_close(session, SESSION_NO_RESOURCES);
    else if (atomic_load(&session->frontend->keep) == 0)
        session_terminate(session);
    else if (session->chosen && server_is_ending(session->chosen))
        session_close(session, SESSION_SERVER_DOWN);
}

void session_unpark(struct session *session)
{
    session->stays = true;
    session_own_list(session)->parked--;
    settle_in(session);
}

void session_leave(struct session *session)
{
    struct session_set *set = session->set;
    session_own_list(session)->parked--;
    session_list_remove(session_own_list(session), &session->entry);
    session_set_state(session, SESSION_CLOSED);
    session_pass_server(session);
    session_leave_source(session, set->service);
    conn_leave(&session->client);
    conn_leave(&session->server);
    session_finish(session);
    service_release_place(set->service, session->frontend);
}

void session_arrive(struct session *session, struct session_set *set)
{
    belong(session, set);
    set->movable = true;
    session->server.has_answered = session->server.stream.received > 0;
    session_list_place(session_own_list(session), &session->entry);
    if (session->chosen)
        session_join_server(session);
    settle_in(session);
}

void sessions_reap(struct session_set *set)
{
    struct session *session;
    while ((session = STAILQ_FIRST(&set->dead))) {
        STAILQ_REMOVE_HEAD(&set->dead, dead);
        if (conn_is_open(&session->server)) {
            STAILQ_INSERT_HEAD(&set->spare, session, dead);
            set->spares++;
        } else {
            session_free(session);
        }
    }
}

void sessions_keep_spares(struct session_set *set, bool keep)
{
    struct session *session;
    set->keeps_spares = keep;
    while (!keep && (session = take_spare(set))) {
        session->pending = 2; /* closed at once: it is connected to nobody */
        session_close_conn(session, &session->server, false);
        session_free(session);
    }
}

/* Sessions that are queued meanwhile go on in the next turn. */
void sessions_continue(struct session_set *set)
{
    struct session_queue turn = STAILQ_HEAD_INITIALIZER(turn);
    STAILQ_CONCAT(&turn, &set->again);
    struct session *session;
    while ((session = STAILQ_FIRST(&turn))) {
        STAILQ_REMOVE_HEAD(&turn, again);
        session_continue(session);
    }
}

void sessions_stop(struct session_set *set)
{
    struct session_entry *entry;
    for (size_t i = 0; i < set->service->frontend_count; i++)
        while ((entry = TAILQ_FIRST(&set->lists[i].list)))
            session_close(session_of(entry), SESSION_STOPPED);
    sessions_continue(set);
    sessions_reap(set);
    sessions_keep_spares(set, false);
}
