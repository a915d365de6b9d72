/* Signals as events of the main loop (signalfd(2)): no handler, no global. */
#ifndef RPPROXY_RELOAD_BASE_SIGNALS_H
#define RPPROXY_RELOAD_BASE_SIGNALS_H

#include "reload/base/requester.h"

#include <event2/event.h>
#include <signal.h>

/* SIGUSR1, SIGUSR2, SIGHUP, SIGTERM and SIGINT: the signals by which users give orders. A process
 * launches the new process with these blocked. execve(2) keeps the mask and the pending signals, so
 * none of them kills the new process before that handles signals, and none is lost. */
void signals_orders(sigset_t *set);

/* To be called first: afterwards it makes no difference what the parent process ignored or blocked.
 * Signals that were ignored get their default disposition; SIGPIPE and SIGXFSZ are ignored; the
 * orders and SIGCHLD are blocked, for this thread and the threads it makes, and no other signal is.
 * Pending signals stay pending. */
void signals_begin(void);

/* Drops pending SIGHUP and SIGUSR2: the process is about to read the configuration, which is what
 * these signals ask for. */
void signals_drop_reloads(void);

/* from: the signal and its sender. */
typedef void signal_handler(const struct requester *from, void *arg);

/* After signals_begin(): on_signal is called from the loop for each order and each SIGCHLD. Returns
 * NULL on failure. */
struct event *signals_watch(struct event_base *base, signal_handler *on_signal, void *arg)
    __attribute__((warn_unused_result));

/* NULL is fine. The signals stay blocked. */
void signals_free(struct event *watch);

#endif
