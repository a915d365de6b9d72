/* Signals as events of the main loop (signalfd(2)): no handler, no global. */
#ifndef RPPROXY_RELOAD_BASE_SIGNALS_H
#define RPPROXY_RELOAD_BASE_SIGNALS_H

#include <event2/event.h>
#include <signal.h>

/* SIGUSR1, SIGUSR2, SIGHUP, SIGTERM and SIGINT: what is sent to us by somebody who knows us. A
 * process launches its successor with these blocked: execve(2) keeps the mask and what is pending,
 * so none of them kills the successor before it listens to them, and none is lost. */
void signals_orders(sigset_t *set);

/* To be called first: nothing that the parent process ignored or blocked matters from here on. What
 * was ignored has its default disposition; SIGPIPE and SIGXFSZ are ignored; the orders and SIGCHLD
 * are blocked, for this thread and those it makes, and nothing else is. What is pending stays so.
 */
void signals_begin(void);

/* Drops SIGHUP and SIGUSR2 that are pending: the configuration is about to be read, and that is
 * what they ask for. */
void signals_drop_reloads(void);

/* Tells each of the orders, and SIGCHLD, to on_signal from the loop; after signals_begin(). NULL
 * and errno on failure. */
struct event *signals_watch(struct event_base *base, void (*on_signal)(int number, void *arg),
                            void *arg) __attribute__((warn_unused_result));

/* NULL is fine. The signals stay blocked. */
void signals_free(struct event *watch);

#endif
