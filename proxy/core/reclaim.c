#include "proxy/core/reclaim.h"

#include <errno.h>
#include <stdlib.h>

struct reclaim_reader {
    struct reclaimer *reclaimer;
    struct task_queue *queue;
    struct task task;
};

static void free_all(struct retired_list *list)
{
    struct retired *object;
    while ((object = STAILQ_FIRST(list))) {
        STAILQ_REMOVE_HEAD(list, link);
        object->release(object);
    }
}

/* Runs on the loop of the reader, between two callbacks: the reader has no old pointer there. The
 * reader sees the new pointers from now on, because both threads have held the lock of the queue.
 */
static void on_reader(void *arg)
{
    struct reclaimer *reclaimer = ((struct reclaim_reader *)arg)->reclaimer;
    if (atomic_fetch_sub(&reclaimer->awaited, 1) == 1)
        task_queue_post(reclaimer->owner, &reclaimer->round_ended_task);
}

static void begin_round(struct reclaimer *reclaimer)
{
    STAILQ_CONCAT(&reclaimer->waiting, &reclaimer->next);
    atomic_store(&reclaimer->awaited, reclaimer->reader_count);
    for (unsigned i = 0; i < reclaimer->reader_count; i++)
        task_queue_post(reclaimer->readers[i].queue, &reclaimer->readers[i].task);
}

static void on_round_ended(void *arg)
{
    struct reclaimer *reclaimer = arg;
    free_all(&reclaimer->waiting);
    if (!STAILQ_EMPTY(&reclaimer->next))
        begin_round(reclaimer);
}

int reclaimer_open(struct reclaimer *reclaimer, struct task_queue *owner, unsigned most)
{
    *reclaimer = (struct reclaimer){.owner = owner,
                                    .round_ended_task = {.run = on_round_ended, .arg = reclaimer}};
    STAILQ_INIT(&reclaimer->waiting);
    STAILQ_INIT(&reclaimer->next);
    reclaimer->readers = calloc(most ? most : 1, sizeof *reclaimer->readers);
    return reclaimer->readers ? 0 : ENOMEM;
}

void reclaimer_add_reader(struct reclaimer *reclaimer, struct task_queue *queue)
{
    struct reclaim_reader *reader = &reclaimer->readers[reclaimer->reader_count++];
    *reader = (struct reclaim_reader){
        .reclaimer = reclaimer, .queue = queue, .task = {.run = on_reader, .arg = reader}};
}

static void release_by_free(struct retired *object)
{
    free(object);
}

void reclaim(struct reclaimer *reclaimer, struct retired *object)
{
    reclaim_with(reclaimer, object, release_by_free);
}

void reclaim_with(struct reclaimer *reclaimer, struct retired *object,
                  void (*release)(struct retired *object))
{
    if (reclaimer->reader_count == 0) {
        release(object);
        return;
    }
    object->release = release;
    STAILQ_INSERT_TAIL(&reclaimer->next, object, link);
    if (STAILQ_EMPTY(&reclaimer->waiting))
        begin_round(reclaimer);
}

void reclaimer_close(struct reclaimer *reclaimer)
{
    free_all(&reclaimer->waiting);
    free_all(&reclaimer->next);
    free(reclaimer->readers);
}
