/* When memory that other threads may still read can be freed.
 *
 * The main thread publishes an object by an atomic pointer, and replaces it later. A reader thread
 * loads the pointer, uses the object, and keeps no pointer to it when it returns to its loop. So
 * the old object is unused as soon as each reader has come back to its loop once: a task in each
 * reader's queue says when. Reading costs one load, and no lock.
 *
 * All functions are for the main thread, before the readers' threads start, while they run, or
 * after they have ended. */
#ifndef RPPROXY_PROXY_CORE_RECLAIM_H
#define RPPROXY_PROXY_CORE_RECLAIM_H

#include "proxy/core/task_queue.h"

#include <stdatomic.h>
#include <sys/queue.h>

/* The first member of an object that is published. The object comes from malloc(3). */
struct retired {
    STAILQ_ENTRY(retired) link;
};

STAILQ_HEAD(retired_list, retired);

/* A reclaimer of zeros has no readers. */
struct reclaimer {
    struct task_queue *owner; /* the main thread's */
    struct reclaim_reader *readers;
    unsigned reader_count;
    atomic_uint awaited;          /* readers that have not come back to their loop in this round */
    struct retired_list waiting;  /* freed at the end of this round */
    struct retired_list next;     /* retired during this round: freed at the end of the next one */
    struct task round_ended_task; /* from the last reader to the main thread */
};

/* owner: the main thread's queue. most: how many readers there will be, at most. Returns 0 or
 * ENOMEM. */
int reclaimer_open(struct reclaimer *reclaimer, struct task_queue *owner, unsigned most)
    __attribute__((warn_unused_result));

/* One more thread reads what is published; queue is the queue of this thread. Only before the first
 * reclaim(). */
void reclaimer_add_reader(struct reclaimer *reclaimer, struct task_queue *queue);

/* Frees object when no reader can use it any more; without readers at once. No published pointer
 * leads to the object when this is called. Cannot fail. */
void reclaim(struct reclaimer *reclaimer, struct retired *object);

/* Frees all objects that still wait. The threads of the readers have ended. */
void reclaimer_close(struct reclaimer *reclaimer);

#endif
