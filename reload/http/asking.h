/* Questions of the HTTP server's thread to the main thread, which alone touches what the process
 * is.
 *
 * Requests for the same come together: while the main thread looks, further ones wait for the next
 * look, and each answer is of a moment after its request came. So the main thread looks once for a
 * hundred scrapes at a time, and a client that asks without a pause keeps at most one look under
 * way. */
#ifndef RPPROXY_RELOAD_HTTP_ASKING_H
#define RPPROXY_RELOAD_HTTP_ASKING_H

#include "proxy/core/task_queue.h"

#include <event2/http.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct http_server;

/* After this time without an answer a request is answered with 503. */
#define ASKING_WAIT_MS 5000

struct asking_waiter {
    struct evhttp_request *request;
    uint64_t since;
    STAILQ_ENTRY(asking_waiter) link;
};

STAILQ_HEAD(asking_waiters, asking_waiter);

/* One question. */
struct asking {
    /* The main thread: looks, and calls asking_answer(), at once or later. */
    void (*look)(struct asking *asking, void *arg);
    /* The server's thread: answers one request. */
    void (*reply)(struct evhttp_request *request, void *answer, void *arg);
    /* The server's thread, or asking_end(): frees the answer. */
    void (*release)(void *answer);
    void *arg;

    struct http_server *server;
    struct task_queue *main, *tasks; /* of the main thread; of the server's */
    struct task look_task, answer_task;
    bool under_way;
    void *answer;                  /* handed over by answer_task */
    struct asking_waiters waiting; /* for the next look */
    struct asking_waiters asked;   /* for the look that is under way */
};

/* look, reply, release and arg are set. Before the thread runs. */
void asking_begin(struct asking *asking, struct http_server *server);

/* The server's thread: request is answered later. */
void asking_add(struct asking *asking, struct evhttp_request *request);

/* The main thread: the answer is the asking's from now on. NULL: out of memory. */
void asking_answer(struct asking *asking, void *answer);

/* The server's thread: those that have waited too long are answered without an answer. */
void asking_on_tick(struct asking *asking);

/* The server's thread, when it ends: those that wait are forgotten. */
void asking_drop(struct asking *asking);

/* The main thread, when the server has been freed. */
void asking_end(struct asking *asking);

#endif
