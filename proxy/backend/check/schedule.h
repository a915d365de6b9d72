/* The thread of the checks: when which server is checked, and what came of it.
 *
 * The main thread says which address of a server is to be checked, and how soon again; the thread
 * tells results. A result that is like those before it is not told: a server that passes all its
 * checks costs the main thread nothing. checks.h is the main thread's side, and makes of results
 * the states of servers.
 *
 * At most CHECKS_MOST probes are under way; a check that is due beyond that waits. A shortage of
 * the proxy (descriptors, local ports, memory), and the full backlog of a Unix socket, say nothing
 * about the server: the thread logs them, and tells no result. */
#ifndef RPPROXY_PROXY_BACKEND_CHECK_SCHEDULE_H
#define RPPROXY_PROXY_BACKEND_CHECK_SCHEDULE_H

#include "config/base/condition.h"
#include "proxy/backend/check/exec.h"
#include "proxy/backend/check/probe.h"
#include "proxy/backend/server.h"
#include "proxy/core/task_queue.h"
#include "proxy/engine/socket.h"

#include <pthread.h>
#include <sys/queue.h>

#define CHECKS_MOST 256

/* What the thread and its loop have open. */
#define SCHEDULE_DESCRIPTORS 2

#define SCHEDULE_FINISH_MS 250

/* Written by the main thread, read by the thread of the checks, under the lock. */
struct check_target {
    struct address address; /* length 0: the server is not to be checked */
    unsigned version;       /* counts changes of the address */
    unsigned tell;          /* counts reasons to tell the results anew */
    enum check_pace pace;
};

/* The checks of one server. */
struct checking {
    /* Set before it is added: */
    struct schedule *schedule;
    struct server *server; /* the thread reads its name, its backend's conf and check_due only */
    const struct probe_plan *plan;
    size_t backend_id, server_id;        /* of check = exec: from 1, in the order of the file */
    const struct address *proxy_address; /* of the same, as in exec.h */
    struct exec_run *program; /* of check = exec, zeroed, and freed by schedule_end(); else NULL */
    /* The main thread's: */
    bool awaited;                /* its first result is */
    bool added;                  /* the thread knows of it */
    STAILQ_ENTRY(checking) link; /* in the list of checks.c */
    /* Of both, under the lock: */
    struct check_target target;
    bool retargeted; /* on schedule->retargeted */
    STAILQ_ENTRY(checking) next_retargeted;
    /* The thread's: */
    struct check_target used; /* by the last check */
    struct event due;
    struct probe probe;
    bool probing;              /* or its program runs, or waits for others */
    bool overdue;              /* came due while its last program was ending */
    uint64_t began_at;         /* the last check: microseconds */
    uint64_t last_at, next_at; /* when the last check was due, and the next one is; milliseconds */
    struct condition shortage;
    struct probe_result told; /* the last result that was told, and ... */
    unsigned told_alike;      /* ... how often, one after the other */
    STAILQ_ENTRY(checking) next_waiting;
};

/* What is known of a server, in the order in which it came. */
struct check_told {
    STAILQ_ENTRY(check_told) next;
    struct checking *checking;
    unsigned version; /* of the target that was checked */
    bool checked;     /* false: there was nothing to check, or a shortage */
    struct probe_result result;
};

STAILQ_HEAD(checks_told, check_told);
STAILQ_HEAD(checkings, checking);

struct schedule {
    pthread_mutex_t lock;
    struct task_queue *main;     /* of the main thread */
    struct task told_task;       /* to the main thread */
    struct checks_told told;     /* under the lock */
    struct checkings retargeted; /* under the lock */
    struct task_queue tasks;     /* of the thread */
    struct task retarget_task, stop_task, turn_task;
    struct task turned_task; /* to the main thread: the answer to turn_task */
    pthread_t thread;
    bool started;
    /* The thread's: */
    struct event_base *base;
    struct event bell;
    bool stopping;
    unsigned under_way; /* probes */
    struct exec programs;
    struct checkings waiting;
    uint64_t seed;
    struct local_ports local_ports;
};

/* programs: how many may run at once. told_task.run is called on the main thread, by its task
 * queue, when results wait. The thread does not run yet. Returns 0 or an errno value; a schedule
 * that failed to open needs no closing. */
int schedule_open(struct schedule *schedule, struct task_queue *main, unsigned programs,
                  void (*on_told)(void *arg), void *arg) __attribute__((warn_unused_result));

/* Main thread: a server of which schedule, server, plan and target are set. While the thread does
 * not run, server->check_due says when the first check is due; when it runs, that is at once. The
 * checking must live until schedule_close(). */
void schedule_add(struct schedule *schedule, struct checking *checking);

/* Main thread: replaces the target; also before the checking is added. */
void schedule_retarget(struct checking *checking, const struct check_target *target);

/* Main thread. Returns 0 or an errno value. */
int schedule_start(struct schedule *schedule) __attribute__((warn_unused_result));

/* Main thread: on_turned is called on the main thread, by its task queue, when the thread has
 * turned since now; never while it hangs. Not again before the answer, or schedule_stop(), after
 * which there is none. */
void schedule_ask_turn(struct schedule *schedule, void (*on_turned)(void *arg), void *arg);

/* Main thread: takes the oldest result, which is then the caller's to free; NULL: none. */
struct check_told *schedule_take(struct schedule *schedule);

/* Main thread: ends the thread, and blocks until it has ended; told_task and turned_task are not
 * called any more. Probes that are under way have SCHEDULE_FINISH_MS to end, since a server may
 * count or log a connection that breaks in the middle of its handshake; no other check begins. Then
 * each checking has to be ended before the schedule is closed. */
void schedule_stop(struct schedule *schedule);
void schedule_end(struct checking *checking);
void schedule_close(struct schedule *schedule);

#endif
