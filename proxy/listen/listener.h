/* A listener: one worker's watch over one listening socket.
 *
 * The listener only accepts from the socket. The room above opens and closes listening sockets,
 * because the order in which they close matters.
 *
 * Clients at a full limit stay in the kernel's backlog, and each of them has a waiter in the queue
 * of the limit (core/places.h), which begins to wait when the worker sees the client come. When a
 * place is handed to a waiter, the listener accepts one client: the oldest of its backlog. While
 * clients wait the engine reports each arrival to the listener once, and asks the kernel how long
 * the backlog is. While no client waits the engine reports the listener in each turn in which it
 * has something to accept. So the order of service at a full limit is:
 *   - at one listening socket, the order in which the kernel has queued the connections;
 *   - at several (each worker has a listening socket of its own for each bind), the order in which
 *     the workers have seen the clients. A worker sees a client as soon as the worker wakes, or has
 *     finished its turn: only clients that come closer together than that may change places. An
 *     exception: where listeners had to rest (out of descriptors or memory), or a reload was taken
 *     back, the clients are seen, and queued, anew.
 *
 * A socket that workers share wakes one of them for each connection, one that sleeps; a busy worker
 * sees the connection as well, if it is still there then. The worker that was woken must accept, or
 * make sure that somebody does, because nobody else is told:
 *   - without a place in a limit, there is a waiter in the queue, one for each time the worker was
 *     woken. If another worker has accepted the client meanwhile, the waiter's place goes to the
 *     next in line;
 *   - out of descriptors or memory, the listener looks again when its rest is over;
 *   - told to stop accepting, it empties the backlog a last time; for a connection that comes while
 *     this worker is awake the kernel looks for another worker that sleeps.
 * The engine reports at once what waits already when a listener begins to watch. So a process that
 * shared a socket with another one, which has ended and may have taken wake-ups along, begins to
 * watch anew.
 *
 * A frontend that is paused by command has listeners that do not watch: clients wait in the
 * backlogs, whether they find a place or not. When it is resumed, or its sockets are about to
 * close, the listeners begin to watch, and hear of the clients that wait.
 *
 * A frontend with max-rate lets its listeners rest while the rate has none to give (they look for
 * clients again every RATE_REST_MIN_MS at most), or closes what comes meanwhile (over-limit).
 *
 * An accept(2) that fails for a reason which does not go away by trying again lets the listener
 * rest, each time longer; that is logged once, until accepting works again. */
#ifndef RPPROXY_PROXY_LISTEN_LISTENER_H
#define RPPROXY_PROXY_LISTEN_LISTENER_H

#include "config/model/config.h"
#include "proxy/core/places.h"
#include "proxy/session/session_set.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct frontend;
struct queued_client;

TAILQ_HEAD(queued_clients, queued_client);

enum watching {
    WATCHING_NOTHING,
    WATCHING_QUEUE,    /* told as long as there is something to accept */
    WATCHING_ARRIVALS, /* told once of what comes */
};

struct listener;
TAILQ_HEAD(listener_list, listener);

/* All listeners of a worker, and what they share (acceptor.h embeds it). The callbacks tell that
 * listeners have to rest; listener_pause() may be called from on_shortage. */
struct listener_group {
    struct listener_list listeners;
    struct session_set *sessions; /* what is accepted becomes one of them */
    struct grants grants;         /* places that were handed to clients that wait here */
    bool beyond_limits;           /* accept at a full limit, too */
    /* Descriptors or memory are short: all listeners are to rest, and to be resumed soon. */
    void (*on_shortage)(struct listener_group *group, int error);
    /* A listener rests by itself: it is to be resumed at that time (milliseconds), or sooner. */
    void (*on_rest)(struct listener_group *group, uint64_t until);
};

struct listener {
    struct accept_watch socket;
    struct listener_group *group;
    struct frontend *frontend;
    const struct bind_conf *bind;
    const atomic_bool *held; /* set by the main thread: another process accepts; NULL: never */
    bool left;               /* it was found set, and what had come before has been accepted */
    enum watching watching;
    struct queued_clients queued; /* in the order in which they were seen */
    unsigned queued_count;
    unsigned rang_in;     /* the last turn of the engine in which it had connections */
    int accepts;          /* as many were allowed then; 0: and it had fewer */
    unsigned failures;    /* of accept(2) since it last worked */
    unsigned rest_ms;     /* the last rest of this listener alone; 0: none since accepting worked */
    uint64_t rests_until; /* milliseconds; 0: does not rest */
    bool rate_rest;       /* until max-rate has one to give */
    TAILQ_ENTRY(listener) link;
};

/* Adds a listener to a worker whose thread has not started yet. Returns 0 or an errno value. */
int listener_add(struct listener_group *group, int fd, bool shared, const atomic_bool *held,
                 struct frontend *frontend, const struct bind_conf *bind)
    __attribute__((warn_unused_result));
void listener_free(struct listener *listener);

/* Another process accepts from the socket: the main thread has set *held. */
bool listener_is_held(const struct listener *listener);

/* Begins to watch, unless it rests, is held, or its frontend is paused; ceases to watch, and nobody
 * waits here for a place any more. */
void listener_resume(struct listener *listener);
void listener_pause(struct listener *listener);

/* Looks for clients of which the kernel may not have told. Clients that wait keep their turn. */
void listener_look(struct listener *listener);

/* Accepts until the backlog is empty or a limit or shortage is met, but no more than most. True:
 * so many were accepted, and there may be more. */
bool listener_accept(struct listener *listener, int most);

#endif
