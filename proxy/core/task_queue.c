#include "proxy/core/task_queue.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

void task_queue_run(struct task_queue *task_queue)
{
    eventfd_t ignored;
    (void)eventfd_read(task_queue->fd, &ignored);

    pthread_mutex_lock(&task_queue->lock);
    STAILQ_CONCAT(&task_queue->turn, &task_queue->tasks);
    while (!STAILQ_EMPTY(&task_queue->turn)) {
        struct task *task = STAILQ_FIRST(&task_queue->turn);
        STAILQ_REMOVE_HEAD(&task_queue->turn, next);
        task->posted = false;
        pthread_mutex_unlock(&task_queue->lock);
        task->run(task->arg);
        pthread_mutex_lock(&task_queue->lock);
    }
    pthread_mutex_unlock(&task_queue->lock);
}

int task_queue_open(struct task_queue *task_queue)
{
    STAILQ_INIT(&task_queue->tasks);
    STAILQ_INIT(&task_queue->turn);
    task_queue->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (task_queue->fd < 0)
        return errno;
    pthread_mutex_init(&task_queue->lock, NULL);
    return 0;
}

void task_queue_close(struct task_queue *task_queue)
{
    close(task_queue->fd);
    pthread_mutex_destroy(&task_queue->lock);
}

void task_queue_post(struct task_queue *task_queue, struct task *task)
{
    pthread_mutex_lock(&task_queue->lock);
    bool wake = STAILQ_EMPTY(&task_queue->tasks);
    if (!task->posted) {
        task->posted = true;
        STAILQ_INSERT_TAIL(&task_queue->tasks, task, next);
    }
    /* Under the lock, so that the queue cannot be closed between adding the task and waking the
     * loop. */
    if (wake)
        (void)eventfd_write(task_queue->fd, 1);
    pthread_mutex_unlock(&task_queue->lock);
}

static bool remove_from(struct task_list *list, struct task *task)
{
    struct task *other;
    STAILQ_FOREACH (other, list, next)
        if (other == task) {
            STAILQ_REMOVE(list, task, task, next);
            return true;
        }
    return false;
}

void task_queue_withdraw(struct task_queue *task_queue, struct task *task)
{
    pthread_mutex_lock(&task_queue->lock);
    if (task->posted && !remove_from(&task_queue->turn, task))
        (void)remove_from(&task_queue->tasks, task);
    task->posted = false;
    pthread_mutex_unlock(&task_queue->lock);
}
