/* A listener: one worker's watch over one listening socket.
 *
 * The socket belongs to whoever gave it (the room above opens, orders and closes listening
 * sockets, because the order in which they close matters); a listener only accepts from it.
 *
 * A socket that workers share wakes one of them for each connection (EPOLLEXCLUSIVE): one that
 * sleeps; of those that are busy each will see it too, should it be there still. The one woken must
 * accept, or see to it that somebody will, since nobody else is told:
 *   - without a place in a limit, it is among those woken when one comes free, and looks again
 *     then; the limits are common to all, so nobody else had a place for the connection either;
 *   - out of descriptors or memory, it looks again when its rest is over;
 *   - told to stop accepting, it empties the backlog a last time; for what comes when it is awake
 *     already the kernel looks for another who sleeps.
 * To watch is to look: epoll_ctl(2) reports at once what waits already. So whoever shared a socket
 * with a process that has gone, and took wake-ups along, begins to watch anew. */
#ifndef RPPROXY_PROXY_LISTEN_LISTENER_H
#define RPPROXY_PROXY_LISTEN_LISTENER_H

#include "config/model/config.h"
#include "proxy/worker.h"

struct frontend;

struct listener {
    struct watch watch;
    struct worker *worker;
    struct frontend *frontend;
    const struct bind_conf *bind;
    struct limit *waiting_for; /* is full, and wakes the worker; NULL: none */
    int fd;
    bool shared;      /* other workers, of this process or another, watch the same socket */
    bool watched;     /* the poller tells us */
    unsigned rang_in; /* the last turn of the poller in which it had connections */
    int accepts;      /* as many were allowed then; 0: and it had fewer */
    TAILQ_ENTRY(listener) link;
};

/* Adds a listener to a worker whose thread has not started yet. Returns 0 or an errno value. */
int listener_add(struct worker *worker, int fd, bool shared, struct frontend *frontend,
                 const struct bind_conf *bind) __attribute__((warn_unused_result));
void listener_free(struct listener *listener);

/* Begins or ceases to watch, in accordance with worker->listening. */
void listener_resume(struct listener *listener);
void listener_pause(struct listener *listener);

/* Accepts until the backlog is empty or a limit or shortage is met, but no more than most. True:
 * so many were accepted, and there may be more. */
bool listener_accept(struct listener *listener, int most);

#endif
