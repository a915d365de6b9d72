#include "proxy/session.h"

#include "config/log.h"
#include "proxy/proxy.h"
#include "proxy/socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Between two rounds through a backend whose servers all failed, as HAProxy waits. */
#define ROUND_WAIT_MS 1000u
/* Between two looks at a shortage (descriptors, local ports, a full Unix backlog). */
#define SHORTAGE_WAIT_MS 50u

/* A doubtful end is looked at again so long after the bytes, or up to twice that: on the beat, so
 * that one wake of the worker does for all. */
#define LOOK_AGAIN_MS 100u

static void begin_connect(struct session *session);

static const struct backend_conf *backend_of(const struct session *session)
{
    return session->listener->frontend->conf->backend;
}

static struct balancer *balancer_of(const struct session *session)
{
    const struct config *config = session->worker->proxy->config;
    return &session->worker->balancers[backend_of(session) - config->backends];
}

static void set_state(struct session *session, enum session_state state)
{
    session->state = state;
    uint64_t due = WHEEL_NEVER;
    if (state == SESSION_CONNECTING || state == SESSION_WAITING)
        due = session->deadline;
    else if (state == SESSION_ESTABLISHED && session->listener->frontend->conf->idle_timeout)
        due = session->active_at / 1000 + session->listener->frontend->conf->idle_timeout;
    wheel_set(&session->worker->wheel, &session->timer, due);
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
    };
    return names[end];
}

static void write_access_log(struct session *session, enum session_end end)
{
    const struct backend_conf *backend = backend_of(session);
    char client[ADDRESS_TEXT_MAX];
    struct address address = {.length = sizeof session->peer};
    memcpy(&address.any, &session->peer, sizeof session->peer);
    char connect[32] = "-";
    if (session->connected_at)
        snprintf(connect, sizeof connect, "%.3fms",
                 (double)(session->connected_at - session->accepted_at) / 1000);
    log_info("session %u.%u.%llu client=%s frontend=%s bind=%s server=%s/%s connect=%s "
             "time=%.3fms in=%llu out=%llu retries=%u end=%s",
             session->worker->proxy->generation, session->worker->index,
             (unsigned long long)session->number, address_format(&address, client),
             session->listener->frontend->conf->name, session->listener->bind->text, backend->name,
             session->server_index == BALANCE_NONE ? "-"
                                                   : backend->servers[session->server_index].name,
             connect, (double)(worker_now(session->worker) - session->accepted_at) / 1000,
             (unsigned long long)session->client.received,
             (unsigned long long)session->server.received, session->attempts, end_name(end));
}

static void close_ends(struct session *session, enum session_end end)
{
    bool reset_client = false, reset_server = false;
    switch (end) {
    case SESSION_DONE:
        break;
    case SESSION_CLIENT_RESET:
        reset_server = true;
        break;
    case SESSION_SERVER_RESET:
        /* A stream that was complete stays so: closing delivers it, and what the client still
         * sends meets the kernel's reset. */
        reset_client = !session->server.ended;
        break;
    case SESSION_REFUSED:
    case SESSION_CONNECT_TIMEOUT:
        reset_client = true;
        break;
    case SESSION_NO_RESOURCES:
        reset_client = reset_server = true;
        break;
    case SESSION_IDLE:
        reset_client = session->client.unsent != NULL;
        reset_server = session->server.unsent != NULL;
        break;
    case SESSION_DRAIN_TIMEOUT:
    case SESSION_STOPPED:
        /* A stream that was cut must not look complete, and only its sender knows where it is. */
        reset_client = !session->server.ended;
        reset_server = !session->client.ended;
        break;
    }
    end_close(&session->client, reset_client);
    end_close(&session->server, reset_server);
}

void session_close(struct session *session, enum session_end end)
{
    if (session->state == SESSION_CLOSED)
        return;
    struct worker *worker = session->worker;
    set_state(session, SESSION_CLOSED);
    wheel_cancel(&session->timer);
    close_ends(session, end);
    counter_add(&worker->counters.client_bytes, session->client.received);
    counter_add(&worker->counters.server_bytes, session->server.received);
    if (end == SESSION_REFUSED || end == SESSION_CONNECT_TIMEOUT)
        counter_add(&worker->counters.failed, 1);
    if (session->listener->frontend->conf->access_log)
        write_access_log(session, end);
    TAILQ_REMOVE(&worker->sessions, session, link);
    STAILQ_INSERT_TAIL(&worker->dead, session, dead);
    proxy_release_place(worker->proxy, session->listener->frontend);
}

void session_free(struct session *session)
{
    free(session->tried);
    free(session);
}

/* Moves what can be moved, beginning with what first gave us. */
static void move(struct session *session, struct end *first)
{
    struct worker *worker = session->worker;
    struct end *from = first;
    bool more = false;
    do {
        switch (relay(from, worker->scratch, WORKER_SCRATCH)) {
        case RELAY_OK:
            break;
        case RELAY_MORE:
            more = true;
            break;
        case RELAY_TO_FAILED:
            relay_last(from->peer, worker->scratch, WORKER_SCRATCH);
            session_close(session,
                          from == &session->client ? SESSION_SERVER_RESET : SESSION_CLIENT_RESET);
            return;
        case RELAY_FROM_FAILED:
            session_close(session,
                          from == &session->client ? SESSION_CLIENT_RESET : SESSION_SERVER_RESET);
            return;
        case RELAY_NO_MEMORY:
            session_close(session, SESSION_NO_RESOURCES);
            return;
        }
        from = from->peer;
    } while (from != first);

    if (end_pair_done(first)) {
        session_close(session, SESSION_DONE);
        return;
    }
    if (more && !session->queued) {
        session->queued = true;
        STAILQ_INSERT_TAIL(&worker->again, session, again);
    }
    if (first->doubtful || first->peer->doubtful)
        wheel_set(&worker->wheel, &session->timer,
                  (worker_now_ms(worker) / LOOK_AGAIN_MS + 2) * LOOK_AGAIN_MS);
}

void session_continue(struct session *session)
{
    session->queued = false;
    if (session->state != SESSION_ESTABLISHED)
        return;
    session->active_at = worker_now(session->worker);
    move(session, &session->client);
}

static void look_again(struct session *session)
{
    end_look_again(&session->client);
    end_look_again(&session->server);
    move(session, &session->client);
}

/* A reset that no read will find: of an end that has ended, or whose peer takes nothing. It shows
 * as readable and writable, and never as closed. */
static bool failed_unread(const struct end *end, short what)
{
    return (what & EV_READ) && (what & EV_WRITE) && !(what & EV_CLOSED) &&
           (end->ended || (end->readable && end->peer->unsent)) && socket_error(end->fd);
}

static void attempt_failed(struct session *session, int error)
{
    counter_add(&session->worker->counters.connect_errors, 1);
    session->attempts++;
    end_close(&session->server, false);
    if (socket_error(session->client.fd)) {
        session_close(session, SESSION_CLIENT_RESET);
        return;
    }
    if (session->attempts > backend_of(session)->retries) {
        session_close(session, error == ETIMEDOUT ? SESSION_CONNECT_TIMEOUT : SESSION_REFUSED);
        return;
    }
    uint32_t *tried = realloc(session->tried, (session->tried_count + 1) * sizeof *session->tried);
    if (!tried) {
        session_close(session, SESSION_NO_RESOURCES);
        return;
    }
    session->tried = tried;
    session->tried[session->tried_count++] = session->server_index;
    begin_connect(session);
}

static void on_connect_event(struct session *session, short what)
{
    /* Writable alone is success; a failure, but also an early word, is readable too. */
    if (what & EV_READ) {
        int error = socket_error(session->server.fd);
        if (error) {
            attempt_failed(session, error);
            return;
        }
    }
    if (!(what & EV_WRITE))
        return;
    session->connected_at = session->active_at = worker_now(session->worker);
    set_state(session, SESSION_ESTABLISHED);
    move(session, &session->client);
}

static void on_client_event(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    struct session *session = (struct session *)((char *)arg - offsetof(struct session, client));
    end_note(&session->client, what);
    if (session->state != SESSION_ESTABLISHED)
        return; /* it stays in the kernel until a server is there to take it */
    session->active_at = worker_now(session->worker);
    move(session, &session->client);
    if (session->state == SESSION_ESTABLISHED && failed_unread(&session->client, what))
        session_close(session, SESSION_CLIENT_RESET);
}

static void on_server_event(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    struct session *session = (struct session *)((char *)arg - offsetof(struct session, server));
    end_note(&session->server, what);
    if (session->state == SESSION_CONNECTING) {
        on_connect_event(session, what);
        return;
    }
    session->active_at = worker_now(session->worker);
    move(session, &session->server);
    if (session->state == SESSION_ESTABLISHED && failed_unread(&session->server, what))
        session_close(session, SESSION_SERVER_RESET);
}

static void wait_for(struct session *session, uint64_t milliseconds)
{
    session->deadline = worker_now_ms(session->worker) + milliseconds;
    set_state(session, SESSION_WAITING);
}

static bool is_shortage(int error)
{
    switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EADDRNOTAVAIL: /* no local port is free */
    case EAGAIN:        /* a Unix socket's backlog is full */
        return true;
    default:
        return false;
    }
}

/* The shortage is ours, not the server's: it costs no attempt, but it must end in time. */
static void wait_out(struct session *session)
{
    uint64_t now = worker_now_ms(session->worker);
    if (session->give_up_at == 0)
        session->give_up_at = now + backend_of(session)->connect_timeout;
    if (socket_error(session->client.fd))
        session_close(session, SESSION_CLIENT_RESET);
    else if (now >= session->give_up_at)
        session_close(session, SESSION_NO_RESOURCES);
    else
        wait_for(session, SHORTAGE_WAIT_MS);
}

static void begin_connect(struct session *session)
{
    uint32_t next = balancer_next(balancer_of(session), session->tried, session->tried_count);
    if (next == BALANCE_NONE) {
        session->tried_count = 0;
        wait_for(session, ROUND_WAIT_MS);
        return;
    }
    session->server_index = next;

    const struct address *address = &backend_of(session)->servers[next].address;
    int error;
    int fd = socket_connect(address, &error);
    if (fd < 0) {
        if (is_shortage(error))
            wait_out(session);
        else
            attempt_failed(session, error);
        return;
    }
    error = end_open(&session->server, session->worker->base, fd, address_is_unix(address),
                     on_server_event);
    if (error) {
        close(fd);
        wait_out(session);
        return;
    }
    session->give_up_at = 0;
    session->deadline = worker_now_ms(session->worker) + backend_of(session)->connect_timeout;
    set_state(session, SESSION_CONNECTING);
}

void session_open(struct listener *listener, int fd, const struct address *client)
{
    struct worker *worker = listener->worker;
    struct session *session = calloc(1, sizeof *session);
    if (!session) {
        socket_close_reset(fd);
        proxy_release_place(worker->proxy, listener->frontend);
        return;
    }
    session->worker = worker;
    session->listener = listener;
    session->number = ++worker->last_session;
    session->accepted_at = session->active_at = worker_now(worker);
    session->server_index = BALANCE_NONE;
    session->client.peer = &session->server;
    session->server.peer = &session->client;
    session->client.fd = session->server.fd = -1;
    session->peer.any.sa_family = client->any.sa_family;
    if (!address_is_unix(client))
        memcpy(&session->peer, &client->any, sizeof session->peer);
    wheel_entry_init(&session->timer);
    TAILQ_INSERT_TAIL(&worker->sessions, session, link);
    counter_add(&worker->counters.sessions, 1);

    if (end_open(&session->client, worker->base, fd, address_is_unix(client), on_client_event)) {
        socket_close_reset(fd);
        session_close(session, SESSION_NO_RESOURCES);
        return;
    }
    begin_connect(session);
}

void session_on_timer(struct wheel_entry *timer)
{
    struct session *session = (struct session *)((char *)timer - offsetof(struct session, timer));
    uint64_t now = worker_now_ms(session->worker);
    millis idle_timeout = session->listener->frontend->conf->idle_timeout;
    bool due = session->state == SESSION_ESTABLISHED
                   ? idle_timeout && now >= session->active_at / 1000 + idle_timeout
                   : now >= session->deadline;
    if (!due) {
        set_state(session, session->state);
        if (session->state == SESSION_ESTABLISHED)
            look_again(session);
    } else if (session->state == SESSION_CONNECTING) {
        attempt_failed(session, ETIMEDOUT);
    } else if (session->state == SESSION_WAITING) {
        begin_connect(session);
    } else {
        session_close(session, SESSION_IDLE);
    }
}
