/* check = exec: programs that check servers.
 *
 * A program gets what HAProxy gives to that of an external-check. Arguments: those of
 * check-command, then the address and port of the proxy, and the address and port of the server; of
 * a Unix socket its path, and NOT_USED; of a proxy without an address NOT_USED twice.
 * Environment: PATH, HAPROXY_PROXY_NAME, HAPROXY_PROXY_ID, HAPROXY_PROXY_ADDR, HAPROXY_PROXY_PORT,
 * HAPROXY_SERVER_NAME, HAPROXY_SERVER_ID, HAPROXY_SERVER_ADDR, HAPROXY_SERVER_PORT,
 * HAPROXY_SERVER_CURCONN, HAPROXY_SERVER_MAXCONN, HAPROXY_SERVER_SSL, HAPROXY_SERVER_PROTO, and
 * nothing else; an address or port that an argument calls NOT_USED is empty there. Exit status 0
 * passes.
 *
 * It has a process group of its own, which is killed when the program has ended or its time is
 * over, and none of the capabilities that the proxy was given to keep over exec (ambient ones).
 *
 * For the thread of the checks. */
#ifndef RPPROXY_PROXY_BACKEND_CHECK_EXEC_H
#define RPPROXY_PROXY_BACKEND_CHECK_EXEC_H

#include "config/base/address.h"
#include "config/base/clock.h"
#include "config/base/job.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define EXEC_REASON_MAX 160

/* What a program is to check. The texts must live until the run has ended. */
struct exec_task {
    const char *command; /* as in check-command: words_split() splits it */
    const char *backend, *server;
    size_t backend_id, server_id; /* from 1, in the order of the file */
    const struct address *proxy;  /* where it listens; NULL: as in a [backend] of HAProxy */
    struct address address;
    bool tls;          /* sessions speak TLS with the server */
    uint64_t sessions; /* of the server now */
    unsigned maxconn;  /* of the server; 0: no limit */
    millis timeout;    /* from the start of the program */
};

struct exec_run;

/* All programs of a process: `most` at once; the others wait, first come first served. */
struct exec {
    struct event_base *base;
    unsigned most, running;
    TAILQ_HEAD(exec_runs, exec_run) waiting;
};

enum exec_state { EXEC_IDLE, EXEC_WAITING, EXEC_FAILING, EXEC_RUNNING, EXEC_KILLED };

struct exec_run {
    struct exec *exec;
    /* error: 0: passed; EPROTO and ETIMEDOUT with a reason, or an errno value. */
    void (*on_verdict)(struct exec_run *run, int error, const char *reason);
    void (*on_end)(struct exec_run *run);
    void *arg; /* the caller's */
    enum exec_state state;
    struct exec_task task;
    int error; /* why the program could not be started, in state FAILING */
    struct job job;
    struct event exit, deadline;
    TAILQ_ENTRY(exec_run) link;
};

void exec_init(struct exec *exec, struct event_base *base, unsigned most);

/* No program is started any more; those that run go on. */
void exec_stop(struct exec *exec);

/* Of a run that has begun, and is not cancelled, on_verdict is called once, from the loop; on_end
 * after that, when the program has ended. The run may begin again in on_end. */
void exec_run_init(struct exec_run *run, struct exec *exec,
                   void (*on_verdict)(struct exec_run *run, int error, const char *reason),
                   void (*on_end)(struct exec_run *run), void *arg);

/* The run is IDLE. */
void exec_begin(struct exec_run *run, const struct exec_task *task);

/* Kills the program, without a call; harmless when the run is IDLE. */
void exec_cancel(struct exec_run *run);

#endif
