#include "proxy/listen/listener.h"

#include "config/base/container_of.h"
#include "config/base/log.h"
#include "proxy/engine/socket.h"
#include "proxy/session/access_log.h"
#include "proxy/session/lifecycle.h"
#include "proxy/session/source_place.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An accept(2) that finds nothing costs as much as one that finds something, and so does a turn
 * that is made for one connection. So one is accepted a turn; of a listener that rings turn after
 * turn twice as many each time, up to this, until an accept finds nothing. */
#define ACCEPTS_MAX 16

/* Connections that fail in a row, before the listener rests. */
#define FAILURES_MAX 64
/* Rests of a listener whose frontend has max-rate: the shortest, and the longest. */
#define RATE_REST_MIN_MS 5u
#define RATE_REST_MAX_MS 100u
/* Its rests: the first, and the longest. */
#define REST_MIN_MS 100u
#define REST_MAX_MS 10000u

/* A client in the backlog that found no place. */
struct queued_client {
    struct waiter waiter;
    struct listener *listener;
    TAILQ_ENTRY(queued_client) link;
};

static void leave(struct listener *listener);

static int accepts_now(struct listener *listener)
{
    unsigned turn = listener->group->sessions->loop.engine.turn;
    if (listener->socket.shared || turn != listener->rang_in + 1)
        listener->accepts = 0;
    listener->rang_in = turn;
    if (listener->accepts == 0)
        listener->accepts = 1;
    else if (listener->accepts < ACCEPTS_MAX)
        listener->accepts *= 2;
    return listener->accepts;
}

static void stop_waiting(struct listener *listener)
{
    struct queued_client *client;
    while ((client = TAILQ_LAST(&listener->queued, queued_clients))) {
        place_cancel(&client->waiter);
        TAILQ_REMOVE(&listener->queued, client, link);
        free(client);
    }
    listener->queued_count = 0;
}

void listener_free(struct listener *listener)
{
    listener_pause(listener);
    TAILQ_REMOVE(&listener->group->listeners, listener, link);
    free(listener);
}

void listener_pause(struct listener *listener)
{
    stop_waiting(listener);
    engine_ignore(&listener->group->sessions->loop.engine, &listener->socket);
    listener->watching = WATCHING_NOTHING;
}

/* What is in the backlog already is told at once, either way. */
static bool watch(struct listener *listener, enum watching watching)
{
    struct engine *engine = &listener->group->sessions->loop.engine;
    int error = engine_listen(engine, &listener->socket, watching == WATCHING_ARRIVALS);
    if (error) {
        listener->watching = WATCHING_NOTHING;
        listener->group->on_shortage(listener->group, error);
        return false;
    }
    listener->watching = watching;
    return true;
}

bool listener_is_held(const struct listener *listener)
{
    return listener->held && atomic_load(listener->held);
}

static bool is_paused(const struct listener *listener)
{
    return atomic_load(&listener->frontend->paused_at) > 0;
}

void listener_resume(struct listener *listener)
{
    if (listener_is_held(listener)) {
        leave(listener);
        return;
    }
    listener->left = false;
    if (is_paused(listener) && !listener->group->beyond_limits)
        return;
    if (listener->rate_rest && listener->group->beyond_limits)
        listener->rests_until = 0;
    if (listener->rests_until > loop_now_ms(&listener->group->sessions->loop)) {
        listener->group->on_rest(listener->group, listener->rests_until);
        return;
    }
    listener->rests_until = 0;
    listener->rate_rest = false;
    if (listener->watching == WATCHING_NOTHING)
        (void)watch(listener, WATCHING_QUEUE);
}

/* The listener rests: accepting fails because of the socket, not because of a connection. */
static void rest(struct listener *listener, int error)
{
    listener_pause(listener);
    if (listener->rest_ms == 0)
        log_error("%s: accept: %s; tried again from time to time", listener->bind->text,
                  strerror(error));
    listener->rest_ms = listener->rest_ms ? 2 * listener->rest_ms : REST_MIN_MS;
    if (listener->rest_ms > REST_MAX_MS)
        listener->rest_ms = REST_MAX_MS;
    listener->rests_until = loop_now_ms(&listener->group->sessions->loop) + listener->rest_ms;
    listener->group->on_rest(listener->group, listener->rests_until);
}

/* True: the next connection may do better. */
static bool goes_on_after(struct listener *listener, int error)
{
    switch (error) {
    case EAGAIN:
        return false;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        listener->group->on_shortage(listener->group, error);
        return false;
    case EINVAL:
        listener_pause(listener);
        log_error("%s: another process has shut the socket down: no client is accepted any more",
                  listener->bind->text);
        return false;
    /* accept(2): errors of the new connection itself. */
    case ECONNABORTED:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case EINTR:
    case ENETDOWN:
    case ENETUNREACH:
    case ENONET:
    case ENOPROTOOPT:
    case EPROTO:
    case ETIMEDOUT:
        if (++listener->failures < FAILURES_MAX)
            return true;
        break;
    default:
        break;
    }
    rest(listener, error);
    return false;
}

/* *accepted: whether a client was accepted. */
static inline __attribute__((always_inline)) bool accept_with_place(struct listener *listener,
                                                                    bool *accepted)
{
    struct listener_group *group = listener->group;
    struct address client;
    int fd = engine_accept(listener->socket.fd, &client);
    *accepted = fd >= 0;
    if (fd >= 0) {
        listener->failures = listener->rest_ms = 0;
        session_open(group->sessions, listener->frontend, listener->bind, fd, &client);
        return true;
    }
    service_release_place(group->sessions->service, listener->frontend);
    return goes_on_after(listener, -fd);
}

static bool closes_over_limit(const struct listener *listener)
{
    return listener->frontend->conf->over_limit == OVER_LIMIT_CLOSE;
}

/* Accepts a client that is beyond a limit, and closes it. True: the next may be tried. */
static bool refuse_one(struct listener *listener)
{
    struct address client;
    int fd = engine_accept(listener->socket.fd, &client);
    if (fd < 0)
        return goes_on_after(listener, -fd);
    listener->failures = listener->rest_ms = 0;
    socket_close_reset(fd);
    stats_count_refusal(listener->frontend->record, REFUSED_OVERLIMIT);
    access_log_refused(listener->group->sessions, listener->frontend, listener->bind, &client,
                       SESSION_OVER_LIMIT);
    return true;
}

/* The rate has one to give at ready_at (nanoseconds). Where it gives many a millisecond, several
 * are accepted at once; where it gives few, another worker may have given one back earlier. */
static void rest_for_rate(struct listener *listener, uint64_t ready_at)
{
    uint64_t now = loop_now_ms(&listener->group->sessions->loop);
    uint64_t until = ready_at / 1000000 + 1;
    if (until < now + RATE_REST_MIN_MS)
        until = now + RATE_REST_MIN_MS;
    if (until > now + RATE_REST_MAX_MS)
        until = now + RATE_REST_MAX_MS;
    listener_pause(listener);
    listener->rests_until = until;
    listener->rate_rest = true;
    listener->group->on_rest(listener->group, until);
}

/* Accepts a client, in a frontend with max-rate; a place is taken for the client. */
static __attribute__((noinline)) bool accept_at_rate(struct listener *listener)
{
    struct session_set *sessions = listener->group->sessions;
    struct frontend *frontend = listener->frontend;
    uint64_t taken;
    if (!frontend_rate_take(sessions->service, frontend, loop_now(&sessions->loop) * 1000,
                            &taken)) {
        service_release_place(sessions->service, frontend);
        if (closes_over_limit(listener))
            return refuse_one(listener);
        rest_for_rate(listener, taken);
        return false;
    }
    sessions->refused = false;
    bool accepted;
    bool more = accept_with_place(listener, &accepted);
    if (sessions->refused || !accepted)
        frontend_rate_give_back(sessions->service, frontend,
                                loop_read_clock(&sessions->loop) * 1000, taken);
    return more;
}

/* A place is taken for it. True: the next may be accepted as well. */
static bool accept_one(struct listener *listener)
{
    if (listener->frontend->conf->max_rate.count > 0 && !listener->group->beyond_limits &&
        !listener->left)
        return accept_at_rate(listener);
    bool accepted;
    return accept_with_place(listener, &accepted);
}

/* Another process accepts from the socket now. The kernel does not tell it of clients that it has
 * told this one of, so these are accepted here. At a full limit nobody waits: a place that comes
 * free is for the other process's clients. */
static void leave(struct listener *listener)
{
    listener_pause(listener);
    if (listener->left)
        return;
    listener->left = true;
    if (is_paused(listener))
        return; /* no client was reported while nothing watched */
    while (place_take(&listener->frontend->places) && accept_one(listener))
        ;
}

/* When no client waits any more, the kernel is to report all that are in the backlog. */
static void watch_queue_again(struct listener *listener)
{
    if (listener->queued_count == 0 && listener->watching == WATCHING_ARRIVALS)
        (void)watch(listener, WATCHING_QUEUE);
}

static void on_granted(struct waiter *waiter)
{
    struct queued_client *client = container_of(waiter, struct queued_client, waiter);
    struct listener *listener = client->listener;
    TAILQ_REMOVE(&listener->queued, client, link);
    listener->queued_count--;
    free(client);
    (void)accept_one(listener);
    watch_queue_again(listener);
}

/* How many clients have come that were not seen yet. Where a backlog is shared, or its length is
 * not told (Unix), the kernel's word that somebody has come counts for one. */
static unsigned unseen_clients(const struct listener *listener)
{
    int waiting = listener->socket.shared ? -1 : socket_accept_queue(listener->socket.fd);
    if (waiting < 0)
        return 1;
    return (unsigned)waiting > listener->queued_count ? (unsigned)waiting - listener->queued_count
                                                      : 0;
}

/* Clients that have come wait for places, or are accepted if there is one already. */
static void count_wait(const struct listener *listener)
{
    const struct session_set *set = listener->group->sessions;
    counter_add(session_set_counter(set, set->frontends_at + listener->frontend->tally +
                                             COUNTER_OF(frontend_figures, waits)),
                1);
}

static void queue_unseen_clients(struct listener *listener)
{
    struct listener_group *group = listener->group;
    int accepts = 0;
    for (unsigned count = unseen_clients(listener); count > 0 && accepts < ACCEPTS_MAX; count--) {
        struct queued_client *client = calloc(1, sizeof *client);
        if (!client && listener->queued_count == 0)
            group->on_shortage(group, ENOMEM);
        if (!client)
            break; /* seen later, when no client waits here any more */
        client->listener = listener;
        client->waiter.on_granted = on_granted;
        if (!place_wait(&client->waiter, &listener->frontend->places, &group->grants)) {
            TAILQ_INSERT_TAIL(&listener->queued, client, link);
            listener->queued_count++;
            count_wait(listener);
            continue;
        }
        free(client);
        accepts++;
        if (!accept_one(listener))
            break;
    }
    watch_queue_again(listener);
}

void listener_look(struct listener *listener)
{
    if (listener->watching != WATCHING_ARRIVALS || listener_is_held(listener) ||
        is_paused(listener)) {
        listener_pause(listener);
        listener_resume(listener);
    } else if (!listener->socket.shared) {
        queue_unseen_clients(listener);
    }
}

static bool take_place(struct listener *listener)
{
    if (!listener->group->beyond_limits)
        return place_take(&listener->frontend->places);
    place_force(&listener->frontend->places);
    return true;
}

bool listener_accept(struct listener *listener, int most)
{
    for (int i = 0; i < most; i++) {
        if (!take_place(listener)) {
            if (closes_over_limit(listener) && refuse_one(listener))
                continue;
            if (closes_over_limit(listener))
                return false;
            /* Of a shared socket the kernel tells once more now. */
            if (watch(listener, WATCHING_ARRIVALS) && !listener->socket.shared)
                queue_unseen_clients(listener);
            return false;
        }
        if (!accept_one(listener))
            return false;
    }
    return true;
}

static void on_readable(struct watch *watch, uint32_t what)
{
    (void)what;
    struct listener *listener = container_of(watch, struct listener, socket.watch);
    if (listener->watching == WATCHING_ARRIVALS)
        queue_unseen_clients(listener);
    else if (!listener_accept(listener, accepts_now(listener)))
        listener->accepts = 0;
}

int listener_add(struct listener_group *group, int fd, bool shared, const atomic_bool *held,
                 struct frontend *frontend, const struct bind_conf *bind)
{
    struct listener *listener = calloc(1, sizeof *listener);
    if (!listener)
        return ENOMEM;
    listener->group = group;
    listener->frontend = frontend;
    listener->bind = bind;
    listener->socket.fd = fd;
    listener->socket.shared = shared;
    listener->held = held;
    listener->left = listener_is_held(listener);
    listener->socket.watch.on_ready = on_readable;
    TAILQ_INIT(&listener->queued);
    TAILQ_INSERT_TAIL(&group->listeners, listener, link);
    return 0;
}
