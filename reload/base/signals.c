#include "reload/base/signals.h"

#include <stdlib.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

struct watch {
    signal_handler *on_signal;
    void *arg;
};

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    const struct watch *watch = arg;
    struct signalfd_siginfo info;
    while (read(fd, &info, sizeof info) == sizeof info) {
        const struct requester from = {.signal = (int)info.ssi_signo,
                                       .pid = info.ssi_code > 0 ? 0 : (pid_t)info.ssi_pid,
                                       .uid = info.ssi_uid};
        watch->on_signal(&from, watch->arg);
    }
}

void signals_orders(sigset_t *set)
{
    static const int orders[] = {SIGUSR1, SIGUSR2, SIGHUP, SIGTERM, SIGINT};
    sigemptyset(set);
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
        sigaddset(set, orders[i]);
}

static void watched(sigset_t *set)
{
    signals_orders(set);
    sigaddset(set, SIGCHLD);
}

void signals_begin(void)
{
    sigset_t set;
    watched(&set);
    /* Blocked before their disposition changes: none gets through in between. */
    (void)sigprocmask(SIG_SETMASK, &set, NULL);
    struct sigaction action;
    for (int number = 1; number <= SIGRTMAX; number++)
        if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
            (void)signal(number, SIG_DFL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
}

void signals_drop_reloads(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR2);
    while (sigtimedwait(&set, NULL, &(struct timespec){0}) > 0)
        ;
}

struct event *signals_watch(struct event_base *base, signal_handler *on_signal, void *arg)
{
    sigset_t set;
    watched(&set);
    struct watch *watch = calloc(1, sizeof *watch);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (watch && fd >= 0) {
        *watch = (struct watch){.on_signal = on_signal, .arg = arg};
        struct event *event = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, watch);
        if (event && event_add(event, NULL) == 0)
            return event;
        if (event)
            event_free(event);
    }
    if (fd >= 0)
        close(fd);
    free(watch);
    return NULL;
}

void signals_free(struct event *watch)
{
    if (!watch)
        return;
    int fd = event_get_fd(watch);
    void *context = event_get_callback_arg(watch);
    event_free(watch);
    close(fd);
    free(context);
}
