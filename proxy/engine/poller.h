/* What a worker sleeps on: one epoll instance, and who is told of each descriptor's events.
 *
 * A worker's loop is its own, and not libevent's as the main thread's is, for one reason: closing a
 * descriptor takes it out of epoll, and libevent must all the same call epoll_ctl(2) to forget it,
 * twice for each session. */
#ifndef RPPROXY_PROXY_ENGINE_POLLER_H
#define RPPROXY_PROXY_ENGINE_POLLER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

/* Events taken from the kernel at a time. */
#define POLLER_BATCH 128

/* Descriptors of a poller. */
#define POLLER_DESCRIPTORS 2

/* Part of whoever owns the descriptor. */
struct watch {
    void (*on_ready)(struct watch *watch, uint32_t events); /* EPOLLIN and so on */
};

struct poller {
    int fd;
    int timer;        /* timerfd_create(2) */
    uint64_t wake_at; /* what it is set to: as poller_wake_at() takes it */
    unsigned turn;    /* counts them */
    int count, next;  /* of events: as many in this turn, and the first that is not told yet */
    pthread_mutex_t lock;
    bool shared; /* under the lock */
    struct epoll_event events[POLLER_BATCH];
};

/* Returns 0 or an errno value. */
int poller_open(struct poller *poller) __attribute__((warn_unused_result));
void poller_shut(struct poller *poller);

/* Tells watch of events on fd (epoll_ctl(2)'s flags) from now on. Returns 0 or an errno value. */
int poller_add(struct poller *poller, int fd, uint32_t events, struct watch *watch)
    __attribute__((warn_unused_result));

/* Other events from now on, of which those that are there already are told once more. The kernel
 * refuses this for EPOLLEXCLUSIVE. Returns 0 or an errno value. */
int poller_change(struct poller *poller, int fd, uint32_t events, struct watch *watch)
    __attribute__((warn_unused_result));

/* The watch is told nothing more, not even what the kernel had already said in this turn. The first
 * leaves fd open, the second closes it; fd must not be open by another number (dup(2)), in a
 * message under way or in another process, or it is to be removed first. */
void poller_remove(struct poller *poller, int fd, const struct watch *watch);
void poller_close(struct poller *poller, int fd, const struct watch *watch);

/* The watch is not told what the kernel had already said in this turn. */
void poller_forget(struct poller *poller, const struct watch *watch);

/* Any thread: while a program is launched, a child has every descriptor open for a moment, and
 * closing is not enough. True before, false after it. */
void poller_share(struct poller *poller, bool shared);

/* Of poller_wake_at(). */
void poller_set_timer(struct poller *poller, uint64_t milliseconds);

/* From now on poller_turn() waits no longer than until that time: milliseconds of CLOCK_MONOTONIC;
 * UINT64_MAX: there is no such time. The kernel compares with its own clock, so that it does not
 * matter how long ago the caller has looked at the time. A call with the same time again is free.
 */
static inline void poller_wake_at(struct poller *poller, uint64_t milliseconds)
{
    if (milliseconds != poller->wake_at)
        poller_set_timer(poller, milliseconds);
}

/* Waits for events, at most so many milliseconds (-1: for ever), and tells of them. */
void poller_turn(struct poller *poller, int timeout);

#endif
