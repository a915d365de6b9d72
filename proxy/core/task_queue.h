/* A loop's inbox: how one thread asks another to run something on its own loop.
 *
 * Tasks belong to their sender and are part of some longer-lived object, so posting cannot
 * fail. A task that is posted again before it was delivered is delivered once. */
#ifndef RPPROXY_PROXY_CORE_TASK_QUEUE_H
#define RPPROXY_PROXY_CORE_TASK_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/queue.h>

struct task {
    void (*run)(void *arg); /* runs on the loop of the task queue it was posted to */
    void *arg;
    STAILQ_ENTRY(task) next;
    bool posted; /* under the task queue's lock */
};

struct task_queue {
    pthread_mutex_t lock;
    STAILQ_HEAD(, task) tasks;
    int fd; /* readable while there are tasks: task_queue_run() is wanted */
};

/* Returns 0 or an errno value. */
int task_queue_open(struct task_queue *task_queue) __attribute__((warn_unused_result));

/* Closes it; tasks not yet delivered never will be. On the loop's thread, or once it ended. */
void task_queue_close(struct task_queue *task_queue);

/* Runs what there is; tasks posted meanwhile are for the next call. On the loop's thread. */
void task_queue_run(struct task_queue *task_queue);

/* From any thread. Tasks are delivered in the order they were posted. */
void task_queue_post(struct task_queue *task_queue, struct task *task);

#endif
