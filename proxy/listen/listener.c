#include "proxy/listen/listener.h"

#include "config/base/container_of.h"
#include "config/base/log.h"
#include "proxy/proxy.h"
#include "proxy/session/session.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

/* An accept(2) that finds nothing costs as much as one that finds something, and so does a turn
 * that is made for one connection. So one is accepted a turn; of a listener that rings turn after
 * turn twice as many each time, up to this, until an accept finds nothing. */
#define ACCEPTS_MAX 16

static int accepts_now(struct listener *listener)
{
    unsigned turn = listener->worker->poller.turn;
    if (listener->shared || turn != listener->rang_in + 1)
        listener->accepts = 0;
    listener->rang_in = turn;
    if (listener->accepts == 0)
        listener->accepts = 1;
    else if (listener->accepts < ACCEPTS_MAX)
        listener->accepts *= 2;
    return listener->accepts;
}

static void on_readable(struct watch *watch, uint32_t events)
{
    (void)events;
    struct listener *listener = container_of(watch, struct listener, watch);
    /* Level-triggered: what is left rings again. */
    if (!listener_accept(listener, accepts_now(listener)))
        listener->accepts = 0;
}

int listener_add(struct worker *worker, int fd, bool shared, struct frontend *frontend,
                 const struct bind_conf *bind)
{
    struct listener *listener = calloc(1, sizeof *listener);
    if (!listener)
        return ENOMEM;
    listener->worker = worker;
    listener->frontend = frontend;
    listener->bind = bind;
    listener->fd = fd;
    listener->shared = shared;
    listener->watch.on_ready = on_readable;
    TAILQ_INSERT_TAIL(&worker->listeners, listener, link);
    return 0;
}

static void stop_waiting(struct listener *listener)
{
    if (listener->waiting_for)
        limit_wait_over(listener->waiting_for);
    listener->waiting_for = NULL;
}

void listener_free(struct listener *listener)
{
    listener_pause(listener);
    TAILQ_REMOVE(&listener->worker->listeners, listener, link);
    free(listener);
}

void listener_pause(struct listener *listener)
{
    stop_waiting(listener);
    if (listener->watched)
        poller_remove(&listener->worker->poller, listener->fd, &listener->watch);
    listener->watched = false;
}

void listener_resume(struct listener *listener)
{
    stop_waiting(listener);
    if (listener->watched)
        return;
    int error = poller_add(&listener->worker->poller, listener->fd,
                           listener->shared ? EPOLLIN | EPOLLEXCLUSIVE : EPOLLIN, &listener->watch);
    if (error) {
        worker_starve(listener->worker, error);
        return;
    }
    listener->watched = true;
}

static bool take(struct listener *listener, struct limit *limit)
{
    if (listener->worker->listening == LISTENING_RETIRED ||
        listener->worker->listening == LISTENING_OVER) {
        limit_force(limit);
        return true;
    }
    if (limit_take(limit))
        return true;
    listener_pause(listener);
    listener->waiting_for = limit;
    limit_wait(limit);
    if (!limit_take(limit))
        return false;
    listener_resume(listener);
    return true;
}

/* A place in both limits, or none in either. */
static bool take_place(struct listener *listener)
{
    struct proxy *proxy = listener->worker->proxy;
    if (!take(listener, proxy->sessions))
        return false;
    if (take(listener, listener->frontend->sessions))
        return true;
    if (limit_release(proxy->sessions))
        proxy_wake(proxy);
    return false;
}

bool listener_accept(struct listener *listener, int most)
{
    for (int i = 0; i < most; i++) {
        if (!take_place(listener))
            return false;
        struct address client = {.length = sizeof client - offsetof(struct address, any)};
        int fd = accept4(listener->fd, &client.any, &client.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            session_open(listener->worker, listener->frontend, listener->bind, fd, &client);
            continue;
        }
        int error = errno;
        proxy_release_place(listener->worker->proxy, listener->frontend);
        switch (error) {
        case EAGAIN:
            return false;
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
            worker_starve(listener->worker, error);
            return false;
        case EINVAL:
            listener_pause(listener);
            log_error("%s: another process has shut the socket down: nobody is accepted any more",
                      listener->bind->text);
            return false;
        default: /* accept(2): errors of the new connection itself; the next may be well */
            break;
        }
    }
    return true;
}
