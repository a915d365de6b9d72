/* A listener: one worker's watch over one listening socket.
 *
 * The socket belongs to whoever gave it (the room above opens, orders and closes listening
 * sockets, because the order in which they close matters); a listener only accepts from it. */
#ifndef RPPROXY_PROXY_LISTENER_H
#define RPPROXY_PROXY_LISTENER_H

#include "config/config.h"
#include "proxy/worker.h"

struct frontend;

struct listener {
    struct watch watch;
    struct worker *worker;
    struct frontend *frontend;
    const struct bind_conf *bind;
    struct limit *waiting_for; /* is full, and wakes the worker; NULL: none */
    int fd;
    bool watched; /* the poller tells us */
    TAILQ_ENTRY(listener) link;
};

/* Adds a listener to a worker whose thread has not started yet. Returns 0 or an errno value. */
int listener_add(struct worker *worker, int fd, struct frontend *frontend,
                 const struct bind_conf *bind) __attribute__((warn_unused_result));
void listener_free(struct listener *listener);

/* Begins or ceases to watch, in accordance with worker->listening. */
void listener_resume(struct listener *listener);
void listener_pause(struct listener *listener);

/* Accepts until the backlog is empty or a limit or shortage is met, but no more than most. True:
 * so many were accepted, and there may be more. */
bool listener_accept(struct listener *listener, int most);

#endif
