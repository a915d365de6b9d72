#include "proxy/session/session.h"

#include "config/base/container_of.h"
#include "config/base/log.h"
#include "proxy/engine/socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Between two rounds through a backend whose servers all failed, as HAProxy waits. */
#define ROUND_WAIT_MS 1000u
/* Between two looks at a shortage (descriptors, local ports, a full Unix backlog). */
#define SHORTAGE_WAIT_MS 50u
/* A session that lasts so long has its server's socket watched by TCP keep-alives: short ones are
 * spared the call. */
#define KEEP_ALIVE_AFTER_MS 10000u
/* A side that has acknowledged nothing of what is being delivered for so long is given up. */
#define DELIVERY_MS 30000u
/* Between two looks at it, which no event spares: from, to. */
#define DELIVERY_LOOK_MS      20u
#define DELIVERY_LOOK_MOST_MS 1000u

static void begin_connect(struct session *session);

static struct balancer *balancer_of(const struct session *session)
{
    return session->backend->balancers[session->set->index];
}

static struct server_counters *server_counters_of(const struct session *session)
{
    return &session->chosen->counters[session->set->index];
}

static struct session_list *session_list_of(const struct session *session)
{
    return &session->set->lists[session->frontend - session->set->service->frontends];
}

/* The session counts for the server from its attempt to connect or its arrival here on, ... */
static void join_server(struct session *session)
{
    session->with_server = true;
    counter_add(&server_counters_of(session)->live, 1);
}

/* ... until that has failed, or the session ends or moves away. */
static void leave_server(struct session *session)
{
    if (session->with_server)
        counter_add(&server_counters_of(session)->live, UINT64_MAX); /* one less */
    session->with_server = false;
}

/* When an established session is to be looked at, in milliseconds. */
static uint64_t established_due(const struct session *session)
{
    millis idle_timeout = session->frontend->conf->idle_timeout;
    uint64_t idle = idle_timeout ? session->active_at / 1000 + idle_timeout : WHEEL_NEVER;
    uint64_t due = session->connected_at / 1000 + KEEP_ALIVE_AFTER_MS;
    if (session->kept_alive || idle < due)
        due = idle;
    return session->terminate_at && session->terminate_at < due ? session->terminate_at : due;
}

static void set_state(struct session *session, enum session_state state)
{
    session->state = state;
    uint64_t due = WHEEL_NEVER;
    if (state == SESSION_CONNECTING || state == SESSION_WAITING || state == SESSION_DELIVERING)
        due = session->deadline;
    else if (state == SESSION_ESTABLISHED)
        due = established_due(session);
    wheel_set(&session->set->loop.wheel, &session->timer, due);
}

static const char *end_name(enum session_end end)
{
    static const char *const names[] = {
        [SESSION_DONE] = "done",
        [SESSION_CLIENT_RESET] = "client-reset",
        [SESSION_SERVER_RESET] = "server-reset",
        [SESSION_REFUSED] = "refused",
        [SESSION_CONNECT_TIMEOUT] = "connect-timeout",
        [SESSION_IDLE] = "idle-timeout",
        [SESSION_DRAIN_TIMEOUT] = "drain-timeout",
        [SESSION_STOPPED] = "stopped",
        [SESSION_NO_RESOURCES] = "no-resources",
        [SESSION_UNDELIVERED] = "undelivered",
    };
    return names[end];
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
    names[2] = session->backend->conf->name;
    names[3] = session->chosen ? session->chosen->name : "-";
}

/* For people: an IPv4 client of a dual-stack socket has its IPv4 address, and one of a Unix socket
 * no name. */
static struct address client_address(const struct session *session)
{
    struct address address = {.length = sizeof session->peer};
    memcpy(&address.any, &session->peer, sizeof session->peer);
    if (address_is_unix(&address))
        address.length = offsetof(struct sockaddr_un, sun_path);
    address_unmap(&address);
    return address;
}

static void write_access_log(struct session *session, enum session_end end)
{
    const char *names[SESSION_NAMES];
    char client[ADDRESS_TEXT_MAX];
    const struct address address = client_address(session);
    char connect[32] = "-";
    if (session->connected_at)
        snprintf(connect, sizeof connect, "%.3fms",
                 (double)(session->connected_at - session->accepted_at) / 1000);
    session_names(session, names);
    log_info("session %u.%u.%llu client=%s frontend=%s bind=%s server=%s/%s connect=%s "
             "time=%.3fms in=%llu out=%llu retries=%u end=%s",
             session->generation, session->accepted_by, (unsigned long long)session->number,
             address_format(&address, client), names[0], names[1], names[2], names[3], connect,
             (double)(loop_now(&session->set->loop) - session->accepted_at) / 1000,
             (unsigned long long)session->client.received,
             (unsigned long long)session->server.received, session->attempts, end_name(end));
}

/* By an error. What found no server has failed instead, and what a timeout or an order ends comes
 * to the end that was asked for. */
static bool is_cut(enum session_end end)
{
    return end == SESSION_CLIENT_RESET || end == SESSION_SERVER_RESET ||
           end == SESSION_NO_RESOURCES || end == SESSION_UNDELIVERED;
}

/* Closes one side. A side that was sent all of the other's stream, and whose own is of no use any
 * more, must not be reset by the kernel for bytes of it that nobody has read. */
static void close_conn(struct session *session, struct conn *conn, bool reset)
{
    struct session_set *set = session->set;
    if (conn->fd >= 0 && !reset && !conn->ended && conn_was_sent_all(conn))
        (void)conn_discard(conn, &set->buffers);
    conn_close(conn, &set->loop.poller, reset);
}

static void close_conns(struct session *session, enum session_end end)
{
    bool reset_client = false, reset_server = false;
    switch (end) {
    case SESSION_DONE:
        break;
    case SESSION_CLIENT_RESET:
        reset_server = true;
        break;
    case SESSION_SERVER_RESET:
        reset_client = !conn_was_sent_all(&session->client);
        break;
    case SESSION_REFUSED:
    case SESSION_CONNECT_TIMEOUT:
        reset_client = true;
        break;
    case SESSION_NO_RESOURCES:
    case SESSION_UNDELIVERED:
        reset_client = reset_server = true;
        break;
    case SESSION_IDLE:
        reset_client = conn_is_owed(&session->client);
        reset_server = conn_is_owed(&session->server);
        break;
    case SESSION_DRAIN_TIMEOUT:
    case SESSION_STOPPED:
        /* A stream that was cut must not look complete, and only its sender knows where it is. */
        reset_client = !conn_was_sent_all(&session->client);
        reset_server = !conn_was_sent_all(&session->server);
        break;
    }
    struct session_set *set = session->set;
    leave_server(session);
    close_conn(session, &session->client, reset_client);
    bool known = session->generation == set->service->generation; /* what its options are */
    if (end != SESSION_DONE || !known || !session_set_wants_spares(set) ||
        !conn_disconnect(&session->server))
        close_conn(session, &session->server, reset_server);
}

void session_close(struct session *session, enum session_end end)
{
    if (session->state == SESSION_CLOSED)
        return;
    struct session_set *set = session->set;
    session_list_remove(session_list_of(session), session);
    set_state(session, SESSION_CLOSED);
    wheel_cancel(&session->timer);
    close_conns(session, end);
    if (end == SESSION_REFUSED || end == SESSION_CONNECT_TIMEOUT)
        counter_add(&set->counters->failed, 1);
    if (is_cut(end))
        counter_add(&set->counters->cut, 1);
    if (session->frontend->conf->access_log)
        write_access_log(session, end);
    free(session->tried);
    session->tried = NULL;
    STAILQ_INSERT_TAIL(&set->dead, session, dead);
    service_release_place(set->service, session->frontend);
}

void session_free(struct session *session)
{
    free(session->tried);
    free(session->foreign_names);
    free(session);
}

static void queue(struct session *session)
{
    if (session->queued)
        return;
    session->queued = true;
    STAILQ_INSERT_TAIL(&session->set->again, session, again);
}

/* Bytes count as activity; events without bytes do not. Since buffers.moved was set to 0. */
static void note_activity(struct session *session)
{
    if (session->set->buffers.moved > 0)
        session->active_at = loop_now(&session->set->loop);
}

static bool is_unix(const struct session *session, const struct conn *conn)
{
    return (conn == &session->client ? session->peer.any.sa_family : session->server_family) ==
           AF_UNIX;
}

/* --- delivering ---------------------------------------------------------------------------- */

/* For how long nothing may move. As long as the stream has not ended it is a session as others. */
static uint64_t delivery_ends_at(const struct session *session, const struct conn *gone)
{
    millis idle_timeout = session->frontend->conf->idle_timeout;
    uint64_t most = gone->ended ? DELIVERY_MS : WHEEL_NEVER;
    if (idle_timeout && idle_timeout < most)
        most = idle_timeout;
    return most == WHEEL_NEVER ? WHEEL_NEVER : session->active_at / 1000 + most;
}

/* All of it is with the other side, or on its way there with nothing that could stop it: a side
 * that has ended its own stream sends nothing that could meet a closed socket. A server whose
 * client was reset is to be reset as well, but not before it has everything. */
static bool is_delivered(struct session *session, const struct conn *to)
{
    if (to->peer->fd >= 0 || conn_is_owed(to))
        return false;
    if (to->ended && to->shut && session->outcome != SESSION_CLIENT_RESET)
        return true;
    size_t left = socket_unacknowledged(to->fd);
    if (left != session->unacknowledged)
        session->active_at = loop_now(&session->set->loop);
    session->unacknowledged = left;
    return left == 0;
}

/* Moves what can be moved to the side that remains. to_failed: that side was reset. */
static void go_on_delivering(struct session *session, bool to_failed)
{
    struct session_set *set = session->set;
    struct conn *to = session->to_client ? &session->client : &session->server;
    struct conn *gone = to->peer;
    set->buffers.moved = 0;
    enum relay relayed = relay(gone, &set->buffers);
    note_activity(session); /* what is thrown away is none */
    enum relay discarded = conn_discard(to, &set->buffers);
    bool lost = relayed == RELAY_FROM_FAILED;
    bool failed = (lost && !is_unix(session, gone)) || relayed == RELAY_TO_FAILED ||
                  discarded == RELAY_FROM_FAILED || to_failed;
    if (lost || gone->ended)
        conn_close(gone, &set->loop.poller, false);
    if (relayed == RELAY_NO_MEMORY) {
        session_close(session, SESSION_NO_RESOURCES);
    } else if (failed || is_delivered(session, to)) {
        session_close(session, session->outcome);
    } else if (delivery_ends_at(session, gone) <= loop_now_ms(&set->loop)) {
        session_close(session, SESSION_UNDELIVERED);
    } else {
        session->deadline = loop_now_ms(&set->loop) + session->look_after;
        set_state(session, SESSION_DELIVERING);
        if (relayed == RELAY_MORE || discarded == RELAY_MORE)
            queue(session);
    }
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
    if (gone == &session->server)
        leave_server(session);
    if (gone->ended)
        conn_close(gone, &session->set->loop.poller, conn_is_owed(gone));
    else
        conn_forget_unsent(gone);
    set_state(session, SESSION_DELIVERING);
    go_on_delivering(session, false);
}

static void look_at_delivery(struct session *session)
{
    if (session->look_after < DELIVERY_LOOK_MOST_MS)
        session->look_after *= 2;
    go_on_delivering(session, false);
}

static enum session_end reset_of(const struct session *session, const struct conn *gone)
{
    return gone == &session->client ? SESSION_CLIENT_RESET : SESSION_SERVER_RESET;
}

/* A side was reset, or takes no more. What it said may still have to be received: of a stream that
 * is not whole, what the other side takes at once. */
static void lose(struct session *session, struct conn *gone)
{
    if (conn_is_whole(gone) || is_unix(session, gone)) {
        deliver(session, gone->peer, reset_of(session, gone));
        return;
    }
    relay_last(gone, &session->set->buffers);
    session_close(session, reset_of(session, gone));
}

/* A side was reset, as a receive has told after all that it had said. */
static void lose_received(struct session *session, struct conn *gone)
{
    if (!is_unix(session, gone)) {
        session_close(session, reset_of(session, gone));
        return;
    }
    gone->ended = gone->hung_up; /* the end came first */
    conn_close(gone, &session->set->loop.poller, false);
    deliver(session, gone->peer, reset_of(session, gone));
}

/* No byte has moved for idle-timeout. */
static void expire(struct session *session)
{
    struct conn *conns[] = {&session->client, &session->server};
    for (unsigned i = 0; i < 2; i++)
        if (conns[i]->shut && !conns[i]->ended && socket_unacknowledged(conns[i]->fd) > 0) {
            deliver(session, conns[i], SESSION_IDLE);
            return;
        }
    session_close(session, SESSION_IDLE);
}

/* --- relaying ------------------------------------------------------------------------------ */

/* What relay() met while it moved bytes from one side. Out of the way of sessions that are well. */
static __attribute__((cold)) void fail(struct session *session, struct conn *from,
                                       enum relay result)
{
    struct conn *to = from->peer;
    if (result == RELAY_NO_MEMORY) {
        session_close(session, SESSION_NO_RESOURCES);
    } else if (result == RELAY_FROM_FAILED) {
        lose_received(session, from);
    } else {
        lose(session, to);
    }
}

/* Moves what can be moved, beginning with what first gave us. */
static void move(struct session *session, struct conn *first)
{
    struct session_set *set = session->set;
    struct conn *from = first;
    bool more = false;
    set->buffers.moved = 0;
    do {
        enum relay result = relay(from, &set->buffers);
        if (result == RELAY_MORE) {
            more = true;
        } else if (result != RELAY_OK) {
            fail(session, from, result);
            return;
        }
        from = from->peer;
    } while (from != first);

    note_activity(session);
    if (conn_pair_done(first)) {
        session_close(session, SESSION_DONE);
        return;
    }
    if (more)
        queue(session);
}

void session_continue(struct session *session)
{
    session->queued = false;
    if (session->state == SESSION_ESTABLISHED)
        move(session, &session->client);
    else if (session->state == SESSION_DELIVERING)
        go_on_delivering(session, false);
}

/* A reset that no read will find: of a side that has ended, or whose peer takes nothing. A Unix
 * socket keeps what it was sent before the reset, and the error for the receive after that. */
static bool failed_unread(const struct session *session, const struct conn *conn)
{
    if (!conn->ended && (!conn_is_held_up(conn) || is_unix(session, conn)))
        return false;
    return socket_error(conn->fd) != 0;
}

/* An event of one side of an established session. */
static inline void on_relay_event(struct session *session, struct conn *conn, uint32_t events)
{
    move(session, conn);
    if ((events & EPOLLERR) && session->state == SESSION_ESTABLISHED &&
        failed_unread(session, conn))
        lose(session, conn);
}

static void on_delivery_event(struct session *session, struct conn *conn, uint32_t events)
{
    bool remains = conn == (session->to_client ? &session->client : &session->server);
    go_on_delivering(session, remains && (events & EPOLLERR) && socket_error(conn->fd));
}

/* The session's server is not chosen again in this round, because it has failed or (lacking)
 * because we lack something towards it. False: out of memory. */
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

static void attempt_failed(struct session *session, int error)
{
    counter_add(&session->set->counters->connect_errors, 1);
    session->attempts++;
    leave_server(session);
    conn_close(&session->server, &session->set->loop.poller, false);
    if (socket_error(session->client.fd)) {
        session_close(session, SESSION_CLIENT_RESET);
        return;
    }
    if (session->attempts > session->backend->conf->retries) {
        session_close(session, error == ETIMEDOUT ? SESSION_CONNECT_TIMEOUT : SESSION_REFUSED);
        return;
    }
    if (pass_over(session, false))
        begin_connect(session);
    else
        session_close(session, SESSION_NO_RESOURCES);
}

static bool is_self_connected(const struct session *session)
{
    return session->own_port && socket_is_self_connected(session->server.fd, session->own_port);
}

static void on_connect_event(struct session *session, uint32_t events)
{
    if (events & EPOLLERR) {
        int error = socket_error(session->server.fd);
        attempt_failed(session, error ? error : ECONNREFUSED);
        return;
    }
    if (!(events & EPOLLOUT))
        return;
    if (is_self_connected(session)) {
        /* By a reset, or TIME-WAIT would hold the port that the server wants. */
        conn_close(&session->server, &session->set->loop.poller, true);
        attempt_failed(session, ECONNREFUSED); /* nobody listens there */
        return;
    }
    session->connected_at = session->active_at = loop_now(&session->set->loop);
    set_state(session, SESSION_ESTABLISHED);
    session->set->movable = true;
    move(session, &session->client);
}

static void on_client_event(struct watch *watch, uint32_t events)
{
    struct session *session = container_of(watch, struct session, client.watch);
    conn_note(&session->client, events);
    if (session->state == SESSION_ESTABLISHED)
        on_relay_event(session, &session->client, events);
    else if (session->state == SESSION_DELIVERING)
        on_delivery_event(session, &session->client, events);
    /* What it said stays in the kernel until a server is there to take it. */
    else if ((events & EPOLLERR) && socket_error(session->client.fd))
        session_close(session, SESSION_CLIENT_RESET);
}

static void on_server_event(struct watch *watch, uint32_t events)
{
    struct session *session = container_of(watch, struct session, server.watch);
    switch (session->state) {
    case SESSION_ESTABLISHED:
        conn_note(&session->server, events);
        on_relay_event(session, &session->server, events);
        break;
    case SESSION_CONNECTING:
        conn_note(&session->server, events);
        on_connect_event(session, events);
        break;
    case SESSION_DELIVERING:
        conn_note(&session->server, events);
        on_delivery_event(session, &session->server, events);
        break;
    case SESSION_WAITING:
    case SESSION_PARKED:
    case SESSION_CLOSED:
        break; /* a spare's socket is connected to nobody */
    }
}

static void wait_for(struct session *session, uint64_t milliseconds)
{
    session->deadline = loop_now_ms(&session->set->loop) + milliseconds;
    set_state(session, SESSION_WAITING);
}

/* The shortage is ours, not the server's: it costs no attempt, but it must end in time. */
static void wait_out(struct session *session)
{
    uint64_t now = loop_now_ms(&session->set->loop);
    if (session->give_up_at == 0)
        session->give_up_at = now + session->backend->conf->connect_timeout;
    if (socket_error(session->client.fd))
        session_close(session, SESSION_CLIENT_RESET);
    else if (now >= session->give_up_at)
        session_close(session, SESSION_NO_RESOURCES);
    else
        wait_for(session, SHORTAGE_WAIT_MS);
}

/* Returns 0, when the outcome is to come as an event, or an errno value. */
static int connect_server(struct session *session, const struct address *address)
{
    struct session_set *set = session->set;
    const char *congestion = session->backend->conf->congestion;
    int error;
    if (session->server.fd >= 0) {
        bool fits = session->server_family == address->any.sa_family &&
                    strcmp(session->server_congestion, congestion) == 0;
        error = fits ? socket_connect_again(session->server.fd, address) : 0;
        if (fits && !error)
            return 0;
        conn_close(&session->server, &set->loop.poller, false);
        if (error)
            return error;
    }
    int fd = socket_connect_by(address, congestion, &error);
    if (fd < 0)
        return error;
    session->server_family = address->any.sa_family;
    session->server_congestion = congestion;
    session->kept_alive = false;
    error = conn_open(&session->server, &set->loop.poller, fd,
                      address_is_unix(address) ? CONN_UNIX : CONN_CONNECTED);
    if (error)
        close(fd);
    return error;
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

/* The server may have lost its address since the balancer looked: EHOSTUNREACH. */
static int connect_to(struct session *session, const struct server *server)
{
    const struct address *address = server_address(server);
    if (!address)
        return EHOSTUNREACH;
    unsigned port = address_port(address);
    bool own = local_ports_include(&session->set->service->local_ports, port);
    session->own_port = own ? (in_port_t)port : 0;
    return connect_server(session, address);
}

static void begin_connect(struct session *session)
{
    struct balancer *balancer = balancer_of(session);
    int error;
    do {
        const struct choice choice = {.tried = session->tried, .tried_count = session->tried_count};
        struct server *next = balancer_next(balancer, &choice);
        if (!next) {
            end_round(session);
            return;
        }
        session->chosen = next;
        error = connect_to(session, next);
    } while (socket_is_shortage_of_one(error) && pass_over(session, true));
    if (error) {
        if (socket_is_shortage(error))
            wait_out(session);
        else
            attempt_failed(session, error);
        return;
    }
    join_server(session);
    counter_add(&server_counters_of(session)->all, 1);
    session->give_up_at = 0;
    session->deadline = loop_now_ms(&session->set->loop) + session->backend->conf->connect_timeout;
    set_state(session, SESSION_CONNECTING);
}

/* What the session is to its worker. */
static void belong(struct session *session, struct session_set *set)
{
    session->set = set;
    session->client.watch.on_ready = on_client_event;
    session->server.watch.on_ready = on_server_event;
    session->client.counter = &set->counters->client_bytes;
    session->server.counter = &set->counters->server_bytes;
    session->client.peer = &session->server;
    session->server.peer = &session->client;
    wheel_entry_init(&session->timer);
}

/* A session with nothing in it but, perhaps, a server's socket that is connected to nobody. */
static struct session *make(struct session_set *set)
{
    struct session *session = session_set_take_spare(set);
    if (session) {
        conn_renew(&session->server, &set->loop.poller);
        *session = (struct session){.server = session->server,
                                    .server_family = session->server_family,
                                    .server_congestion = session->server_congestion,
                                    .kept_alive = session->kept_alive};
        return session;
    }
    session = calloc(1, sizeof *session);
    if (session)
        session->server.fd = -1;
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
    belong(session, set);
    session->frontend = frontend;
    session->bind = bind;
    session->backend = frontend->backend;
    session->generation = set->service->generation;
    session->accepted_by = set->index;
    session->number = ++set->last_session;
    session->accepted_at = session->active_at = loop_now(&set->loop);
    session->client.fd = -1;
    session->peer.any.sa_family = client->any.sa_family;
    if (!address_is_unix(client))
        memcpy(&session->peer, &client->any, sizeof session->peer);
    session_list_append(session_list_of(session), session);
    counter_add(&set->counters->sessions, 1);

    if (conn_open(&session->client, &set->loop.poller, fd,
                  address_is_unix(client) ? CONN_UNIX : CONN_ACCEPTED)) {
        socket_close_reset(fd);
        session_close(session, SESSION_NO_RESOURCES);
        return;
    }
    begin_connect(session);
}

void session_on_timer(struct wheel_entry *timer)
{
    struct session *session = container_of(timer, struct session, timer);
    uint64_t now = loop_now_ms(&session->set->loop);
    millis idle_timeout = session->frontend->conf->idle_timeout;
    bool due = session->state == SESSION_ESTABLISHED
                   ? idle_timeout && now >= session->active_at / 1000 + idle_timeout
                   : now >= session->deadline;
    if (session->terminate_at && now >= session->terminate_at) {
        session_close(session, SESSION_DRAIN_TIMEOUT);
    } else if (!due) {
        if (session->state == SESSION_ESTABLISHED && !session->kept_alive &&
            now >= session->connected_at / 1000 + KEEP_ALIVE_AFTER_MS) {
            socket_keep_alive(session->server.fd);
            session->kept_alive = true;
        }
        set_state(session, session->state);
    } else if (session->state == SESSION_CONNECTING) {
        attempt_failed(session, ETIMEDOUT);
    } else if (session->state == SESSION_WAITING) {
        begin_connect(session);
    } else if (session->state == SESSION_DELIVERING) {
        look_at_delivery(session);
    } else {
        expire(session);
    }
}

void session_park(struct session *session)
{
    struct session_set *set = session->set;
    conn_suspend(&session->client, &set->loop.poller);
    conn_suspend(&session->server, &set->loop.poller);
    wheel_cancel(&session->timer);
    set_state(session, SESSION_PARKED);
    session_list_of(session)->parked++;
}

/* Its ends are told of again. */
static void settle_in(struct session *session)
{
    struct session_set *set = session->set;
    set_state(session, SESSION_ESTABLISHED);
    if (conn_resume(&session->client, &set->loop.poller) ||
        conn_resume(&session->server, &set->loop.poller))
        session_close(session, SESSION_NO_RESOURCES);
    else if (atomic_load(&session->frontend->keep) == 0)
        terminate_session(session);
}

void session_unpark(struct session *session)
{
    session->stays = true;
    session_list_of(session)->parked--;
    settle_in(session);
}

void session_leave(struct session *session)
{
    struct session_set *set = session->set;
    session_list_of(session)->parked--;
    session_list_remove(session_list_of(session), session);
    set_state(session, SESSION_CLOSED);
    leave_server(session);
    conn_leave(&session->client);
    conn_leave(&session->server);
    STAILQ_INSERT_TAIL(&set->dead, session, dead);
    service_release_place(set->service, session->frontend);
}

void session_arrive(struct session *session, struct session_set *set)
{
    belong(session, set);
    set->movable = true;
    session_list_place(session_list_of(session), session);
    if (session->chosen)
        join_server(session);
    settle_in(session);
}
