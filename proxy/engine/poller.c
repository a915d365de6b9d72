#include "proxy/engine/poller.h"

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

int poller_open(struct poller *poller)
{
    poller->fd = epoll_create1(EPOLL_CLOEXEC);
    if (poller->fd < 0)
        return errno;
    poller->count = poller->next = 0;
    poller->turn = 0;
    poller->shared = false;
    pthread_mutex_init(&poller->lock, NULL);
    return 0;
}

void poller_shut(struct poller *poller)
{
    close(poller->fd);
    pthread_mutex_destroy(&poller->lock);
}

int poller_add(struct poller *poller, int fd, uint32_t events, struct watch *watch)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    return epoll_ctl(poller->fd, EPOLL_CTL_ADD, fd, &event) ? errno : 0;
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
