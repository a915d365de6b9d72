/* Signals as events of the main loop (signalfd(2)): no handler, no global. */
#ifndef RPPROXY_RELOAD_BASE_SIGNALS_H
#define RPPROXY_RELOAD_BASE_SIGNALS_H

#include <event2/event.h>
#include <signal.h>

/* Blocks SIGUSR1, SIGUSR2, SIGHUP, SIGTERM, SIGINT and SIGCHLD, for this thread and those it makes,
 * ignores SIGPIPE and SIGXFSZ, and tells each of them to on_signal from the loop. NULL and errno on
 * failure. */
struct event *signals_watch(struct event_base *base, void (*on_signal)(int number, void *arg),
                            void *arg) __attribute__((warn_unused_result));

/* NULL is fine. The signals stay blocked. */
void signals_free(struct event *watch);

#endif
