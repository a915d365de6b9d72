/* Frees memory that other threads may still read, as soon as no thread can read it any more.
 *
 * The main thread publishes an object by an atomic pointer, and replaces it later. A reader thread
 * loads the pointer, uses the object, and keeps no pointer to it when it returns to its loop. So no
 * reader uses the old object after each reader has come back to its loop once. A task in the queue
 * of each reader shows this. Reading costs one load, and no lock.
 *
 * Only the main thread may call these functions: before the threads of the readers start, while
 * they run, or after they have ended. */
#ifndef RPPROXY_PROXY_CORE_RECLAIM_H
#define RPPROXY_PROXY_CORE_RECLAIM_H

#include "proxy/core/task_queue.h"

#include <stdatomic.h>
#include <sys/queue.h>

/* The first member of an object that is published. The object comes from malloc(3). */
struct retired {
    STAILQ_ENTRY(retired) link;
    void (*release)(struct retired *object);
};

STAILQ_HEAD(retired_list, retired);

/* A zeroed reclaimer has no readers. */
struct reclaimer {
    struct task_queue *owner; /* the queue of the main thread */
    struct reclaim_reader *readers;
    unsigned reader_count;
    atomic_uint awaited;          /* readers that have not come back to their loop in this round */
    struct retired_list waiting;  /* freed at the end of this round */
    struct retired_list next;     /* retired during this round: freed at the end of the next one */
    struct task round_ended_task; /* from the last reader to the main thread */
};

/* owner: the queue of the main thread. most: the maximal number of readers. Returns 0 or
 * ENOMEM. */
int reclaimer_open(struct reclaimer *reclaimer, struct task_queue *owner, unsigned most)
    __attribute__((warn_unused_result));

/* Adds a thread that reads published objects; queue is the task queue of this thread. Must be
 * called before the first reclaim(). */
void reclaimer_add_reader(struct reclaimer *reclaimer, struct task_queue *queue);

/* Frees object when no reader can use it any more, or at once if there are no readers. The caller
 * has already replaced the published pointer. Cannot fail. */
void reclaim(struct reclaimer *reclaimer, struct retired *object);

/* The same; release() frees the object, with what belongs to it. */
void reclaim_with(struct reclaimer *reclaimer, struct retired *object,
                  void (*release)(struct retired *object));

/* Frees all objects that still wait. The threads of the readers must have ended. */
void reclaimer_close(struct reclaimer *reclaimer);

#endif
