#include "proxy/engine/poller.h"

#include <errno.h>
#include <stddef.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* Nobody is told of its event, which only ends the wait. */
static int open_timer(struct poller *poller)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    poller->wake_at = UINT64_MAX;
    poller->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (poller->timer < 0)
        return errno;
    if (epoll_ctl(poller->fd, EPOLL_CTL_ADD, poller->timer, &event) == 0)
        return 0;
    int error = errno;
    close(poller->timer);
    return error;
}

int poller_open(struct poller *poller)
{
    poller->fd = epoll_create1(EPOLL_CLOEXEC);
    if (poller->fd < 0)
        return errno;
    int error = open_timer(poller);
    if (error) {
        close(poller->fd);
        return error;
    }
    poller->count = poller->next = 0;
    poller->turn = 0;
    poller->shared = false;
    pthread_mutex_init(&poller->lock, NULL);
    return 0;
}

void poller_shut(struct poller *poller)
{
    close(poller->timer);
    close(poller->fd);
    pthread_mutex_destroy(&poller->lock);
}

int poller_add(struct poller *poller, int fd, uint32_t events, struct watch *watch)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    return epoll_ctl(poller->fd, EPOLL_CTL_ADD, fd, &event) ? errno : 0;
}

int poller_change(struct poller *poller, int fd, uint32_t events, struct watch *watch)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    return epoll_ctl(poller->fd, EPOLL_CTL_MOD, fd, &event) ? errno : 0;
}

void poller_forget(struct poller *poller, const struct watch *watch)
{
    for (int i = poller->next; i < poller->count; i++)
        if (poller->events[i].data.ptr == watch)
            poller->events[i].data.ptr = NULL;
}

void poller_remove(struct poller *poller, int fd, const struct watch *watch)
{
    (void)epoll_ctl(poller->fd, EPOLL_CTL_DEL, fd, NULL);
    poller_forget(poller, watch);
}

void poller_close(struct poller *poller, int fd, const struct watch *watch)
{
    pthread_mutex_lock(&poller->lock);
    if (poller->shared)
        (void)epoll_ctl(poller->fd, EPOLL_CTL_DEL, fd, NULL);
    close(fd);
    pthread_mutex_unlock(&poller->lock);
    poller_forget(poller, watch);
}

void poller_share(struct poller *poller, bool shared)
{
    pthread_mutex_lock(&poller->lock);
    poller->shared = shared;
    pthread_mutex_unlock(&poller->lock);
}

void poller_set_timer(struct poller *poller, uint64_t milliseconds)
{
    poller->wake_at = milliseconds;
    struct itimerspec at = {0}; /* none */
    if (milliseconds != UINT64_MAX) {
        at.it_value.tv_sec = (time_t)(milliseconds / 1000);
        at.it_value.tv_nsec = (long)(milliseconds % 1000 * 1000000);
    }
    (void)timerfd_settime(poller->timer, TFD_TIMER_ABSTIME, &at, NULL);
}

void poller_turn(struct poller *poller, int timeout)
{
    poller->turn++;
    poller->count = epoll_wait(poller->fd, poller->events, POLLER_BATCH, timeout);
    for (poller->next = 0; poller->next < poller->count;) {
        const struct epoll_event *event = &poller->events[poller->next++];
        struct watch *watch = event->data.ptr;
        if (watch)
            watch->on_ready(watch, event->events);
    }
}
