#include "proxy/session/connect.h"

#include "config/base/container_of.h"
#include "proxy/engine/socket.h"
#include "proxy/session/access_log.h"
#include "proxy/session/endpoints.h"
#include "proxy/session/exchange.h"
#include "proxy/session/forward.h"
#include "proxy/session/proxy_out.h"
#include "proxy/session/queued.h"
#include "proxy/session/sealed.h"
#include "proxy/session/session_key.h"
#include "proxy/session/tls_out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Between two rounds through a backend whose servers all failed, as HAProxy waits. */
#define ROUND_WAIT_MS 1000u
/* In place of an errno value: the TLS handshake failed. */
#define NO_TLS (-1)
/* Between two looks at a shortage (descriptors, local ports, a full Unix backlog). */
#define SHORTAGE_WAIT_MS 50u

static struct balancer *balancer_of(const struct session *session)
{
    return session->backend->balancers[session->set->index];
}

/* The session's server is not chosen again in this round, because it has failed or (lacking)
 * because the proxy lacks something towards it. False: out of memory. */
static bool pass_over(struct session *session, bool lacking)
{
    uint32_t at = session->tried_count;
    struct server **tried = realloc(session->tried, (at + 1) * sizeof *tried);
    if (!tried)
        return false;
    if (!lacking && session->short_count) {
        tried[at] = tried[at - session->short_count];
        at -= session->short_count;
    }
    tried[at] = session->chosen;
    session->tried = tried;
    session->tried_count++;
    session->short_count += lacking;
    return true;
}

/* The server's side is closed. */
static void on_attempt_closed(struct stream *stream)
{
    struct session *session = container_of(stream, struct session, server.stream);
    session_finish(session);
    if (session->state == SESSION_CLOSED)
        return;
    session_leave_server(session);
    if (engine_error(&session->client.stream)) {
        session_close(session, SESSION_CLIENT_RESET);
        return;
    }
    if (session->attempts > session->backend->conf->retries) {
        session_close(session, session->timed_out ? SESSION_CONNECT_TIMEOUT : SESSION_REFUSED);
        return;
    }
    bool others = session->facts && forward_advance(session->facts->forward);
    if (!others && !pass_over(session, false)) {
        session_close(session, SESSION_NO_RESOURCES);
        return;
    }
    session_count_for_backend(session, COUNTER_OF(backend_figures, retries));
    connect_begin(session);
}

/* No fault of the server: nothing but the figures says so. A session that waits for a port looks
 * for one again and again, and counts once. */
static __attribute__((cold)) void count_shortage(struct session *session, int error)
{
    if (error != EADDRINUSE || session->give_up_at)
        return;
    session_count_for_backend(session, COUNTER_OF(backend_figures, failures) + CONNECT_NO_PORT);
    server_count_event(session->chosen, COUNTER_OF(server_events, failures) + CONNECT_NO_PORT);
}

static enum connect_failure failure_of(int error)
{
    switch (error) {
    case ECONNREFUSED:
        return CONNECT_REFUSED;
    case ETIMEDOUT:
        return CONNECT_TIMED_OUT;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
    case ENETDOWN:
        return CONNECT_UNREACHABLE;
    case NO_TLS:
        return CONNECT_TLS_FAILED;
    default:
        return CONNECT_FAILED;
    }
}

/* reset: the server is to see one. */
static void fail_attempt(struct session *session, int error, bool reset)
{
    enum connect_failure failure = failure_of(error);
    counter_add(&session->set->counters->connect_errors, 1);
    session_count_for_backend(session, COUNTER_OF(backend_figures, failures) + failure);
    server_count_event(session->chosen, COUNTER_OF(server_events, failures) + failure);
    server_count_failure(session->chosen);
    access_log_note_failure(session);
    session->attempts++;
    session->timed_out = error == ETIMEDOUT;
    if (session->server.sealed)
        sealed_drop(&session->server);
    session->deadline = WHEEL_NEVER; /* nothing is due until the close is complete */
    session_set_state(session, SESSION_WAITING);
    session->pending++;
    if (conn_is_open(&session->server))
        conn_close(&session->server, &session->set->loop.engine, reset, on_attempt_closed);
    else
        on_attempt_closed(&session->server.stream);
}

void connect_failed(struct session *session, int error)
{
    fail_attempt(session, error, false);
}

static bool is_self_connected(const struct session *session)
{
    return session->own_port &&
           engine_is_self_connected(&session->server.stream, session->own_port);
}

/* Once for each session: only the options that differ from what a new socket has. */
static void tune(struct session *session)
{
    const struct tcp_tuning *client = &session->frontend->conf->tcp;
    const struct tcp_tuning *server = &session->backend->conf->tcp;
    if (tcp_tuning_is_given(client) && !session_is_unix(session, &session->client))
        engine_tune(&session->client.stream, client);
    if (tcp_tuning_is_given(server) && !session_is_unix(session, &session->server)) {
        engine_tune(&session->server.stream, server);
        session->kept_alive = true; /* as it is to be: on or off */
    }
}

/* False: the session has ended, or is being delivered. */
static __attribute__((cold)) bool prepare(struct session *session)
{
    tune(session);
    access_log_connected(session);
    const struct server_conf *conf = session->chosen->conf;
    return !conf->send_proxy || conf->tls || proxy_out_begin(session);
}

/* How long that took. */
static __attribute__((cold)) void count_connect(const struct session *session)
{
    uint64_t began = session->entry.accepted_at;
    if (session->facts && session->facts->connects_at)
        began = session->facts->connects_at;
    histogram_add(session_set_counter(session->set, session_backend_place(session) +
                                                        COUNTER_OF(backend_figures, connect)),
                  session->connected_at - began);
}

/* The server is to get what the client has said before it was chosen. */
static __attribute__((cold)) void owe_first_bytes(struct session *session)
{
    session->server.unsent = session->first_bytes;
    session->first_bytes = NULL;
    counter_add(session_set_counter(session->set, session->client.server_place),
                session->server.unsent->length);
}

/* The same where the server speaks TLS. False: the session has ended. */
static __attribute__((cold)) bool seal_first_bytes(struct session *session)
{
    struct unsent *first = session->first_bytes;
    session->first_bytes = NULL;
    counter_add(session_set_counter(session->set, session->client.server_place), first->length);
    enum sealed_sent sent =
        sealed_send(&session->server, &session->set->loop.engine, first->bytes, first->length);
    free(first);
    if (sent != SEALED_SENT)
        session_close(session, sent == SEALED_FAILED ? SESSION_SERVER_RESET : SESSION_NO_RESOURCES);
    return sent == SEALED_SENT;
}

/* The server can be sent what is for it. */
static void connected(struct session *session)
{
    struct session_set *set = session->set;
    session->connected_at = session->active_at = loop_now(&set->loop);
    set->movable = true;
    if (set->timed)
        count_connect(session);
    session_begin(session);
    if (session->first_bytes && session->server.sealed && sealed_tls(&session->server)) {
        if (!seal_first_bytes(session))
            return;
    } else if (session->first_bytes) {
        owe_first_bytes(session);
    }
    if ((session->frontend->prepares || session->backend->prepares) && !prepare(session))
        return;
    exchange_move(session, &session->client);
}

/* The server may have spoken already, or be gone: that came with the same event. */
static enum tls_out begin_tls(struct session *session)
{
    enum tls_out come = tls_out_begin(session);
    return come == TLS_OUT_WAITS ? tls_out_go_on(session) : come;
}

/* The handshake with the server has come so far. */
static void go_on_by(struct session *session, enum tls_out come)
{
    switch (come) {
    case TLS_OUT_WAITS:
        break;
    case TLS_OUT_OPEN:
        connected(session);
        break;
    case TLS_OUT_FAILED:
        connect_failed(session, NO_TLS);
        break;
    case TLS_OUT_NO_MEMORY:
        session_close(session, SESSION_NO_RESOURCES);
        break;
    }
}

void connect_on_event(struct session *session, uint32_t what)
{
    if (what & ENGINE_FAILED) {
        int error = engine_error(&session->server.stream);
        connect_failed(session, error ? error : ECONNREFUSED);
        return;
    }
    if (tls_out_is_under_way(session)) {
        go_on_by(session, tls_out_go_on(session));
        return;
    }
    if (!(what & ENGINE_WRITABLE))
        return;
    if (is_self_connected(session)) {
        /* Nobody listens there. By a reset, or TIME-WAIT would hold the port that the server wants.
         */
        fail_attempt(session, ECONNREFUSED, true);
        return;
    }
    if (session->backend->prepares && session->chosen->conf->tls)
        go_on_by(session, begin_tls(session));
    else
        connected(session);
}

static void wait_for(struct session *session, uint64_t milliseconds)
{
    session->deadline = loop_now_ms(&session->set->loop) + milliseconds;
    session_set_state(session, SESSION_WAITING);
}

/* The shortage is ours, not the server's: it costs no attempt, but it must end in time. */
static void wait_out(struct session *session)
{
    uint64_t now = loop_now_ms(&session->set->loop);
    if (session->give_up_at == 0)
        session->give_up_at = now + session->backend->conf->connect_timeout;
    if (engine_error(&session->client.stream))
        session_close(session, SESSION_CLIENT_RESET);
    else if (now >= session->give_up_at)
        session_close(session, SESSION_NO_RESOURCES);
    else
        wait_for(session, SHORTAGE_WAIT_MS);
}

static __attribute__((noinline)) int connect_from_source(struct session *session,
                                                         const struct address *address,
                                                         struct connect_plan *plan)
{
    const struct address client = session_source_address(session);
    plan->source = &session->backend->conf->source;
    plan->client = &client;
    plan->turn = session->set->source_turn++;
    return engine_connect(&session->set->loop.engine, &session->server.stream, address, plan);
}

/* Returns 0, when the outcome is to come as an event, or an errno value. */
static inline __attribute__((always_inline)) int connect_server(struct session *session,
                                                                const struct address *address)
{
    struct session_set *set = session->set;
    const char *congestion = session->backend->conf->congestion;
    const struct source_choice *source = &session->backend->conf->source;
    if (conn_is_open(&session->server)) {
        bool fits = source->kind == SOURCE_ANY &&
                    session->server_family == address->any.sa_family &&
                    strcmp(session->server_congestion, congestion) == 0;
        int error =
            fits ? engine_reconnect(&set->loop.engine, &session->server.stream, address) : 0;
        if (fits && !error)
            return 0;
        session_close_conn(session, &session->server, false);
        if (error)
            return error;
    }
    session->server_family = address->any.sa_family;
    session->server_congestion = congestion;
    session->kept_alive = false;
    struct connect_plan plan = {.congestion = congestion};
    if (source->kind != SOURCE_ANY)
        return connect_from_source(session, address, &plan);
    return engine_connect(&set->loop.engine, &session->server.stream, address, &plan);
}

/* No server is left that this round has not tried. */
static void end_round(struct session *session)
{
    if (balancer_is_empty(balancer_of(session))) {
        session_close(session, SESSION_REFUSED); /* nobody knows when there will be one again */
    } else if (session->short_count) {
        session->tried_count -= session->short_count;
        session->short_count = 0;
        wait_out(session);
    } else {
        session->tried_count = 0;
        wait_for(session, ROUND_WAIT_MS);
    }
}

static inline int connect_at(struct session *session, const struct address *address, unsigned port)
{
    bool own = local_ports_include(&session->set->service->local_ports, port);
    session->own_port = own ? (in_port_t)port : 0;
    return connect_server(session, address);
}

/* A Unix socket, or a server that has the port to which the client came: EDESTADDRREQ if there is
 * no such port. */
static __attribute__((noinline)) int connect_portless(struct session *session,
                                                      const struct server *server,
                                                      const struct address *address)
{
    if (address_is_unix(address))
        return connect_at(session, address, 0);
    struct address there = *address;
    int came = (int)session_destination_port(session), port = came + server->conf->port_shift;
    if (came == 0 || port < 1 || port > UINT16_MAX)
        return EDESTADDRREQ;
    address_set_port(&there, (unsigned)port);
    return connect_at(session, &there, (unsigned)port);
}

/* The server may have lost its address since the balancer looked: EHOSTUNREACH. */
static int connect_to(struct session *session, const struct server *server)
{
    const struct address *address = server_address(server);
    if (!address && session->facts)
        address = forward_address(session->facts->forward);
    if (!address)
        return EHOSTUNREACH;
    unsigned port = address_port(address);
    if (port == 0)
        return connect_portless(session, server, address);
    return connect_at(session, address, port);
}

static void on_turn(struct session *session, struct server *given);

static __attribute__((noinline)) struct server *choose_with_place(struct session *session,
                                                                  const struct choice *choice)
{
    bool none = false;
    struct server *next = queued_choose(session, balancer_of(session), choice, on_turn, &none);
    if (none)
        end_round(session);
    return next;
}

/* NULL: the session waits, or has ended. */
static inline struct server *choose(struct session *session)
{
    struct balancer *balancer = balancer_of(session);
    uint64_t key = balancer_is_keyed(balancer) ? session_key(session) : 0;
    const struct choice choice = {
        .tried = session->tried, .tried_count = session->tried_count, .key = key};
    if (session->backend->queue)
        return choose_with_place(session, &choice);
    struct server *next = balancer_next(balancer, &choice);
    if (!next)
        end_round(session);
    return next;
}

/* given: a place on this server is the session's; NULL: a server is chosen. */
static inline void connect_from(struct session *session, struct server *given)
{
    struct server *next = given;
    int error;
    for (;;) {
        if (!next && !(next = choose(session)))
            return;
        session->chosen = next;
        session_join_server(session);
        error = connect_to(session, next);
        if (!socket_is_shortage_of_one(error))
            break;
        count_shortage(session, error);
        if (!pass_over(session, true))
            break;
        session_leave_server(session);
        next = NULL;
    }
    if (error) {
        if (error == EDESTADDRREQ) {
            session_leave_server(session); /* no fault of the server: no other would do better */
            session_close(session, SESSION_REFUSED);
            return;
        }
        if (!socket_is_shortage(error)) {
            connect_failed(session, error);
            return;
        }
        session_leave_server(session);
        wait_out(session);
        return;
    }
    counter_add(session_set_counter(session->set, session_server_place(session) +
                                                      COUNTER_OF(server_figures, sessions)),
                1);
    session->give_up_at = 0;
    session->deadline = loop_now_ms(&session->set->loop) + session->backend->conf->connect_timeout;
    session_set_state(session, SESSION_CONNECTING);
}

void connect_begin(struct session *session)
{
    connect_from(session, NULL);
}

/* A place on the server is the session's, or it is to choose again. */
static void on_turn(struct session *session, struct server *given)
{
    connect_from(session, given);
}
