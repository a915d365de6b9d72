#include "proxy/session/session.h"

#include "proxy/backend/queue.h"
#include "proxy/session/discard.h"
#include "proxy/session/session_log.h"
#include "proxy/session/source_place.h"
#include "proxy/session/stage.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* change: 1, or UINT_MAX for one less. */
static void count_session(struct server *server, unsigned change)
{
    struct backend *backend = server->backend;
    if (backend->counts & BACKEND_COUNTS_SERVERS)
        atomic_fetch_add_explicit(&server->used, change, memory_order_relaxed);
    if (backend->counts & BACKEND_COUNTS_ALL)
        atomic_fetch_add_explicit(&backend->live, change, memory_order_relaxed);
}

void session_join_server(struct session *session)
{
    const struct session_set *set = session->set;
    const size_t place =
        set->servers_at + (size_t)session->chosen->record * COUNTERS_OF(server_figures);
    session->with_server = true;
    session->client.server_place = (uint32_t)(place + COUNTER_OF(server_figures, bytes_in));
    session->server.server_place = (uint32_t)(place + COUNTER_OF(server_figures, bytes_out));
    counter_add(session_set_counter(set, place + COUNTER_OF(server_figures, live)), 1);
    if (session->chosen->backend->counts)
        count_session(session->chosen, 1);
}

static void leave_server(struct session *session,
                         void (*give_back)(struct pool *pool, struct pool_member *member))
{
    struct server *server = session->chosen;
    if (!session->with_server)
        return;
    session->with_server = false;
    counter_add(session_set_counter(session->set, session_server_place(session) +
                                                      COUNTER_OF(server_figures, live)),
                UINT64_MAX); /* one less */
    if (server->backend->counts)
        count_session(server, UINT_MAX);
    if (server->seat)
        give_back(&server->backend->queue->pool, &server->seat->member);
}

void session_leave_server(struct session *session)
{
    leave_server(session, pool_release);
}

void session_pass_server(struct session *session)
{
    leave_server(session, pool_forgo);
}

static inline millis may_rest(const struct session *session, enum session_end *why)
{
    const struct frontend_conf *conf = session->frontend->conf;
    millis rest = conf->idle_timeout;
    if (session->backend && session->backend->conf->idle_timeout != 0)
        rest = session->backend->conf->idle_timeout;
    if (rest == IDLE_FOR_EVER)
        rest = 0;
    *why = SESSION_IDLE;
    if (conf->fin_timeout == 0 || !(session->client.shut || session->server.shut) ||
        (rest != 0 && rest <= conf->fin_timeout))
        return rest;
    *why = SESSION_FIN_TIMEOUT;
    return conf->fin_timeout;
}

millis session_may_rest(const struct session *session, enum session_end *why)
{
    return may_rest(session, why);
}

static __attribute__((noinline)) uint64_t too_long_at(const struct session *session)
{
    const struct session_life *life = &session->frontend->conf->session_timeout;
    /* What names the session gives the same jitter in each process. */
    const uint64_t name[] = {session->generation, session->entry.accepted_by, session->number};
    uint64_t most = life->length / 100 * life->jitter;
    uint64_t earlier = most ? XXH3_64bits(name, sizeof name) % (most + 1) : 0;
    return session->entry.accepted_at / 1000 + life->length - earlier;
}

uint64_t session_too_long_at(const struct session *session)
{
    bool limited = session->frontend->conf->session_timeout.length > 0;
    return limited ? too_long_at(session) : WHEEL_NEVER;
}

static inline uint64_t earlier_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* When an established session is to be looked at, in milliseconds. */
static inline uint64_t established_due(const struct session *session)
{
    enum session_end why;
    millis rest = may_rest(session, &why);
    uint64_t due = rest ? session->active_at / 1000 + rest : WHEEL_NEVER;
    if (!session->kept_alive)
        due = earlier_of(due, session->connected_at / 1000 + KEEP_ALIVE_AFTER_MS);
    if (session->frontend->conf->session_timeout.length > 0)
        due = earlier_of(due, too_long_at(session));
    return session->terminate_at ? earlier_of(due, session->terminate_at) : due;
}

void session_set_state(struct session *session, enum session_state state)
{
    struct wheel *wheel = &session->set->loop.wheel;
    session->state = state;
    if (state == SESSION_ESTABLISHED)
        wheel_set(wheel, &session->timer, established_due(session));
    else if (state != SESSION_PARKED && state != SESSION_CLOSED)
        wheel_set(wheel, &session->timer, session->deadline);
}

millis session_first_look(const struct frontend_conf *conf)
{
    bool hurried = conf->session_timeout.length > 0 ||
                   (conf->idle_timeout > 0 && conf->idle_timeout < KEEP_ALIVE_AFTER_MS);
    return hurried ? 0 : KEEP_ALIVE_AFTER_MS;
}

void session_begin(struct session *session)
{
    const millis first = session->backend->conf->idle_timeout ? 0 : session->frontend->first_look;
    if (first == 0 || session->terminate_at || session->kept_alive) {
        session_set_state(session, SESSION_ESTABLISHED);
        return;
    }
    session->state = SESSION_ESTABLISHED;
    wheel_set(&session->set->loop.wheel, &session->timer, loop_now_ms(&session->set->loop) + first);
}

struct facts *session_facts(struct session *session)
{
    if (!session->facts)
        session->facts = calloc(1, sizeof *session->facts);
    return session->facts;
}

void session_leave_source(struct session *session, struct service *service)
{
    if (session->source_counted)
        source_place_leave(service, session->frontend, session_source(session));
    session->source_counted = false;
}

void session_names(const struct session *session, const char *names[static SESSION_NAMES])
{
    if (session->foreign_names) {
        const char *at = session->foreign_names;
        for (unsigned i = 0; i < SESSION_NAMES; i++, at += strlen(at) + 1)
            names[i] = at;
        return;
    }
    names[0] = session->frontend->conf->name;
    names[1] = session->bind->text;
    names[2] = session->backend ? session->backend->conf->name : "-";
    names[3] = session->chosen ? session->chosen->name : "-";
}

struct address session_peer_address(const struct session *session)
{
    struct address address = {.length = sizeof session->peer};
    memcpy(&address.any, &session->peer, sizeof session->peer);
    if (address_is_unix(&address))
        address.length = offsetof(struct sockaddr_un, sun_path);
    else if (address.any.sa_family == AF_INET)
        address.length = sizeof address.in;
    address_unmap(&address);
    return address;
}

static bool source_was_told(const struct session *session)
{
    return session->facts && session->facts->source.length > 0;
}

struct address session_source_address(const struct session *session)
{
    return source_was_told(session) ? session->facts->source : session_peer_address(session);
}

/* By an error. What found no server has failed instead, and what a timeout or an order ends comes
 * to the end that was asked for. */
static bool is_cut(enum session_end end)
{
    return end == SESSION_CLIENT_RESET || end == SESSION_SERVER_RESET ||
           end == SESSION_NO_RESOURCES || end == SESSION_UNDELIVERED;
}

static void note_cut(struct session *session, enum session_end end)
{
    counter_add(&session->set->counters->cut, 1);
    if (end == SESSION_SERVER_RESET && session->chosen && session->server.stream.received == 0)
        server_count_failure(session->chosen);
}

static void on_client_closed(struct stream *stream)
{
    session_finish(container_of(stream, struct session, client.stream));
}

static void on_server_closed(struct stream *stream)
{
    session_finish(container_of(stream, struct session, server.stream));
}

void session_close_conn(struct session *session, struct conn *conn, bool reset)
{
    struct engine *engine = &session->set->loop.engine;
    if (!conn_is_open(conn))
        return;
    session->pending++;
    if (conn == &session->client)
        conn_close(conn, engine, reset, on_client_closed);
    else
        conn_close(conn, engine, reset, on_server_closed);
}

/* Closes one side. A side that was sent all of the other's stream, and whose own is of no use any
 * more, must not be reset by the kernel for bytes of it that nobody has read. */
static void close_conn(struct session *session, struct conn *conn, bool reset)
{
    if (conn_is_open(conn) && !reset && !conn->stream.ended && conn_was_sent_all(conn))
        (void)conn_discard(conn, &session->set->loop.engine);
    session_close_conn(session, conn, reset);
}

static void close_conns(struct session *session, enum session_end end)
{
    bool reset_client = false, reset_server = false;
    switch (end) {
    case SESSION_DONE:
    case SESSION_TLS_FAILED: /* the client is to read the alert */
        break;
    case SESSION_CLIENT_RESET:
        reset_server = true;
        break;
    case SESSION_SERVER_RESET:
        reset_client = !conn_was_sent_all(&session->client);
        break;
    case SESSION_DENIED:
    case SESSION_BAD_PROXY_HEADER:
    case SESSION_SOURCE_LIMIT:
    case SESSION_SOURCE_RATE:
    case SESSION_OVER_LIMIT:
    case SESSION_INSPECT_TIMEOUT:
    case SESSION_TLS_TIMEOUT:
    case SESSION_NO_ROUTE:
    case SESSION_NOT_ALLOWED:
    case SESSION_UNRESOLVED:
    case SESSION_QUEUE_TIMEOUT:
    case SESSION_QUEUE_FULL:
    case SESSION_REFUSED:
    case SESSION_CONNECT_TIMEOUT:
        reset_client = true;
        break;
    case SESSION_NO_RESOURCES:
    case SESSION_UNDELIVERED:
        reset_client = reset_server = true;
        break;
    case SESSION_IDLE:
    case SESSION_FIN_TIMEOUT:
        reset_client = conn_misses_bytes(&session->client);
        reset_server = conn_misses_bytes(&session->server);
        break;
    case SESSION_TOO_LONG:
    case SESSION_DRAIN_TIMEOUT:
    case SESSION_STOPPED:
    case SESSION_SERVER_DOWN:
    case SESSION_KILLED:
    case SESSION_ENDS:
        /* A stream that was cut must not look complete, and only its sender knows where it is. */
        reset_client = !conn_was_sent_all(&session->client);
        reset_server = !conn_was_sent_all(&session->server);
        break;
    }
    struct session_set *set = session->set;
    close_conn(session, &session->client, reset_client);
    bool known = session->generation == set->service->generation; /* what its options are */
    if (end != SESSION_DONE || !known || !session_set_wants_spares(set) ||
        session->backend->prepares || !engine_disconnect(&session->server.stream))
        close_conn(session, &session->server, reset_server);
    /* Last: the next session may come to the server at once. */
    session_leave_server(session);
}

static __attribute__((noinline)) void abandon_stage(struct session *session)
{
    const struct stage *stage = *session->stage;
    session->stage = NULL;
    if (stage->cancel)
        stage->cancel(session, stage);
}

/* What a session that has ended, and may become a spare, does not need. */
static void free_needless(struct session *session)
{
    if (session->tried) {
        free(session->tried);
        session->tried = NULL;
    }
    if (session->first_bytes) {
        free(session->first_bytes);
        session->first_bytes = NULL;
    }
    if (session->facts) {
        if (session->client.sealed)
            counter_add(&session->set->counters->tls_ended, 1);
        facts_free(session->facts);
        session->facts = NULL;
    }
}

static inline bool found_no_server(enum session_end end)
{
    return end >= SESSION_QUEUE_TIMEOUT && end <= SESSION_CONNECT_TIMEOUT;
}

/* By backend and by server. */
static void count_end(const struct session *session, enum session_end end)
{
    if (session->backend)
        session_count_for_backend(session, COUNTER_OF(backend_figures, ends) + end);
    if (session->chosen)
        server_count_event(session->chosen, COUNTER_OF(server_events, ends) + end);
}

static __attribute__((noinline)) void note_failure(struct session *session, enum session_end end)
{
    count_end(session, end);
    if (found_no_server(end))
        counter_add(&session->set->counters->failed, 1);
    if (is_cut(end))
        note_cut(session, end);
}

/* Of what every session counts at its end. */
static inline void count(const struct session *session, enum session_end end)
{
    struct session_set *set = session->set;
    const size_t place = session_frontend_place(session);
    counter_add(session_set_counter(set, place + COUNTER_OF(frontend_figures, ends) + end), 1);
    if (set->timed)
        histogram_add(session_set_counter(set, place + COUNTER_OF(frontend_figures, session_time)),
                      loop_now(&set->loop) - session->entry.accepted_at);
}

void session_note_wait(struct session *session)
{
    struct queue_turn *turn = session->facts->turn;
    if (turn->began_at == 0)
        return;
    const uint64_t now = loop_now(&session->set->loop);
    histogram_add(session_set_counter(session->set, session_backend_place(session) +
                                                        COUNTER_OF(backend_figures, queue)),
                  now - turn->began_at);
    turn->began_at = 0;
    session->facts->connects_at = now;
}

static __attribute__((cold, noinline)) void leave_queue(struct session *session)
{
    session_note_wait(session);
    pool_leave(&session->backend->queue->pool, &session->facts->turn->waiter);
}

void session_close(struct session *session, enum session_end end)
{
    if (session->state == SESSION_CLOSED)
        return;
    struct session_set *set = session->set;
    const enum session_state state = session->state;
    if (session->stage)
        abandon_stage(session);
    else if (session->state == SESSION_QUEUED)
        leave_queue(session);
    session->outcome = end;
    count(session, end);
    session_list_remove(session_own_list(session), &session->entry);
    session_set_state(session, SESSION_CLOSED);
    wheel_cancel(&session->timer);
    /* Before either side can see the end. */
    if (end != SESSION_DONE)
        note_failure(session, end);
    close_conns(session, end);
    if (session->source_counted)
        session_leave_source(session, set->service);
    /* The line says that the session is over: what it counted for is given back. */
    if (session->frontend->access_log)
        session->frontend->access_log->on_end(session, state, end);
    free_needless(session);
    session_finish(session);
    service_release_place(set->service, session->frontend);
}

void session_terminate(struct session *session)
{
    struct session_set *set = session->set;
    counter_add(&set->counters->overdue, 1);
    session_close(session, (enum session_end)atomic_load(&set->service->terminate_reason));
}

void session_free(struct session *session)
{
    free(session->tried);
    facts_free(session->facts);
    free(session->foreign_names);
    free(session);
}
