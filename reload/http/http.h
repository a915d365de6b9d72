/* What the proxy says about itself by HTTP, at the addresses of the option metrics:
 *
 *   /healthz   200 while the process turns: its main thread and all workers answer
 *   /ready     200 while it serves, and each backend that must has a usable server; else 503, and
 *              why
 *   /metrics   the figures, for Prometheus
 *   /          the status page; /events and /change are for the page
 *
 * A new process has its sockets before it says that it is ready, and accepts from the moment on at
 * which it serves (metrics_sockets.h has the rest). The old process accepts no more then, and
 * passes on what is still asked on its connections (forward.h). Where there is no option metrics
 * nothing of this exists. Main thread. */
#ifndef RPPROXY_RELOAD_HTTP_HTTP_H
#define RPPROXY_RELOAD_HTTP_HTTP_H

#include <stdbool.h>
#include <sys/types.h>

struct control_events;
struct generation;
struct http;

/* generation and events outlive it. NULL: out of memory. */
struct http *http_new(struct generation *generation, const struct control_events *events)
    __attribute__((warn_unused_result));

/* Opens the sockets, and starts the thread. False: it has been reported, and the generation's
 * exit_status is set. */
bool http_prepare(struct http *http) __attribute__((warn_unused_result));

/* This process serves: its addresses are answered here. successor: a process that had taken them
 * from this one, and is gone or about to be; or 0. */
void http_serve(struct http *http, pid_t successor);

/* The old process does not come back. */
void http_settle(struct http *http);

/* The new process serves. */
void http_retire(struct http *http);

/* The process of that pid is gone: removes what it left. */
void http_sweep(const struct http *http, pid_t pid);

/* There is no way back: the sockets of this process close. */
void http_forget(struct http *http);

/* Answers that are under way get a moment, in which this function blocks. To be called before
 * anything is freed that answers contain. */
void http_close(struct http *http);

/* NULL is fine. */
void http_free(struct http *http);

#endif
