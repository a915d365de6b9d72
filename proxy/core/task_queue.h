/* The task queue of a loop: any thread can ask the thread of the loop to run a function there.
 *
 * The poster owns the task, usually as a member of a longer-lived object, so posting needs no
 * memory and cannot fail. A task that is posted again before it has run runs once. */
#ifndef RPPROXY_PROXY_CORE_TASK_QUEUE_H
#define RPPROXY_PROXY_CORE_TASK_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/queue.h>

struct task {
    void (*run)(void *arg); /* runs on the loop of the task queue */
    void *arg;
    STAILQ_ENTRY(task) next;
    bool posted; /* under the lock of the task queue */
};

STAILQ_HEAD(task_list, task);

struct task_queue {
    pthread_mutex_t lock;
    struct task_list tasks;
    struct task_list turn; /* of them those that task_queue_run() runs now */
    int fd; /* readable while there are tasks; the loop then calls task_queue_run() */
};

/* Returns 0 or an errno value. */
int task_queue_open(struct task_queue *task_queue) __attribute__((warn_unused_result));

/* Closes the queue; tasks that have not run yet are dropped. On the thread of the loop, or after
 * this thread has ended. */
void task_queue_close(struct task_queue *task_queue);

/* Runs all queued tasks; a task that is posted meanwhile runs at the next call. On the thread of
 * the loop. */
void task_queue_run(struct task_queue *task_queue);

/* Any thread. Tasks run in the order in which they were posted. */
void task_queue_post(struct task_queue *task_queue, struct task *task);

/* On the thread of the loop, when nobody posts the task any more: it will not run, and its poster
 * may free it. Harmless for a task that is not posted. */
void task_queue_withdraw(struct task_queue *task_queue, struct task *task);

#endif
